"""DANE (RFC 7672): what TLSA records of signed zones demand of the way out, and what they do not."""
import hashlib
import json
import subprocess

import pytest

import logs
from peers import ZONE as ZONE_OF_MANY
from server import settle
from talk import Talk, message, submit
from waiting import same_day

ALICE = "alice@home.example"
RELAY = ["relay for 127.0.0.0/8"]
NOTHING = "0" * 64

# mx.* at 127.0.0.2 have TLS, at 127.0.0.3 they have none.
ZONE = """\
$TTL 60
@            SOA  ns.signed. hostmaster.signed. 1 3600 600 86400 60
@            NS   ns
ns           A    127.0.0.1
good         MX   10 mx.good
mx.good      A    127.0.0.2
_25._tcp.mx.good TLSA 3 1 1 {key}
alias        MX   10 mx.alias
mx.alias     CNAME mx.good
wrong        MX   10 mx.wrong
mx.wrong     A    127.0.0.2
_25._tcp.mx.wrong TLSA 3 1 1 {nothing}
clear        MX   10 mx.clear
mx.clear     A    127.0.0.3
_25._tcp.mx.clear TLSA 3 1 1 {key}
useless      MX   10 mx.useless
mx.useless   A    127.0.0.2
_25._tcp.mx.useless TLSA 1 1 1 {nothing}
useless-clear MX  10 mx.useless-clear
mx.useless-clear A 127.0.0.3
_25._tcp.mx.useless-clear TLSA 1 1 1 {nothing}
none         MX   10 mx.none
mx.none      A    127.0.0.3
second       MX   10 mx.wrong
second       MX   20 mx.good
forged       MX   10 mx.forged
mx.forged    A    127.0.0.2
_tcp.mx.forged NS ns
_tcp.mx.forged DS 1 13 2 {nothing}
"""
FORGED = """\
$TTL 60
@    SOA  ns.signed. hostmaster.signed. 1 3600 600 86400 60
@    NS   ns.signed.
_25  TLSA 3 1 1 {key}
"""
# Nobody vouches for it, so its records, which are wrong, mean nothing.
PLAIN = """\
$TTL 60
@            SOA  ns.plain. hostmaster.plain. 1 3600 600 86400 60
@            NS   ns
ns           A    127.0.0.1
any          MX   10 mx.any
mx.any       A    127.0.0.2
_25._tcp.mx.any TLSA 3 1 1 {nothing}
"""


def key_digest(certificate):
    """SHA-256 of the certificate's public key, as a TLSA record 3 1 1 has it."""
    pem = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True,
                         stdout=subprocess.PIPE).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True,
                         stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).hexdigest()


def start_dns(signed_dns, certificate):
    texts = {"signed.": ZONE, "_tcp.mx.forged.signed.": FORGED, "broken.": ZONE, "plain.": PLAIN}
    key = key_digest(certificate[0])
    return signed_dns({name: text.format(key=key, nothing=NOTHING) for name, text in texts.items()},
                      plain=["plain."], broken=["broken."])


@pytest.fixture
def world(postrider, signed_dns, sink, certificate, port_25):
    """(server, the host with TLS, the one without)"""
    dns = start_dns(signed_dns, certificate)
    server = postrider(dns_port=dns.port, retry="1 h",
                       extra=[*RELAY, f"validate dns with {dns.anchor}"])
    return server, sink("127.0.0.2", port_25, certificate=certificate), sink("127.0.0.3", port_25)


def send(server, domain, token="dane", head=""):
    return submit(server.smtp_port, ALICE, f"ann@{domain}", head.encode() + message(token))


def test_what_the_records_let_through(world):
    server, far, clear = world
    server.start()
    for domain, said in (("good.signed", "verified by DANE"), ("alias.signed", "verified by DANE"),
                         ("second.signed", "verified by DANE"), ("useless.signed", "not verified"),
                         ("any.plain", "not verified")):
        found = send(server, domain)
        event = server.wait_event(logs.RELAYED, id=found)[0]
        assert event["tls"].startswith("TLSv1.3 ") and event["tls"].endswith(f" {said}"), (domain, event)
    assert len(far.messages) == 5 and all(m["tls"] for m in far.messages)
    found = send(server, "none.signed")
    assert "tls" not in server.wait_event(logs.RELAYED, id=found)[0]
    assert len(clear.messages) == 1


@pytest.mark.parametrize("domain, status, text", [
    ("wrong.signed", "4.7.5", "fits none of the TLSA records of mx.wrong.signed"),
    ("clear.signed", "4.7.5", "TLSA records of the server demand it"),
    ("useless-clear.signed", "4.7.5", "TLS is required"),
    ("forged.signed", "4.7.5", "mx.forged.signed has no TLSA answer"),
    ("good.broken", "4.4.3", "DNSSEC validation"),
])
def test_what_the_records_forbid_waits(world, domain, status, text):
    server, far, clear = world
    server.start()
    found = send(server, domain)
    event = server.wait_event(logs.DEFERRED, id=found)[0]
    assert event["status"] == status and text in event["text"], event
    settle(0.3)
    assert far.messages == [] and clear.messages == [] and server.queue_ids() == [found]


