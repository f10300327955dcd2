"""Postfix on both ends: the server that we deliver to, and the one that delivers to us."""
import email
import email.policy
import json

import pytest

import logs
from talk import Talk, message, submit

ALICE = "alice@home.example"
RELAY = ["relay for 127.0.0.0/8"]


def test_we_deliver_to_postfix_by_mx(postrider, postfix, dns, port_25, certificate):
    far = postfix(certificate, host="127.0.0.2", port=port_25)
    server = postrider(extra=RELAY, dns_port=dns().port).start()
    content = message("to-postfix", body=".dot\r\nümlaut\r\n")
    found = submit(server.smtp_port, ALICE, ["ann@far.example", "eve@far.example"], content)
    for delivered in far.wait_mail(2):
        assert delivered.endswith(content.replace(b"\r\n", b"\n"))
        assert b"Return-Path: <alice@home.example>" in delivered
        assert b"ESMTPS id" in delivered and b"TLSv1.3" in delivered, "not under TLS"
    events = server.wait_event(logs.RELAYED, 2, id=found)
    assert {e["to"] for e in events} == {"ann@far.example", "eve@far.example"}
    server.wait_queue_empty()


def test_we_deliver_to_postfix_as_a_smart_host(postrider, postfix):
    far = postfix()
    server = postrider(extra=RELAY, routes=[f"send mail through 127.0.0.1:{far.port}"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        for number in range(30):
            talk.start(ALICE, f"user{number}@far.example")
            assert talk.data(message(f"hop{number}")).code == 250
    assert len(far.wait_mail(30)) == 30
    server.wait_queue_empty()


@pytest.mark.parametrize("chunks", ["yes", "no"])
def test_a_message_goes_by_chunks_where_they_are_offered(postrider, postfix, chunks):
    far = postfix()
    server = postrider(routes=[f"send mail through 127.0.0.1:{far.port}"], extra=[
        *RELAY, f"delivery {{ slow attempt 1 ms; send chunks {chunks} }}"]).start()
    content = message("chunks", body=".\r\n..dots\r\n" + "x" * 70 + "\r\n" + (".y" * 35 + "\r\n") * 9000)
    found = submit(server.smtp_port, ALICE, "ann@far.example", content)
    [delivered] = far.wait_mail(1)
    assert delivered.endswith(content.replace(b"\r\n", b"\n"))
    server.wait_event("relayed", id=found)
    [attempt] = json.loads(server.run("trace", found, "--json").stdout)["attempts"]
    said = [step["text"] for step in attempt["steps"] if step["kind"] == "sent"]
    assert ("DATA" in said) == (chunks == "no"), said
    assert any(line.startswith("BDAT") and line.endswith(" LAST") for line in said) == (chunks == "yes"), said


def test_postfix_refuses_and_our_sender_is_told(postrider, postfix):
    far = postfix()
    server = postrider(extra=RELAY, routes=[f"send mail through 127.0.0.1:{far.port}"]).start()
    submit(server.smtp_port, ALICE, ["nobody@far.example", "ann@far.example", "later@far.example"],
           message("refused"))
    bounce = email.message_from_bytes(server.wait_mail("alice")[0], policy=email.policy.default)
    status = bounce.get_payload()[1].get_payload()
    assert status[1]["Status"] == "5.1.1" and "Nobody of that name" in status[1]["Diagnostic-Code"]
    assert len(far.wait_mail(1)) == 1
    deferred = server.wait_event(logs.DEFERRED, to="later@far.example")[0]
    assert deferred["code"] == "450"


def test_postfix_delivers_to_us(postrider, postfix):
    server = postrider().start()
    near = postfix(next_hop=("127.0.0.1", server.smtp_port))
    content = message("from-postfix", body="One.\r\n.\r\nTwo: ümlaut\r\n".replace("\r\n.\r\n", "\r\n..\r\n"))
    with Talk(near.port) as talk:
        talk.ehlo()
        for number in range(10):
            talk.start("ann@client.example", ALICE)
            assert talk.data(content).code == 250
    found = server.wait_mail("alice", 10)
    for delivered in found:
        assert delivered.endswith(content.replace(b"\r\n", b"\n"))
    head = found[0].decode().split("\n\n")[0]
    assert "with ESMTPS" in head, "Postfix uses STARTTLS where it is offered"


def test_postfix_hears_of_unknown_recipients(postrider, postfix):
    server = postrider().start()
    near = postfix(next_hop=("127.0.0.1", server.smtp_port))
    submit(near.port, ALICE, "nosuch@home.example", message("unknown"))
    bounce = server.wait_mail("alice")[0]
    assert b"5.1.1" in bounce and b"nosuch@home.example" in bounce


def test_round_trip_through_postfix(postrider, postfix):
    """Us, Postfix, and us again: the alias at our side leads out, Postfix sends it back."""
    server = postrider(extra=RELAY)
    near = postfix(next_hop=("127.0.0.1", server.smtp_port))
    server.routes = [f"send mail for far.example through 127.0.0.1:{near.port}"]
    server.start()
    submit(server.smtp_port, ALICE, "ann@far.example", message("there"))
    near.wait_mail(1)
    submit(near.port, "ann@far.example", "bob@home.example", message("and-back"))
    assert b"X-Token: and-back" in server.wait_mail("bob")[0]
