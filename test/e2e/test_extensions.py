"""
What the operator may open: VRFY, EXPN, ETRN, XCLIENT, and a host that takes no mail; and HELP.
"""
import base64
import re
import subprocess

import pytest

import logs
from server import PASSWORD, settle
from talk import Closed, Talk, message, queue_id, submit
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


def test_solicitations_of_some_classes_are_refused(postrider):
    server = postrider(extra=['refuse solicitations of "org.example:ADV,net.example:x"']).start()
    with Talk(server.smtp_port) as talk:
        assert talk.ehlo()["NO-SOLICITING"] == "org.example:ADV,net.example:x"
        for classes in ("net.example:X", "a.b:c,org.example:adv"):
            reply = talk.ask(f"MAIL FROM:<ann@far.example> SOLICIT={classes}")
            assert reply.code == 550 and reply.status == "5.7.1", reply
            assert reply.text.endswith("(HELP solicitation)")
        talk.expect("MAIL FROM:<ann@far.example> SOLICIT=org.example:other", 250)


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


def test_etrn_has_a_destination_tried_that_is_down(postrider, sink):
    far = sink()
    far.stop()
    server = postrider(extra=[LOCAL, "offer etrn"], retry="1 h",
                       routes=[f"send mail for far.example through 127.0.0.1:{far.port}"]).start()
    found = submit(server.smtp_port, "alice@home.example", "ann@far.example", message("etrn"))
    server.wait_event(logs.DEFERRED, id=found)
    # New mail waits for the destination, which is down; what was tried waits for its own time.
    waits = submit(server.smtp_port, "alice@home.example", "bob@far.example", message("waits"))
    again = sink("127.0.0.1", far.port)
    settle(0.3)
    assert again.sessions == 0
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        assert talk.ask("ETRN far.example").code == 250
    server.wait_event(logs.RELAYED, id=waits)
    assert server.queue_ids() == [found]


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


XCLIENT = "take xclient from 127.0.0.1"


def speak_for(server, client, **options):
    """A session for that client; gives it with the reply to XCLIENT."""
    talk = Talk(server.smtp_port, **options)
    talk.ehlo()
    return talk, talk.ask(f"XCLIENT NAME=[UNAVAILABLE] ADDR={client}")


def test_xclient_tells_the_client_everywhere(postrider):
    server = postrider(extra=[XCLIENT]).start()
    for client in ("192.0.2.7", "IPV6:2001:db8::7"):
        talk, reply = speak_for(server, client)
        with talk:
            assert reply.code == 220
            talk.ehlo("client.example")
            talk.start("ann@far.example", "alice@home.example")
            queue_id(talk.data(message(client)))
            assert talk.ask("FOO").code == 500
    received = b"".join(server.wait_mail("alice", 2))
    assert b"[192.0.2.7]" in received and b"[IPv6:2001:db8::7]" in received
    assert b"127.0.0.1" not in received
    for client in ("192.0.2.7", "2001:db8::7"):
        assert server.wait_event("speaks_for", address=client, by="xclient")
        assert server.wait_event(logs.ACCEPTED, client=client)
        assert server.wait_event(logs.REFUSED, client=client, code="500")


def test_limits_are_those_of_xclients_client(postrider):
    server = postrider(extra=[XCLIENT, "limits { sessions per host 1 }"]).start()
    first, reply = speak_for(server, "192.0.2.7")
    assert reply.code == 220
    second, reply = speak_for(server, "192.0.2.7")
    assert reply.code == 421 and "192.0.2.7" in reply.text
    with pytest.raises(Closed):
        second.ask("NOOP")
    third, reply = speak_for(server, "192.0.2.8")
    assert reply.code == 220, "the proxy itself has no limit"
    first.close()
    server.wait_event("disconnected", client="192.0.2.7")
    again, reply = speak_for(server, "192.0.2.7")
    assert reply.code == 220
    for talk in (second, third, again):
        talk.close()


