"""What is asked of mail from users, on 465 and 587: see docs/submission.md."""
import base64
import email
import email.policy
import re
import signal

import pytest

import logs
from server import HOSTNAME, PASSWORD
from talk import Talk

ALICE, BOB = "alice@home.example", "bob@home.example"
SUBMISSION = "submission {{\n\t{}\n}}"


class User(Talk):
    """A session on 465 that has logged in."""

    def __init__(self, server, login="alice"):
        super().__init__(server.submissions_port, tls=True)
        self.ehlo()
        response = base64.b64encode(f"\0{login}\0{PASSWORD}".encode()).decode()
        self.expect("AUTH PLAIN " + response, 235)

    def send_mail(self, content, sender=ALICE, to=BOB):
        self.start(sender, to)
        return self.data(content.encode() if isinstance(content, str) else content)


def arrived(server, mailbox="bob", count=1):
    raw = server.wait_mail(mailbox, count)[-1]
    return email.message_from_bytes(raw, policy=email.policy.default)


def text(*fields, body="Hello.\r\n"):
    return "\r\n".join([*fields, "", body])


@pytest.mark.parametrize("port", ["submission_port", "submissions_port"])
def test_nothing_goes_without_a_login(server, port):
    with Talk(getattr(server, port), tls=port == "submissions_port") as talk:
        talk.ehlo()
        reply = talk.ask(f"MAIL FROM:<{ALICE}>")
        assert (reply.code, reply.status) == (530, "5.7.0"), reply


def test_what_is_missing_is_added(server):
    seen = set()
    with User(server) as user:
        for number in (1, 2):
            assert user.send_mail(text("Subject: bare")).code == 250
            found = arrived(server, count=number)
            assert found["From"] == f"<{ALICE}>" or found["From"] == ALICE
            assert found["Date"].datetime.year >= 2024
            assert re.fullmatch(rf"<[0-9a-f]{{32}}@{HOSTNAME}>", found["Message-ID"]), found
            seen.add(found["Message-ID"])
    assert len(seen) == 2


def test_what_is_there_stays_and_is_never_doubled(server):
    with User(server) as user:
        content = text(f"FROM : Alice (me) <{ALICE}>", "date\t: Tue, 24 Nov 2026 03:04:05 +0000",
                       "message-id:\r\n <mine@home.example>")
        assert user.send_mail(content).code == 250
    raw = server.wait_mail("bob")[0]
    assert raw.endswith(content.replace("\r\n", "\n").encode())
    assert raw.lower().count(b"\nmessage-id") == raw.lower().count(b"\ndate") == 1


def test_bcc_is_nobody_elses_business(server):
    with User(server) as user:
        content = text(f"From: {ALICE}", "BCC :", "\tsecret@home.example,", " \"a", " secret b\"@x.example",
                       "Subject: x", "Resent-bcc: secret@home.example", body="Bcc: of the body\r\n")
        # The pieces of the packets do not matter; those of BDAT neither.
        user.start(ALICE, BOB)
        raw = content.encode()
        for at in range(0, len(raw), 7):
            piece = raw[at:at + 7]
            last = " LAST" if at + 7 >= len(raw) else ""
            user.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
            assert user.reply().code == 250
    raw = server.wait_mail("bob")[0]
    assert b"secret" not in raw and b"Subject: x" in raw and b"Bcc: of the body" in raw


@pytest.mark.parametrize("sender", [BOB, "boss@bank.example", "nosuch@home.example"])
def test_mail_from_must_be_the_users_own(server, sender):
    with User(server) as user:
        reply = user.ask(f"MAIL FROM:<{sender}>")
        # The same words whether the address exists or not.
        assert (reply.code, reply.status) == (553, "5.7.1"), reply
        assert reply.text.replace(sender, "X") == (
            "5.7.1 alice may not send as X: use an address of your own, or ask the postmaster here "
            "to allow this one (HELP sender)")
        assert user.send_mail(text("Subject: own")).code == 250
    assert server.wait_event(logs.REFUSED, code="553")[0]["from"] == sender


