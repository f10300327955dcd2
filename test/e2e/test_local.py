"""Mail into mailboxes that another program keeps, by LMTP; and routes by LMTP."""
import re

import pytest

import logs
from conftest import makes
from dovecot import DovecotLmtp
from peers import DROP
from server import HOSTNAME
from talk import Talk, message, queue_id
from waiting import until

ALICE, BOB = "alice@home.example", "bob@home.example"
dovecot = makes(DovecotLmtp)


def send(server, *to, sender="ann@far.example", body=None, subject="lmtp", mail="", rcpt=""):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{sender}>{mail}", 250)
        for address in to:
            talk.expect(f"RCPT TO:<{address}>{rcpt}", 250)
        reply = talk.data(body or message(subject))
        assert reply.code == 250, reply
        return queue_id(reply)


def wait_taken(peer, *addresses):
    """All of one message."""
    until(lambda: any(m["taken"] == list(addresses) for m in peer.messages),
          lambda: f"{addresses} at the sink: {peer.messages}")


@pytest.mark.parametrize("way", ["socket", "port"])
def test_into_a_real_dovecot(postrider, dovecot, way):
    peer = dovecot([ALICE, BOB])
    server = postrider(lmtp=peer.socket if way == "socket" else f"127.0.0.1:{peer.port}",
                       mailboxes={ALICE: "alice", BOB: BOB, "info@home.example": "bob",
                                  "gone@home.example": "gone"}).start()
    send(server, ALICE, "bob+lists@home.example", "info@home.example", subject="to some")
    id = send(server, ALICE, "gone@home.example", sender=BOB, subject="to one of two")
    until(lambda: len(peer.messages(ALICE)) == 2 and len(peer.messages(BOB)) == 2,
          lambda: f"mail at Dovecot: {peer.log()}\n{server.log_tail()}")
    assert len(peer.messages(BOB, ".lists")) == 1, "the detail has come along"
    delivered = server.wait_event("delivered", 4)
    assert {event["status"] for event in delivered} <= {"2.0.0", "2.1.5"}
    bounced = server.wait_event("bounced", to="gone@home.example", code="550")
    assert bounced[0]["id"] == id and "doesn't exist" in bounced[0]["text"]
    bounce = next(text for text in peer.messages(BOB) if b"gone@home.example" in text)
    assert b"Action: failed" in bounce and b"Status: 5.1.1" in bounce
    assert bounce.count(b"Final-Recipient:") == 1
    server.wait_queue_empty()


def test_one_of_two_is_over_quota(postrider, dovecot):
    peer = dovecot([ALICE, BOB], quota="20k")
    server = postrider(lmtp=peer.socket, mailboxes={ALICE: "alice", BOB: "bob"}).start()
    big = message("big", body=("y" * 70 + "\r\n") * 200)
    send(server, ALICE, sender="ann@far.example", body=big)
    until(lambda: len(peer.messages(ALICE)) == 1, lambda: server.log_tail() + peer.log())
    id = send(server, ALICE, BOB, sender=BOB, body=big)
    event = server.wait_event("bounced", to=ALICE)[0]
    assert event["id"] == id and "uota" in event["text"]
    until(lambda: len(peer.messages(BOB)) >= 1, server.log_tail)
    assert server.wait_event("delivered", to=BOB)


def test_the_dialogue(postrider, sink):
    peer = sink(lmtp=True)
    server = postrider(lmtp=f"127.0.0.1:{peer.port}").start()
    send(server, ALICE, BOB)
    wait_taken(peer, ALICE, BOB)
    assert f"LHLO {HOSTNAME}" in peer.commands and not any("EHLO" in c for c in peer.commands)
    assert [e["to"] for e in server.wait_event("delivered", 2)] == [ALICE, BOB]
    send(server, ALICE)
    peer.wait_messages(2)
    assert peer.sessions == 1, "the connection is kept"
    server.wait_queue_empty()


def test_each_recipient_has_its_own_end(postrider, sink):
    peer = sink(lmtp=True)
    peer.rcpt_replies["carl@home.example"] = "550 5.1.1 No carl"
    peer.verdicts = {BOB: ["452 4.2.2 Full", "452 4.2.2 Full"], "dora@home.example": "552 5.2.2 Never"}
    server = postrider(lmtp=f"127.0.0.1:{peer.port}", mailboxes={
        a: a.split("@")[0] for a in (ALICE, BOB, "carl@home.example", "dora@home.example")}).start()
    send(server, ALICE, BOB, "carl@home.example", "dora@home.example", sender="")
    assert [e["to"] for e in server.wait_event("delivered", 2)] == [ALICE, BOB]
    assert {(e["to"], e["code"]) for e in server.wait_event("bounced", 2)} == {
        ("carl@home.example", "550"), ("dora@home.example", "552")}
    assert len(server.wait_event("deferred", 2, to=BOB, code="452")) == 2
    assert [m["rcpts"] for m in peer.messages][1:] == [[BOB], [BOB]]
    assert not logs.select(server.events(), "in_doubt")
    server.wait_event("bounce_dropped", 1)
    server.wait_queue_empty()


