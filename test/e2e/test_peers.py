"""
Real servers deliver to us, and use what we offer: seen on the wire and in what arrives.

Starting them takes long, so there is one of each for all tests that need nothing special; tokens
tell the tests' messages apart.
"""
import email
import email.policy
import hashlib
import re
import socket

import pytest

from peers import Exim, Postfix, Wire, as_root
from server import IS_ROOT, Postrider, settle
from talk import Talk, message
from waiting import until

ALICE, BOB = "alice@home.example", "bob@home.example"
MB = 1 << 20


def hand_in(port, sender, recipients, content):
    """As talk.submit, for servers that say otherwise what they queued it as."""
    with Talk(port, timeout=60) as talk:
        talk.ehlo()
        talk.start(sender, *([recipients] if isinstance(recipients, str) else recipients))
        assert talk.data(content).code == 250
        talk.expect("QUIT", 221)


class Near:
    """A server of that name that sends mail for us through a wire, in clear text."""

    def __init__(self, name, certificate):
        self.server = Postrider(certificate, mailboxes={
            ALICE: "alice", BOB: "bob", "jörg@home.example": "joerg"})
        self.line = Wire(self.server.smtp_port).start()
        hop = ("127.0.0.1", self.line.port)
        self.peer = (Exim(hop, hosts_avoid_tls="*") if name == "exim" else
                     Postfix(next_hop=hop, smtp_tls_security_level="none"))
        self.server.extra = ["relay for 127.0.0.0/8"]
        self.server.routes = [f"send mail for far.example through 127.0.0.1:{self.peer.port}"]
        self.server.start()
        self.peer.start()
        self.name = name

    def hand_in(self, *arguments):
        hand_in(self.peer.port, *arguments)

    def wait_mail(self, mailbox, token, count=1, seconds=40):
        """The messages of the mailbox that have the token in them."""
        def found():
            return [raw for raw in self.server.maildir(mailbox) if token in raw]

        return until(lambda: len(found()) >= count and found(),
                     lambda: f"{count} with {token} in {mailbox}:\n{self.peer.log()}\n"
                     + self.server.log_tail(), seconds)

    def said(self, token):
        """What was said in connections where the token came."""
        return b"".join(bytes(said) for said in self.line.said if token in said)

    def stop(self):
        self.peer.stop()
        self.line.stop()
        self.server.clean_up(False)


@pytest.fixture(scope="module", params=["postfix", "exim"])
def near(request, certificate):
    if not IS_ROOT and as_root("true").returncode != 0:
        pytest.skip("real servers start as root only, and sudo asks for a password")
    made = Near(request.param, certificate)
    yield made
    made.stop()


def test_commands_are_pipelined(near):
    near.hand_in("ann@far.example", [ALICE, BOB], message("piped"))
    for mailbox in ("alice", "bob"):
        near.wait_mail(mailbox, b"X-Token: piped")
    assert near.line.one_piece_with(b"MAIL FROM:<ann@far.example>", b"RCPT TO:<alice@home.example>",
                                    b"RCPT TO:<bob@home.example>"), near.line.pieces


