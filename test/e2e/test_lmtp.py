"""LMTP: another server of ours hands mail over, and gets a reply for each recipient."""
import os
import re
import smtplib
import stat
import subprocess

import pytest

import logs
from faults import Faults
from talk import Closed, Talk, message, queue_id
from waiting import free_port, until

ALICE, BOB = "alice@home.example", "bob@home.example"


@pytest.fixture
def lmtp(postrider):
    """Makes a server with an lmtp listener, whose port is lmtp_port."""

    def make(*lines, **options):
        port = free_port()
        server = postrider(extra=[f"listen lmtp on 127.0.0.1:{port}", *lines], **options)
        server.lmtp_port = port
        return server

    return make


def hello(talk):
    return talk.expect("LHLO near.example", 250)


def send(talk, content):
    """DATA; gives the first of the replies."""
    talk.expect("DATA", 354)
    talk.send(content + b".\r\n")
    return talk.reply()


def test_a_reply_for_each_recipient(lmtp):
    server = lmtp(aliases={"both@home.example": "alice, bob"}).start()
    with Talk(server.lmtp_port) as talk:
        assert "LMTP" in talk.greeting.text
        assert "AUTH" not in hello(talk).text
        talk.start("ann@far.example", ALICE, "both@home.example")
        assert talk.ask("RCPT TO:<nobody@home.example>").code == 550
        talk.expect(f"RCPT TO:<{BOB}>", 250)
        talk.expect("DATA", 354)
        talk.send(message("lmtp") + b".\r\nMAIL FROM:<>\r\n")
        replies = [talk.reply() for _ in range(3)]
        assert [re.search(r"<(.*?)>", r.text)[1] for r in replies] == [
            ALICE, "both@home.example", BOB]
        assert len({queue_id(r) for r in replies}) == 1
        assert {r.status for r in replies} == {"2.1.5"}
        assert talk.reply().status == "2.1.0", "the next transaction comes behind them"
        talk.expect(f"RCPT TO:<{ALICE}>", 250)
        assert queue_id(send(talk, message("second")))
        talk.expect("QUIT", 221)
    assert len(server.wait_mail("alice", 3)) == 3
    assert b"with LMTP id" in server.wait_mail("bob", 2)[0]
    assert server.wait_event(logs.ACCEPTED, protocol="LMTP", recipients="3")


def test_refusals_are_for_each_too(lmtp):
    server = lmtp("limits { message size 64 KB }").start()
    with Talk(server.lmtp_port) as talk:
        hello(talk)
        for content in (message("big", body="x" * 70 + "\r\n") * 2000, b"a\nb\r\n"):
            talk.start("ann@far.example", ALICE, BOB)
            assert send(talk, content).code in (552, 554)
            assert talk.reply().code in (552, 554)
            assert talk.ask("NOOP").code == 250
        # BDAT, in pieces: the last one is answered for each.
        talk.start("ann@far.example", ALICE, BOB)
        assert talk.ask(b"BDAT 3\r\na: ").code == 250
        assert talk.ask(b"BDAT 5 LAST\r\nb\r\n\r\n").code == 250
        assert talk.reply().code == 250
        assert talk.ask("NOOP").code == 250


def test_what_is_not_durable_is_accepted_for_nobody(lmtp):
    server = lmtp()
    faults = Faults(server.directory)
    server.env = faults.env
    server.start()
    with Talk(server.lmtp_port) as talk:
        hello(talk)
        talk.start("ann@far.example", ALICE, BOB)
        assert send(talk, message("first")).code == 250
        assert talk.reply().code == 250
        server.wait_queue_empty()
        talk.start("ann@far.example", ALICE, BOB)
        faults.set(sync_fails=1)
        assert [send(talk, message("lost")).code, talk.reply().code] == [451, 451]


def test_a_queue_that_is_gone_is_told_to_each(lmtp):
    server = lmtp().start()
    with Talk(server.lmtp_port) as talk:
        hello(talk)
        talk.start("ann@far.example", ALICE, BOB)
        talk.expect("DATA", 354)
        server.kill_role("queue")
        server.wait_event(logs.ROLE_DIED)
        talk.send(message("gone") + b".\r\n")
        assert [talk.reply().code, talk.reply().code] == [451, 451]
        assert talk.ask("NOOP").code == 250