@pytest.mark.parametrize("fields", [
    [f"From: {BOB}"],
    [f"From: {ALICE}, {BOB}"],
    [f"From: us: {ALICE}, \"b\" <{BOB}>;"],
    [f"From: Alice ({ALICE}) <{BOB}>"],
    [f"From: \"{ALICE}\" <{BOB}>"],
    [f"From: {ALICE}", f"Sender: {BOB}"],
])
def test_the_header_must_name_the_user(server, fields):
    with User(server) as user:
        reply = user.send_mail(text(*fields))
        assert (reply.code, reply.status) == (550, "5.7.1") and BOB in reply.text, reply
        # The session goes on, and nothing of it was kept.
        assert user.send_mail(text(f"From: {ALICE}", "Subject: right")).code == 250
    assert arrived(server)["Subject"] == "right" and len(server.maildir("bob")) == 1


@pytest.mark.parametrize("fields, why", [
    ([f"From: {ALICE}", f"From: {ALICE}"], "two From fields"),
    (["From: nobody:;"], "From names no address"),
    (["From: alice"], "a name stands there without an address"),
    ([f"From: Alice <{ALICE}"], "a \">\" is missing"),
    ([f"From: Alice ( <{ALICE}>"], "a comment is not closed"),
    (["From: a@-b.example"], "is not an address"),
    ([f"From: {ALICE}", "no field", "Bcc: secret@home.example"], "line 2 is neither"),
    (["Hello world"], "line 1 is neither"),
])
def test_malformed_headers(server, fields, why):
    with User(server) as user:
        reply = user.send_mail(text(*fields))
        assert (reply.code, reply.status) == (554, "5.6.0") and why in reply.text, reply
        user.expect("QUIT", 221)
    assert not server.maildir("bob")


def test_large_mail_is_refused_at_its_end_and_leaves_nothing(server):
    body = "x" * 70 + "\r\n"
    with User(server) as user:
        reply = user.send_mail(text(f"From: {BOB}", body=body * 20000))
        assert (reply.code, reply.status) == (550, "5.7.1"), reply
        reply = user.send_mail(text("no field", body=body * 20000))
        assert (reply.code, reply.status) == (554, "5.6.0"), reply
        assert user.send_mail(text(f"From: {ALICE}", "Bcc: x", body=body * 20000)).code == 250
    found = server.wait_mail("bob")[0]
    assert len(found) > 71 * 20000 and b"Bcc" not in found
    server.wait_queue_empty()
    assert len(server.maildir("bob")) == 1


def test_aliases_and_details_are_ones_own_but_lists_are_not(postrider):
    server = postrider(aliases={"al@home.example": ALICE, "all@home.example": f"{ALICE}, {BOB}"}).start()
    with User(server) as user:
        for own in ("al@home.example", "ALICE@home.example", "alice+shop@home.example"):
            assert user.send_mail(text(f"From: {own}"), sender=own).code == 250
        user.expect("MAIL FROM:<all@home.example>", 553)
        # A notice has the null reverse-path, but its From counts.
        assert user.send_mail(text(f"From: {ALICE}"), sender="").code == 250
        assert user.send_mail(text(f"From: {BOB}"), sender="").code == 550
        assert user.send_mail(text("Subject: x"), sender="").code == 554


def test_the_table_of_senders(postrider):
    server = postrider(passwords={"alice": PASSWORD, "shop": PASSWORD, "root": PASSWORD})
    path = server.directory / "senders"
    path.write_text("shop: news@home.example, @shop.example\nroot: *\n")
    server.extra = [f"senders from {path}"]
    server.start()
    with User(server, "shop") as user:
        user.expect("MAIL FROM:<shop@home.example>", 553)
        for own in ("news@home.example", "anybody@shop.example"):
            assert user.send_mail(text(f"From: {own}"), sender=own).code == 250
        user.expect("MAIL FROM:<anybody@sub.shop.example>", 553)
    with User(server, "root") as user:
        assert user.send_mail(text("From: boss@bank.example"), sender=BOB).code == 250
    with User(server) as user:  # not in the table
        assert user.send_mail(text(f"From: {ALICE}")).code == 250
        user.expect(f"MAIL FROM:<{BOB}>", 553)
    # A mistake in it is told, and the table that was good stays.
    path.write_text("shop: a b\n")
    server.process.send_signal(signal.SIGHUP)
    assert server.wait_event("table_refused")[0]["file"] == str(path)
    with User(server, "shop") as user:
        user.expect("MAIL FROM:<news@home.example>", 250)