@pytest.mark.parametrize("step", ["banner", "ehlo", "mail", "rcpt", "data"])
def test_cut_before_the_message_is_over(postrider, sink, step):
    peer = sink(lmtp=True)
    peer.script[step] = [DROP]
    server = postrider(lmtp=f"127.0.0.1:{peer.port}").start()
    send(server, ALICE, BOB)
    server.wait_event("delivered", 2)
    assert sorted(a for m in peer.messages for a in m["taken"]) == [ALICE, BOB]
    assert not logs.select(server.events(), "in_doubt")
    server.wait_queue_empty()


@pytest.mark.parametrize("verdicts", [0, 1, 2])
def test_cut_between_the_verdicts(postrider, sink, verdicts):
    people = [ALICE, BOB, "carl@home.example"]
    peer = sink(lmtp=True)
    peer.verdicts[people[verdicts]] = [DROP]
    server = postrider(lmtp=f"127.0.0.1:{peer.port}",
                       mailboxes={a: a.split("@")[0] for a in people}).start()
    id = send(server, *people)
    server.wait_event("delivered", 3)
    again = [address for m in peer.messages[1:] for address in m["rcpts"]]
    assert sorted(again) == people[verdicts:], "who has it does not get it again"
    assert len(logs.select(server.events(), "in_doubt", id=id)) == 1
    assert {e["to"] for e in logs.select(server.events(), "deferred")} == set(people[verdicts:])
    server.wait_queue_empty()
    shown = server.run("trace", id).stdout.decode()
    assert "LHLO" in shown


def test_a_socket_that_is_not_there(postrider, sink):
    server = postrider()
    server.lmtp = server.directory / "lmtp"
    server.start()
    id = send(server, ALICE)
    event = server.wait_event("deferred", to=ALICE)[0]
    assert event["status"] == "4.4.1" and "cannot connect" in event["text"]
    sink(lmtp=True, path=server.lmtp)
    assert server.wait_event("delivered", to=ALICE, host=str(server.lmtp))[0]["id"] == id


def test_no_lmtp_there(postrider, sink):
    peer = sink()
    server = postrider(lmtp=f"127.0.0.1:{peer.port}").start()
    send(server, ALICE, sender="")
    event = server.wait_event("bounced", to=ALICE)[0]
    assert event["code"] == "500" and not peer.messages


def test_routes_by_lmtp(postrider, sink):
    tcp, unix = sink(lmtp=True), None
    server = postrider(extra=["relay for 127.0.0.0/8"])
    unix = sink(lmtp=True, path=server.directory / "far")
    server.routes = [f"send mail for joe@far.example by lmtp {server.directory}/far",
                     f"send mail for far.example by lmtp 127.0.0.1:{tcp.port}"]
    server.start()
    send(server, "joe@far.example", "jim@far.example", sender=ALICE, mail=" RET=HDRS",
         rcpt=" NOTIFY=SUCCESS")
    wait_taken(unix, "joe@far.example")
    wait_taken(tcp, "jim@far.example")
    for to in ("joe@far.example", "jim@far.example"):
        server.wait_event("delivered", to=to)
    until(lambda: re.findall(rb"Action: (\S+)", b"".join(server.maildir("alice")))
          == [b"delivered"] * 2, server.log_tail)
    server.wait_queue_empty()


def test_after_a_restart_mail_goes_where_mailboxes_are_now(postrider, sink):
    server = postrider(extra=["hold all mail"]).start()
    send(server, ALICE)
    server.stop()
    peer = sink(lmtp=True)
    # Nothing holds it any more: it goes by itself.
    server.lmtp, server.extra = f"127.0.0.1:{peer.port}", []
    server.start()
    wait_taken(peer, ALICE)


def test_a_reload_brings_it(postrider, sink):
    server = postrider().start()
    peer = sink(lmtp=True, path=server.directory / "lmtp")
    server.lmtp = server.directory / "lmtp"
    server.write_files()
    assert "config_replaced" in server.reload()
    send(server, ALICE)
    wait_taken(peer, ALICE)


def test_what_is_discarded(postrider, sink):
    server = postrider(extra=["relay for 127.0.0.0/8"],
                       aliases={"many@home.example": "alice, joe@void.example"}, routes=[
        "discard mail for noreply@home.example, void.example, .void.example"]).start()
    id = send(server, "noreply@home.example", "x@void.example", "y@a.void.example",
              "many@home.example", sender=BOB, rcpt=" NOTIFY=SUCCESS,FAILURE")
    gone = server.wait_event("discarded", 4)
    assert {e["to"] for e in gone} == {"noreply@home.example", "x@void.example",
                                       "y@a.void.example", "joe@void.example"}
    assert {e["text"] for e in gone} == {"discarded by rule"}
    server.wait_mail("alice")
    server.wait_queue_empty()
    told = server.wait_mail("bob")
    assert b"void.example" not in told[0] and b"Action: expanded" in told[0]
    shown = server.run("ledger", "show", id).stdout.decode()
    assert shown.count("discarded") >= 4, shown