def test_greetings_of_smtp_are_refused(lmtp):
    server = lmtp().start()
    with Talk(server.lmtp_port) as talk:
        assert talk.ask("EHLO a").code == 500
        assert talk.ask("HELO a").code == 500
        assert talk.ask("MAIL FROM:<>").code == 503
        hello(talk)
    with Talk(server.smtp_port) as talk:
        assert talk.ask("LHLO a").code == 500


def test_it_is_no_relay(lmtp):
    server = lmtp("relay for 127.0.0.0/8").start()
    with Talk(server.lmtp_port) as talk:
        hello(talk)
        talk.expect("MAIL FROM:<ann@far.example>", 250)
        assert talk.ask("RCPT TO:<x@far.example>").status == "5.7.1"
        talk.expect(f"RCPT TO:<{ALICE}>", 250)


@pytest.mark.parametrize("how", ["header", "xclient"])
def test_it_is_not_for_strangers(lmtp, how):
    """The test has this host's addresses only, so that a proxy has to make the stranger."""
    server = lmtp("take proxy header from 127.0.0.2", "take xclient from 127.0.0.1",
                  "relay for 192.0.2.0/24").start()
    for client, trusted in (("192.0.2.7", True), ("198.51.100.7", False)):
        if how == "header":
            talk = Talk(server.lmtp_port, greeting=False, source=("127.0.0.2", 0))
            talk.send(f"PROXY TCP4 {client} 192.0.2.1 40000 24\r\n")
            reply = talk.reply()
        else:
            talk = Talk(server.lmtp_port)
            hello(talk)
            reply = talk.ask(f"XCLIENT ADDR={client}")
        assert reply.code == (220 if trusted else 554), reply
        if trusted:
            hello(talk)
        else:
            with pytest.raises(Closed):
                talk.ask("NOOP")
        talk.close()
    assert server.wait_event(logs.REFUSED, client="198.51.100.7", status="5.7.1")


def test_swaks(lmtp):
    server = lmtp().start()
    found = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{server.lmtp_port}", "--protocol", "LMTP", "--from",
         "ann@far.example", "--to", f"{ALICE},{BOB}", "--body", "by swaks"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert found.returncode == 0, found.stdout
    assert found.stdout.count("Ok: queued as") == 2, found.stdout
    assert b"by swaks" in server.wait_mail("alice")[0] and server.wait_mail("bob")


def test_postfix_delivers_by_lmtp(lmtp, postfix):
    server = lmtp().start()
    near = postfix(transport_maps=f"inline:{{home.example=lmtp:inet:127.0.0.1:{server.lmtp_port}}}")
    with Talk(near.port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE, BOB, "nobody@home.example")
        assert talk.data(message("from-postfix")).code == 250
    assert b"with LMTP id" in server.wait_mail("alice")[0] and server.wait_mail("bob")
    assert server.wait_event(logs.ACCEPTED, protocol="LMTP", recipients="2")
    assert server.wait_event(logs.REFUSED, to="nobody@home.example", status="5.1.1")


def test_a_unix_socket(postrider, tmp_path):
    """For programs of this host; owner and mode are as promised, and nothing is left behind."""
    path = tmp_path / "lmtp"
    server = postrider(extra=[f"lmtp socket {path}"]).start()
    assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o666
    assert path.stat().st_uid == os.geteuid()
    with smtplib.LMTP(str(path)) as client:
        refused = client.sendmail("ann@far.example", ["alice@home.example", "nobody@home.example", "bob@home.example"],
                                  message("by a file"))
        # There is one more, since two were accepted: smtplib reads but the first.
        assert client.getreply()[0] == 250
    assert list(refused) == ["nobody@home.example"] and refused["nobody@home.example"][0] == 550
    [text] = server.wait_mail("alice")
    assert b"with LMTP" in text and b"[127.0.0.1]" in text and server.wait_mail("bob")
    # Nobody relays over it, and a new process of reception takes it over.
    with smtplib.LMTP(str(path)) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("ann@far.example", ["x@far.example"], message("no"))
    server.kill_role("reception")
    until(lambda: answers(path), "reception is there again")
    server.stop()
    assert not path.exists()


def answers(path):
    try:
        with smtplib.LMTP(str(path), timeout=5) as client:
            return client.ehlo()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False
