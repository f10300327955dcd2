"""
Other servers that say and do what no server should: the mail waits, or goes, and never comes twice but
where nobody can know.
"""
import pytest

import logs
from peers import Endless, Pieces
from server import settle
from talk import message, submit

ALICE = "alice@home.example"
BARE = {"banner": b"220\r\n", "ehlo": b"250\r\n", "mail": b"250\r\n", "rcpt": b"250\r\n",
        "data": b"354\r\n", "dot": b"250\r\n"}
NOT_TLS = b"\x16\x03\x03\x00\x40" + b"\x5a" * 64  # a record of a handshake, with none in it

# What comes instead of the replies, always or the first time; whether the mail has to wait for it.
STRANGE = {
    "without-text": ({}, BARE, False),
    "with-nuls": ({}, {stage: bytes(b"%.3s o\0k\0\r\n" % reply) for stage, reply in BARE.items()}, False),
    "bare-lf": ({}, {stage: bytes(b"%.3s ok\n" % reply) for stage, reply in BARE.items()}, False),
    "endless-banner": ({"banner": [Endless(b"220-x\r\n")]}, {}, True),
    "endless-line": ({"banner": [Endless(b"x")]}, {}, True),
    "endless-offers": ({"ehlo": [Endless(b"250-SIZE 1000\r\n")]}, {}, True),
    "endless-reply": ({"rcpt": [Endless(b"250-x\r\n")]}, {}, True),
    "nuls-only": ({"mail": [Endless(b"\0")]}, {}, True),
    "two-codes": ({"rcpt": [b"250-a\r\n550 b\r\n"]}, {}, True),
    "cut-reply": ({"rcpt": [Pieces(b"250 2.1.", pause=0)]}, {}, True),
    "all-said-at-once": ({"mail": [b"250 a\r\n250 b\r\n354 go\r\n250 taken\r\n"]}, {}, True),
    "a-byte-at-a-time": ({"data": [Pieces(*[b"3"] * 60, pause=0.2)]}, {}, True),
    "garbage-at-the-end": ({"dot": [b"what?\r\n"]}, {}, True),
    "cut-at-the-end": ({"dot": [Pieces(b"250 2.0.0 Tak", pause=0)]}, {}, True),
}
WHY = {"garbage": "the peer sent a message out of order", "closed": "the connection ended within the handshake",
       "text": "does not speak TLS here"}


def test_strange_replies(postrider, sink):
    sinks = {}
    for name, (script, always, _) in STRANGE.items():
        sinks[name] = sink()
        sinks[name].script, sinks[name].always = dict(script), dict(always)
    server = postrider(
        extra=["relay for 127.0.0.0/8", "delivery { reply timeout 2 s }"],
        routes=[f"send mail for {name}.example through 127.0.0.1:{far.port} with tls never"
                for name, far in sinks.items()]).start()
    ids = {name: submit(server.smtp_port, ALICE, f"ann@{name}.example", message(name)) for name in sinks}
    for far in sinks.values():
        far.wait_messages()
    server.wait_queue_empty()
    settle(0.3)  # for what might come twice
    events = server.events()
    for name, (_, _, waits) in STRANGE.items():
        of_it = logs.of_message(events, ids[name])
        assert [e["event"] for e in of_it if e["event"] in logs.FINAL] == [logs.RELAYED], name
        assert not waits or any(e["event"] == logs.DEFERRED for e in of_it), name
        assert len(sinks[name].messages) == 1, name
        assert (name in ("garbage-at-the-end", "cut-at-the-end")) == any(
            e["event"] == "in_doubt" for e in of_it), name
    assert server.maildir("alice") == []


@pytest.mark.parametrize("tls", ["may", "required"])
def test_handshakes_that_are_none(postrider, sink, certificate, tls):
    """What is offered and fails: in the clear where that may be, else not at all."""
    replies = {
        "garbage": Pieces(b"220 go\r\n", NOT_TLS),
        "closed": Pieces(b"220 go\r\n"),
        "text": Pieces(b"220 go\r\n", b"250 who are you?\r\n" * 50),
    }
    sinks = {name: sink(certificate=certificate) for name in replies}
    for name, far in sinks.items():
        far.always["starttls"] = replies[name]
    server = postrider(
        extra=["relay for 127.0.0.0/8"],
        routes=[f"send mail for {name}.example through 127.0.0.1:{far.port} with tls {tls}"
                for name, far in sinks.items()]).start()
    ids = {name: submit(server.smtp_port, ALICE, f"ann@{name}.example", message(name)) for name in sinks}
    for name, far in sinks.items():
        if tls == "may":
            assert not far.wait_messages()[0]["tls"]
        else:
            found = server.wait_event(logs.DEFERRED, id=ids[name])
            assert found[0]["status"] == "4.7.5" and WHY[name] in found[0]["text"], found
            assert far.messages == []
    if tls == "may":
        server.wait_queue_empty()
        assert [len(far.messages) for far in sinks.values()] == [1, 1, 1]


def test_words_before_the_handshake(postrider, sink, certificate):
    """What somebody in the middle puts between the 220 and the handshake is never part of the session."""
    far = sink(certificate=certificate)
    far.script["starttls"] = [b"220 go\r\n250-mail.far.example\r\n250 AUTH PLAIN\r\n"]
    server = postrider(extra=["relay for 127.0.0.0/8"],
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls may"]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("injected"))
    server.wait_event(logs.DEFERRED, id=found)
    assert far.wait_messages()[0]["tls"], "it went in the clear"
    server.wait_queue_empty()
    assert len(far.messages) == 1
