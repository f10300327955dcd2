"""What the operator may open: VRFY, EXPN, ETRN, XCLIENT, and a host that takes no mail."""
import base64

import pytest

from server import PASSWORD
from talk import Closed, Talk
from waiting import until

LOCAL = "relay for 127.0.0.1"


def test_strangers_are_told_nothing(server):
    with Talk(server.smtp_port) as talk:
        words = talk.ehlo()
        assert not {"VRFY", "EXPN", "ETRN", "XCLIENT"} & set(words)
        said = {repr(talk.ask(f"{verb} {who}")) for verb in ("VRFY", "EXPN")
                for who in ("alice", "nobody", "<alice@home.example>", "list@home.example")}
        assert len(said) == 1 and said.pop().startswith("252 2.5.0 ")
        assert talk.ask("ETRN far.example").code == 502
        assert talk.ask("XCLIENT ADDR=192.0.2.1").code == 550


@pytest.fixture
def opened(postrider):
    return postrider(
        extra=[LOCAL, "answer vrfy", "answer expn", "offer etrn", "offer no soliciting"],
        aliases={"list@home.example": "alice, bob", "away@home.example": "x@far.example"}).start()


def test_who_may_relay_gets_answers(opened):
    with Talk(opened.smtp_port) as talk:
        words = talk.ehlo()
        assert {"VRFY", "EXPN", "ETRN", "NO-SOLICITING", "LIMITS"} <= set(words)
        assert words["LIMITS"] == "MAILMAX=100000 RCPTMAX=1000"
        assert repr(talk.ask("VRFY alice")) == "250 2.1.5 <alice@home.example>"
        assert talk.ask("VRFY <away@home.example>").code == 251
        assert talk.ask("VRFY nobody").code == 550
        assert talk.ask("VRFY list").code == 553
        assert talk.ask("VRFY x@far.example").code == 551
        reply = talk.ask("EXPN list")
        assert reply.code == 250 and len(reply.lines) == 2, reply
        assert talk.ask("ETRN far.example").code == 250
        assert talk.ask("ETRN #queue").code == 501


def test_nobody_else_does(opened):
    with Talk(opened.smtp_port, source=("127.0.0.2", 0)) as talk:
        assert "VRFY" not in talk.ehlo()
        assert talk.ask("VRFY alice").code == 252
        assert talk.ask("ETRN far.example").code == 459


def test_a_login_does(opened):
    with Talk(opened.submissions_port, tls=True, source=("127.0.0.2", 0)) as talk:
        talk.ehlo()
        assert talk.ask("VRFY alice").code == 252
        secret = base64.b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
        talk.expect("AUTH PLAIN " + secret, 235)
        assert talk.ask("VRFY alice").code == 250
        assert talk.ask("ETRN far.example").code == 250


def test_a_proxy_speaks_for_its_client(postrider):
    server = postrider(extra=[LOCAL, "take xclient from 127.0.0.1"]).start()
    with Talk(server.smtp_port) as talk:
        assert "XCLIENT" in talk.ehlo()
        reply = talk.ask("XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE]")
        assert reply.code == 220
        assert talk.ask("MAIL FROM:<x@far.example>").code == 503, "the session begins anew"
        talk.ehlo()
        talk.expect("MAIL FROM:<x@far.example>", 250)
        assert talk.ask("RCPT TO:<y@far.example>").code == 550, "the client is no relay's"
        talk.expect("RCPT TO:<alice@home.example>", 250)
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        assert talk.ask("XCLIENT ADDR=192.0.2.7 LOGIN=alice").code == 220
        talk.ehlo()
        talk.expect("MAIL FROM:<alice@home.example>", 250)
        talk.expect("RCPT TO:<y@far.example>", 250)


def test_a_host_may_take_no_mail(postrider):
    server = postrider(extra=["accept no mail"]).start(wait=False)

    def connected():
        try:
            return Talk(server.smtp_port)
        except OSError:
            return None

    with until(connected, "the port is open") as talk:
        assert talk.greeting.code == 521 and talk.greeting.status == "5.3.2"
        with pytest.raises(Closed):
            talk.ask("EHLO a")