def test_what_became_of_sessions_is_counted_for_reports(world):
    same_day()
    server, _, _ = world
    server.start()
    server.wait_event(logs.RELAYED, id=send(server, "good.signed"))
    for domain in ("wrong.signed", "clear.signed", "forged.signed"):
        server.wait_event(logs.DEFERRED, id=send(server, domain))
    server.wait_event(logs.RELAYED, id=send(server, "any.plain"))
    server.stop()
    result = server.run("tlsrpt", "--json")
    assert result.returncode == 0, result
    found = {}
    for row in json.loads(result.stdout)["policies"]:
        kinds = {f["result-type"]: f["failed-session-count"] for f in row.get("failure-details", [])}
        found[row["policy"]["policy-domain"], row["policy"]["policy-type"]] = (
            row["summary"]["total-successful-session-count"], kinds)
    assert found["good.signed", "tlsa"] == (1, {}), found
    assert found["wrong.signed", "tlsa"] == (0, {"validation-failure": 1}), found
    assert found["clear.signed", "tlsa"] == (0, {"starttls-not-supported": 1}), found
    assert found["forged.signed", "tlsa"] == (0, {"dnssec-invalid": 1}), found
    assert found["any.plain", "no-policy-found"] == (1, {}), found


def test_a_sender_may_waive_it(world):
    server, far, clear = world
    server.start()
    for domain in ("wrong.signed", "forged.signed"):
        send(server, domain, head="TLS-Required: No\r\n")
    far.wait_messages(2)
    send(server, "clear.signed", head="TLS-Required: no\r\n")
    clear.wait_messages(1)


def test_requiretls_needs_mx_records_that_somebody_vouches_for(world):
    server, far, clear = world
    far.extensions.append("REQUIRETLS")
    server.start()

    def send_secret(domain):
        with Talk(server.smtp_port) as talk:
            talk.ehlo()
            talk.expect("STARTTLS", 220)
            talk.start_tls()
            talk.ehlo()
            talk.expect(f"MAIL FROM:<{ALICE}> REQUIRETLS", 250)
            talk.expect(f"RCPT TO:<ann@{domain}>", 250)
            # What contradicts it counts less.
            assert talk.data(b"TLS-Required: No\r\n" + message("secret")).code == 250

    send_secret("good.signed")
    assert "REQUIRETLS" in far.wait_messages()[0]["mail"]
    for number, domain in enumerate(("any.plain", "wrong.signed", "clear.signed"), 1):
        send_secret(domain)
        bounce = server.wait_mail("alice", number)[-1]
        assert b"Status: 5.7.30" in bounce and domain.encode() in bounce
    assert len(far.messages) == 1 and clear.messages == []


def test_a_destination_may_demand_it(world):
    server, far, clear = world
    server.extra += ["destination any.plain, good.signed { tls dane }"]
    server.start()
    good = send(server, "good.signed")
    server.wait_event(logs.RELAYED, id=good)
    plain = send(server, "any.plain")
    event = server.wait_event(logs.DEFERRED, id=plain)[0]
    assert event["status"] == "4.7.5" and "no TLSA records that DNSSEC vouches for" in event["text"]
    assert len(far.messages) == 1


@pytest.mark.parametrize("mode, passes", [("may", True), ("required", False), ("verified", False),
                                          ("never", True)])
def test_policy_of_a_destination_is_not_gone_below(postrider, dns, sink, port_25, mode, passes):
    """Towards a server without TLS."""
    far = sink("127.0.0.2", port_25)
    server = postrider(dns_port=dns().port, retry="1 h",
                       extra=[*RELAY, f"destination far.example {{ tls {mode} }}"]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("policy"))
    if passes:
        assert not far.wait_messages()[0]["tls"]
    else:
        assert server.wait_event(logs.DEFERRED, id=found)[0]["status"] == "4.7.5"
        assert far.messages == []


@pytest.mark.parametrize("mode, tls, passes", [("never", False, True), ("required", True, True),
                                               ("verified", True, False)])
def test_policy_of_a_destination_towards_tls(postrider, dns, sink, port_25, certificate, mode, tls, passes):
    far = sink("127.0.0.2", port_25, certificate=certificate)
    server = postrider(dns_port=dns().port, retry="1 h",
                       extra=[*RELAY, f"destination far.example {{ tls {mode} }}"]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("policy"))
    if passes:
        assert far.wait_messages()[0]["tls"] == tls
    else:
        event = server.wait_event(logs.DEFERRED, id=found)[0]
        assert event["status"] == "4.7.5" and "signed by itself" in event["text"]


def test_a_trusted_certificate_of_another_name_is_none(postrider, dns, sink, port_25, certificate):
    """It is for *.far.example and others, not for mx.two.example."""
    zone = ZONE_OF_MANY.replace("mx.two       AAAA ::1\n", "")
    far = sink("127.0.0.2", port_25, certificate=certificate)
    server = postrider(dns_port=dns(zone).port, env={"SSL_CERT_FILE": certificate[0]}, retry="1 h",
                       extra=[*RELAY, "destination two.example { tls verified }"]).start()
    found = submit(server.smtp_port, ALICE, "ann@two.example", message("policy"))
    event = server.wait_event(logs.DEFERRED, id=found)[0]
    assert event["status"] == "4.7.5" and "mx.two.example" in event["text"], event
    assert far.messages == []


def test_verified_by_the_systems_roots(postrider, dns, sink, port_25, certificate):
    far = sink("127.0.0.2", port_25, certificate=certificate)
    server = postrider(dns_port=dns().port, env={"SSL_CERT_FILE": certificate[0]},
                       extra=[*RELAY, "destination far.example { tls verified }"]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("policy"))
    assert server.wait_event(logs.RELAYED, id=found)[0]["tls"].endswith(" verified")
    assert far.wait_messages()[0]["tls"]
