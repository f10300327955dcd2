"""Exim as the server that we deliver to; how it delivers to us is in test_peers.py."""
import email
import email.policy
import hashlib

import logs
from talk import Talk, message, submit

ALICE, BOB, ANN = "alice@home.example", "bob@home.example", "ann@far.example"


def pair(postrider, exim, certificate=None, more="", **options):
    """(us, an Exim that we send mail for far.example through)"""
    server = postrider(extra=["relay for 127.0.0.0/8"], **options)
    far = exim(("127.0.0.1", server.smtp_port), certificate, hosts_avoid_tls="*")
    server.routes = [f"send mail for far.example through 127.0.0.1:{far.port} {more}"]
    return server.start(), far


def test_all_arrives_under_tls_to_the_octet(postrider, exim, certificate):
    server, far = pair(postrider, exim, certificate, "with tls required")
    lines = [hashlib.sha256(str(n).encode()).hexdigest() + "." * (n % 50) for n in range(30000)]
    large = message("large", body="\r\n".join([*lines, ".", "..", "", ".leading", "ümlaut", ""]))
    found = submit(server.smtp_port, ALICE, [ANN, "eve@far.example"], large)
    relayed = server.wait_event(logs.RELAYED, 2, id=found)
    assert {event["to"] for event in relayed} == {ANN, "eve@far.example"}
    assert all(event["tls"].startswith("TLSv1.3 ") for event in relayed), relayed
    [raw] = set(far.wait_mail(1))
    assert raw.startswith(b"Return-path: <alice@home.example>\n")
    assert raw.endswith(large.replace(b"\r\n", b"\n")), "it is not what was sent"
    assert b"with esmtps  (TLS1.3)" in raw
    # One after the other on one connection.
    for number in range(10):
        server.wait_event(logs.RELAYED, id=submit(server.smtp_port, ALICE, ANN, message(f"next{number}")))
    far.wait_mail(11)
    server.wait_queue_empty()
    assert not logs.select(server.events(), "reconnect")


def test_it_refuses_and_our_sender_is_told(postrider, exim):
    server, far = pair(postrider, exim, retry="1 h")
    submit(server.smtp_port, ALICE, ["nobody@far.example", ANN, "later@far.example"], message("refused"))
    bounce = email.message_from_bytes(server.wait_mail("alice")[0], policy=email.policy.default)
    status = bounce.get_payload()[1].get_payload()
    assert len(status) == 2 and status[1]["Final-Recipient"] == "rfc822; nobody@far.example"
    assert "550 Nobody of that name" in status[1]["Diagnostic-Code"]
    assert server.wait_event(logs.DEFERRED, to="later@far.example")[0]["code"] == "451"
    assert len(far.wait_mail(1)) == 1


def test_what_was_asked_for_is_passed_on_and_it_tells(postrider, exim):
    server, far = pair(postrider, exim)
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{BOB}> RET=HDRS ENVID=QQ7", 250)
        talk.expect(f"RCPT TO:<{ANN}> NOTIFY=SUCCESS ORCPT=rfc822;Ann+2BX@far.example", 250)
        assert talk.data(message("dsn")).code == 250
    far.wait_mail(1)
    told = server.wait_mail("bob")[0]
    assert b"Original-Envelope-ID: QQ7" in told or b"Original-Envelope-Id: QQ7" in told, told.decode()
    assert b"Action: delivered" in told and b"peer.far.example" in told
    server.wait_queue_empty()
    assert len(server.maildir("bob")) == 1, "we told as well"


def test_addresses_beyond_ascii(postrider, exim):
    server, far = pair(postrider, exim)
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect("MAIL FROM:<ännchen@home.example> SMTPUTF8 BODY=8BITMIME", 250)
        talk.expect("RCPT TO:<jörg@far.example>", 250)
        assert talk.data(message("utf8", subject="Grüße", body="ümlaut\r\n")).code == 250
    raw = far.wait_mail(1)[0]
    assert "Subject: Grüße\n".encode() in raw and raw.endswith("\nümlaut\n".encode())
    assert "Return-path: <ännchen@home.example>\n".encode() in raw
    assert b"with utf8esmtp" in raw