def test_what_can_be_switched_off(postrider):
    server = postrider(extra=[SUBMISSION.format(
        "check envelope sender no; check header sender no; add missing from field no")]).start()
    with User(server) as user:
        assert user.send_mail(text("From: boss@bank.example"), sender="x@bank.example").code == 250
        reply = user.send_mail(text("Subject: x"))
        assert (reply.code, reply.status) == (554, "5.6.0") and "no From field" in reply.text


def test_sender_field_vouches(postrider):
    server = postrider(extra=[SUBMISSION.format("sender field vouches yes")]).start()
    with User(server) as user:
        assert user.send_mail(text("From: boss@bank.example", f"Sender: {ALICE}")).code == 250
        assert user.send_mail(text(f"Resent-From: {ALICE}", "From: boss@bank.example")).code == 250
        assert user.send_mail(text("From: boss@bank.example", f"Sender: {BOB}")).code == 550
        assert user.send_mail(text("From: boss@bank.example")).code == 550


def test_received_hides_the_client(postrider):
    server = postrider(extra=[SUBMISSION.format("received field hides client yes")]).start()
    with User(server) as user:
        assert user.send_mail(text(f"From: {ALICE}")).code == 250
    received = " ".join(arrived(server)["Received"].split())
    assert received.startswith(f"by {HOSTNAME} with ESMTPSA id "), received
    assert "127.0.0.1" not in received and "client.example" not in received
    # The log has it, and what other servers send is traced as ever.
    assert server.wait_event(logs.ACCEPTED)[0]["client"].startswith("127.0.0.1")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        assert talk.data(b"Subject: x\r\n\r\n").code == 250
    assert "from client.example ([127.0.0.1])" in " ".join(arrived(server, "alice")["Received"].split())


def test_other_servers_are_not_users(server):
    """Port 25: nothing is added, removed or held against anything."""
    content = b"Bcc: x\r\nFrom: a, b\r\nFrom: c\r\n\r\nHello.\r\n"
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        assert talk.data(content).code == 250
    assert server.wait_mail("alice")[0].endswith(content.replace(b"\r\n", b"\n"))


def test_a_login_on_port_25_is_a_user(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect("STARTTLS", 220)
        talk.start_tls()
        talk.ehlo()
        talk.expect("AUTH PLAIN " + base64.b64encode(f"\0alice\0{PASSWORD}".encode()).decode(), 235)
        talk.expect(f"MAIL FROM:<{BOB}>", 553)


def test_lookup_is_gone(server):
    with User(server) as user:
        server.kill_role("lookup")
        reply = user.ask(f"MAIL FROM:<{ALICE}>")
        assert reply.code in (250, 451), reply
        server.wait_event(logs.ROLE_DIED)
        for _ in range(100):
            if reply.code == 250:
                break
            reply = user.ask(f"MAIL FROM:<{ALICE}>")
        user.expect("RSET", 250)


def test_utf8_addresses(postrider):
    server = postrider(mailboxes={ALICE: "alice", BOB: "bob", "jörg@home.example": "alice"}).start()
    with User(server) as user:
        user.expect("MAIL FROM:<jörg@home.example> SMTPUTF8", 250)
        user.expect(f"RCPT TO:<{BOB}>", 250)
        assert user.data(text("From: Jörg Größe <jörg@home.example>").encode()).code == 250
        user.expect(f"MAIL FROM:<{ALICE}> SMTPUTF8", 250)
        user.expect(f"RCPT TO:<{BOB}>", 250)
        assert user.data(text("From: J <jörgen@home.example>").encode()).code == 550