def test_what_is_refused(postrider):
    server = postrider(aliases={"old@home.example": "joe@gone.example"}, routes=[
        'refuse mail for gone.example, eve@home.example with 550 5.1.6 "We are new.example now"'],
        extra=["relay for 127.0.0.2/32"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start(BOB)
        reply = talk.ask("RCPT TO:<eve@home.example>")
        assert (reply.code, reply.status) == (550, "5.1.6") and "new.example" in reply.text
        assert talk.ask("RCPT TO:<x@gone.example>").status == "5.7.1", "strangers may not relay"
        talk.expect("RCPT TO:<old@home.example>", 250)
        assert talk.data(message()).code == 250
    with Talk(server.smtp_port, source=("127.0.0.2", 0)) as talk:
        talk.ehlo()
        talk.start(BOB)
        assert talk.ask("RCPT TO:<x@gone.example>").status == "5.1.6"
    event = server.wait_event("bounced", to="joe@gone.example")[0]
    assert (event["code"], event["status"]) == ("550", "5.1.6")
    assert b"We are new.example now" in server.wait_mail("bob")[0]


def fallback(server, peer, *lines):
    server.extra = ["relay for 127.0.0.0/8", f"fall back to 127.0.0.1:{peer.port} with tls never",
                    *lines]
    return server.start()


@pytest.mark.parametrize("domain", ["127.0.0.91", "nowhere.example"])
def test_the_fallback_has_what_nobody_answers_for(postrider, sink, domain):
    """Nobody listens at the address; and the name server of these tests does not answer."""
    peer = sink()
    server = fallback(postrider(), peer)
    address = f"joe@[{domain}]" if domain[0].isdigit() else f"joe@{domain}"
    id = send(server, address)
    assert peer.wait_messages()[0]["rcpts"] == [address]
    event = server.wait_event("fell_back", id=id)[0]
    assert event["to"] == "127.0.0.1"
    assert server.wait_event("relayed", id=id)[0]["host"].startswith("127.0.0.1[")
    server.wait_queue_empty()


def test_the_fallback_is_for_silence_only(postrider, sink, port_25):
    peer, far = sink(), sink(port=25, host="127.0.0.9")
    server = fallback(postrider(), peer)
    far.script["banner"] = ["421 4.3.2 Later"]
    far.script["rcpt"] = ["550 5.1.1 Nobody"]
    send(server, "joe@[127.0.0.9]", sender="")
    server.wait_event("deferred", code="421")
    server.wait_event("bounced", code="550")
    server.routes = ["send mail for far.example through 127.0.0.8:25"]
    server.stop()
    server.start()
    send(server, "joe@far.example", sender="")
    server.wait_event("deferred", to="joe@far.example", status="4.4.1")
    assert not peer.messages and not logs.select(server.events(), "fell_back")


def test_the_fallback_may_be_away_too(postrider, sink):
    peer = sink()
    server = fallback(postrider(), peer)
    peer.always["mail"] = "450 4.3.0 Not now"
    id = send(server, "joe@[127.0.0.92]")
    server.wait_event("deferred", 2, to="joe@[127.0.0.92]", code="450")
    peer.always.clear()
    server.wait_event("relayed", id=id)
    assert len(peer.messages) == 1


IDN = "joe@b\u00fccher.example"


def lacking(postrider, peer, *extensions):
    for word in extensions:
        peer.extensions.remove(word)
    return postrider(extra=["relay for 127.0.0.0/8"], routes=[
        f"send mail through 127.0.0.1:{peer.port} with tls never"]).start()


def test_mail_that_needs_no_smtputf8_goes_without(postrider, sink):
    peer = sink()
    server = lacking(postrider, peer, "SMTPUTF8")
    send(server, IDN, "jim@far.example", sender="ann@b\u00fccher.example", mail=" SMTPUTF8")
    messages = until(lambda: sum(len(m["rcpts"]) for m in peer.messages) == 2 and peer.messages,
                     server.log_tail)
    assert {a for m in messages for a in m["rcpts"]} == {"joe@xn--bcher-kva.example",
                                                        "jim@far.example"}
    assert all("<ann@xn--bcher-kva.example>" in m["mail"] and "SMTPUTF8" not in m["mail"]
               for m in messages)
    assert {e["to"] for e in server.wait_event("relayed", 2)} == {IDN, "jim@far.example"}


@pytest.mark.parametrize("what", ["recipient", "sender", "header"])
def test_mail_that_needs_smtputf8_comes_back(postrider, sink, what):
    peer = sink()
    server = lacking(postrider, peer, "SMTPUTF8")
    send(server, "j\u00f6@far.example" if what == "recipient" else IDN,
         sender="\u00e4nn@far.example" if what == "sender" else BOB, mail=" SMTPUTF8",
         body=message("x", subject="gr\u00fcn" if what == "header" else "A test"))
    event = server.wait_event("bounced")[0]
    assert event["status"] == "5.6.7" and "SMTPUTF8" in event["text"]
    if what != "sender":
        assert b"Status: 5.6.7" in server.wait_mail("bob")[0]
    assert not peer.messages