def test_xclient_is_over_once_the_client_may_speak(postrider):
    """A proxy passes the client's own commands on: they must not change who it is."""
    server = postrider(extra=[LOCAL, XCLIENT]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect("XCLIENT ADDR=192.0.2.7", 220)
        talk.expect("XCLIENT HELO=client.example PROTO=ESMTP", 220)
        assert "XCLIENT" not in talk.ehlo()
        reply = talk.ask("XCLIENT ADDR=127.0.0.1 LOGIN=alice")
        assert reply.code == 550 and reply.status == "5.7.0"
        talk.expect("MAIL FROM:<ann@far.example>", 250)
        assert talk.ask("RCPT TO:<x@far.example>").status == "5.7.1"
        assert talk.ask("XCLIENT ADDR=127.0.0.1").code == 503


def test_an_address_that_is_not_told_is_worth_nothing(postrider):
    server = postrider(extra=[LOCAL, XCLIENT]).start()
    for attributes in ("ADDR=[UNAVAILABLE]", "NAME=a.example"):
        with Talk(server.smtp_port) as talk:
            talk.ehlo()
            talk.expect(f"XCLIENT {attributes}", 220)
            talk.ehlo()
            talk.expect("MAIL FROM:<ann@far.example>", 250)
            assert talk.ask("RCPT TO:<x@far.example>").status == "5.7.1"


@pytest.mark.parametrize("attributes", ["ADDR=192.0.2", "ADDR", "FOO=1", "LOGIN=+0A", "PORT=99999"])
def test_xclient_that_is_written_wrong(postrider, attributes):
    server = postrider(extra=[XCLIENT]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        assert talk.ask(f"XCLIENT {attributes}").code == 501


def test_swaks_says_xclient(postrider):
    server = postrider(extra=[XCLIENT]).start()
    run = ["swaks", "--server", f"127.0.0.1:{server.smtp_port}", "--from", "alice@home.example",
           "--to", "x@far.example", "--xclient-addr", "192.0.2.7", "--xclient-port", "4711",
           "--xclient-name", "client.example", "--xclient-helo", "client.example"]
    found = subprocess.run(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert found.returncode == 24 and "550 5.7.1" in found.stdout, found.stdout
    found = subprocess.run([*run, "--xclient-delim", "--xclient-login", "alice"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert found.returncode == 0 and "queued as" in found.stdout, found.stdout
    assert server.wait_event(logs.ACCEPTED, client="192.0.2.7", login="alice")


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


def test_refusals_are_explained(server):
    """Each ends with a topic that HELP knows; 214 gives what it means."""
    with Talk(server.smtp_port) as talk:
        topics = re.search(r"Topics: (.*)", talk.ask("HELP").text)[1].split()
        assert "relay" in topics
        talk.ehlo()
        for command in ("FOO", "DATA", "MAIL FROM:<a b>", "MAIL FROM:<a@b.example> FOO=1",
                        "HELP foo", "XCLIENT ADDR=192.0.2.1"):
            reply = talk.ask(command)
            assert reply.code >= 500 and reply.text.endswith(")"), reply
            topic = re.search(r"\(HELP (\w+)\)$", reply.text)[1]
            assert topic in topics
            assert talk.ask(f"HELP {topic}").code == 214
        talk.expect("MAIL FROM:<a@b.example>", 250)
        reply = talk.ask("RCPT TO:<x@far.example>")
        assert reply.text.endswith("(HELP relay)")
        # Within a transaction too, which goes on.
        assert "The server does not pass mail on." in talk.ask("HELP RELAY").text
        # So do codes, by what the catalogue says of them.
        assert "Neither yes nor no." in talk.expect("HELP 252", 214).text
        assert "5.7.1 " in talk.expect("HELP 5.7.1", 214).text
        assert "5xx " in talk.expect("HELP 599", 214).text
        talk.expect("RCPT TO:<alice@home.example>", 250)