def test_large_messages(near):
    """What arrives is what was sent, to the octet, and Exim uses BDAT; what is too large is not sent."""
    lines = [hashlib.sha256(str(n).encode()).hexdigest() + ("." * (n % 50)) for n in range(4000)]
    block = "\r\n".join([*lines, ".", "..", "", ".leading dots\r\n"])
    for token, megabytes in (("small", 0), ("large", 25)):
        sent = message(token, body=block * (megabytes * MB // len(block) + 1))
        near.hand_in("ann@far.example", ALICE, sent)
        raw = near.wait_mail("alice", f"X-Token: {token}".encode())[0]
        head, _, body = sent.replace(b"\r\n", b"\n").partition(b"\n\n")
        assert raw.endswith(b"\n\n" + body), f"{token} is not what was sent"
        assert all(field in raw for field in head.split(b"\n"))
    said = near.said(b"X-Token: large")
    assert re.search(rb"MAIL FROM:<ann@far.example> [^\r]*SIZE=2\d{7}", said), "SIZE was not used"
    if near.name == "exim":
        assert re.search(rb"\r\nBDAT \d+", said) and b"\r\nDATA\r\n" not in said
    else:
        assert b"\r\nDATA\r\n" in said
    # Our limit is 50 MB.  Its sender is at ours, and is told.
    near.hand_in(BOB, ALICE, message("too-large", body=block * (51 * MB // len(block))))
    near.wait_mail("bob", b"too-large")
    assert sum(map(len, near.line.said)) < 40 * MB, "it was sent all the same"


def test_unknown_recipients_bounce_there(near):
    near.hand_in(BOB, [ALICE, "nosuch@home.example"], message("unknown"))
    near.wait_mail("alice", b"X-Token: unknown")
    bounce = near.wait_mail("bob", b"nosuch@home.example")[0]
    assert b"5.1.1" in bounce and b"unknown@client.example" in bounce


def test_smtputf8(near):
    content = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    content["From"] = "Ännchen <ännchen@far.example>"
    content["To"] = "jörg@home.example"
    content["Subject"] = "Grüße aus Ägypten"
    content.set_content("Grüße.\n", cte="8bit")
    with Talk(near.peer.port) as talk:
        assert "SMTPUTF8" in talk.ehlo()
        talk.expect("MAIL FROM:<ännchen@far.example> BODY=8BITMIME SMTPUTF8", 250)
        talk.expect("RCPT TO:<jörg@home.example>", 250)
        assert talk.data(content.as_bytes()).code == 250
    raw = near.wait_mail("joerg", "ännchen".encode())[0]
    found = email.message_from_bytes(raw, policy=email.policy.default.clone(utf8=True))
    assert found["Subject"] == "Grüße aus Ägypten"
    assert "with UTF8SMTP id" in " ".join(raw.decode().split())
    said = near.said("ännchen".encode()).decode()
    assert re.search(r"MAIL FROM:<ännchen@far.example>[^\r]* SMTPUTF8", said), said[:2000]
    assert "RCPT TO:<jörg@home.example>" in said


def test_many_messages_at_once(near):
    """Both open several connections and reuse them; each message arrives once."""
    with Talk(near.peer.port) as talk:
        talk.ehlo()
        for number in range(40):
            talk.start("ann@far.example", ALICE)
            assert talk.data(message(f"many{number}")).code == 250
    near.wait_mail("alice", b"X-Token: many", 40)
    settle(1.5)  # for what might come twice
    found = near.wait_mail("alice", b"X-Token: many")
    tokens = sorted(re.search(rb"X-Token: (\S+)", raw)[1] for raw in found)
    assert tokens == sorted(f"many{n}".encode() for n in range(40))


def notification(raw):
    """(of the message, of its recipient): what a notification says to programs."""
    parts = email.message_from_bytes(raw, policy=email.policy.default).get_payload()
    assert parts[1].get_content_type() == "message/delivery-status", raw
    return parts[1].get_payload()[:2]


def send_asking(port, recipient, mail, rcpt, content):
    with Talk(port) as talk:
        assert "DSN" in talk.ehlo()
        talk.expect(f"MAIL FROM:<{BOB}> {mail}", 250)
        talk.expect(f"RCPT TO:<{recipient}> {rcpt}", 250)
        assert talk.data(content).code == 250


def test_they_pass_on_what_is_to_be_notified(near):
    """The peer's client asks for DSN, the peer asks us, and we tell the sender."""
    send_asking(near.peer.port, ALICE, "RET=HDRS ENVID=peer+2B1",
                "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Alice+2BX@home.example", message("dsn"))
    near.wait_mail("alice", b"X-Token: dsn")
    of_message, of_rcpt = notification(near.wait_mail("bob", b"peer+1")[0])
    assert of_message["Original-Envelope-Id"] == "peer+1"
    assert of_message["Reporting-MTA"].endswith("mail.home.example"), "the peer told, not we"
    assert of_rcpt["Action"] == "delivered"
    assert of_rcpt["Original-Recipient"] == "rfc822; Alice+X@home.example"
    said = near.said(b"X-Token: dsn").decode()
    for text in ("ENVID=peer+2B1", "RET=HDRS", "NOTIFY=SUCCESS,FAILURE",
                 "ORCPT=rfc822;Alice+2BX@home.example"):
        assert text in said, said[:2000]


def test_never_is_never(near):
    send_asking(near.peer.port, "nosuch2@home.example", "RET=HDRS", "NOTIFY=NEVER", message("never"))
    send_asking(near.peer.port, "nosuch3@home.example", "RET=HDRS", "NOTIFY=FAILURE", message("ever"))
    near.wait_mail("bob", b"nosuch3@home.example")
    settle(1)
    assert not [raw for raw in near.server.maildir("bob") if b"nosuch2" in raw]
    assert re.search(rb"RCPT TO:<nosuch2@home.example>[^\r]* NOTIFY=NEVER", near.line.all_said())


@pytest.mark.parametrize("near", ["postfix"], indirect=True)
def test_we_pass_it_on_and_they_tell(near):
    """Us to Postfix with DSN; Postfix delivers, and its notification comes back through us."""
    send_asking(near.server.smtp_port, "ann@far.example", "ENVID=ours", "NOTIFY=SUCCESS", message("out"))
    of_message, of_rcpt = notification(near.wait_mail("bob", b"ours")[0])
    assert of_message["Original-Envelope-Id"] == "ours"
    assert of_message["Reporting-MTA"].endswith("peer.far.example"), "we told, not Postfix"
    assert of_rcpt["Action"] == "delivered"


def test_exim_under_tls(server, exim):
    peer = exim(("127.0.0.1", server.smtp_port), hosts_require_tls="*")
    for number in range(5):
        hand_in(peer.port, "ann@far.example", ALICE, message(f"tls{number}"))
    found = server.wait_mail("alice", 5)
    assert all(b"with ESMTPS id" in raw and b"TLSv1.3" in raw for raw in found)


@pytest.mark.parametrize("chunks", [False, True])
def test_who_closes_one_half_is_answered(server, chunks):
    """As Exim does: all in one go, QUIT behind it, and no more to say."""
    content = message("half")
    body = b"BDAT %d LAST\r\n" % len(content) + content if chunks else content + b".\r\n"
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send(b"MAIL FROM:<ann@far.example>\r\nRCPT TO:<alice@home.example>\r\n"
                  + (b"" if chunks else b"DATA\r\n"))
        codes = [250, 250] if chunks else [250, 250, 354]
        assert [talk.reply().code for _ in codes] == codes
        talk.send(body + b"QUIT\r\n")
        talk.socket.shutdown(socket.SHUT_WR)
        assert [talk.reply().code, talk.reply().code] == [250, 221]
    server.wait_mail("alice")
    settle(0.3)
    assert len(server.maildir("alice")) == 1
