"""MTA-STS (RFC 8461): policies fetched over HTTPS, kept, and kept to."""
import json
import shutil
import subprocess
import time

import pytest

import logs
from server import make_directory, settle
from talk import message, submit
from waiting import same_day, until

ALICE = "alice@home.example"
RELAY = ["relay for 127.0.0.0/8"]
WEB = "127.0.0.5"

# Hosts with TLS that is trusted are at 127.0.0.2, without TLS at .3, with a certificate of nobody's at .4.
ADDRESSES = {"good": "127.0.0.2", "clear": "127.0.0.3", "wrong": "127.0.0.4"}
DOMAINS = {
    "good": ["good"], "clear": ["clear"], "wrong": ["wrong"], "unlisted": ["good"], "second": ["wrong", "good"],
    "test-good": ["good"], "test-clear": ["clear"], "test-wrong": ["wrong"], "test-unlisted": ["good"],
    "none": ["clear"], "broken": ["clear"], "gone": ["clear"], "moved": ["clear"], "silent": ["clear"],
    "short": ["clear"], "plain": ["clear"],
}
ZONE = """\
$TTL 60
@            SOA  ns.example. hostmaster.example. 1 3600 600 86400 60
@            NS   ns
ns           A    127.0.0.1
"""


def zone(sts_id="1", without=("plain",)):
    text = ZONE + "".join(f"mx.{name} A {address}\n" for name, address in ADDRESSES.items())
    for domain, hosts in DOMAINS.items():
        text += "".join(f"{domain} MX {10 * n} mx.{host}\n" for n, host in enumerate(hosts, 1))
        if domain not in without:
            text += f'_mta-sts.{domain} TXT "v=STSv1; id={sts_id};"\nmta-sts.{domain} A {WEB}\n'
    return text


def policy(mode, *hosts, age=86400):
    return "\r\n".join(["version: STSv1", f"mode: {mode}", *(f"mx: {h}" for h in hosts), f"max_age: {age}", ""])


POLICIES = {
    "good": policy("enforce", "mx.good.example"),
    "clear": policy("enforce", "*.clear.example"),
    "wrong": policy("enforce", "mx.wrong.example"),
    "unlisted": policy("enforce", "mx.elsewhere.example"),
    "second": policy("enforce", "mx.good.example", "mx.wrong.example"),
    "test-good": policy("testing", "mx.good.example"),
    "test-clear": policy("testing", "mx.clear.example"),
    "test-wrong": policy("testing", "mx.wrong.example"),
    "test-unlisted": policy("testing", "mx.elsewhere.example"),
    "none": policy("none", "mx.elsewhere.example"),
    "broken": "<html>",
    "gone": 404,
    "moved": "https://mta-sts.clear.example/.well-known/mta-sts.txt",
    "silent": policy("enforce", "mx.silent.example"),
    "short": policy("enforce", "mx.short.example", age=2),
}


def make_certificate(directory, names):
    directory.mkdir()
    paths = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-subj", "/CN=test", "-addext",
                    "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
                    "-keyout", str(paths[1]), "-out", str(paths[0])], check=True, stderr=subprocess.DEVNULL)
    return tuple(map(str, paths))


@pytest.fixture(scope="module")
def certificates():
    """(one that is trusted, for all names; one that is not)"""
    directory = make_directory()
    names = [f"mx.{host}.example" for host in ADDRESSES] + [f"mta-sts.{domain}.example" for domain in DOMAINS]
    yield make_certificate(directory / "a", names), make_certificate(directory / "b", names)
    shutil.rmtree(directory)


@pytest.fixture
def world(postrider, dns, sink, port_25, certificates, policy_host):
    trusted, foreign = certificates
    server = postrider(dns_port=dns(zone=zone()).port, retry="1 h", extra=list(RELAY),
                       env={"SSL_CERT_FILE": trusted[0]})
    server.web = policy_host(trusted, WEB)
    server.web.texts = {f"{name}.example": text for name, text in POLICIES.items()}
    server.good = sink(ADDRESSES["good"], port_25, certificate=trusted)
    server.clear = sink(ADDRESSES["clear"], port_25)
    server.wrong = sink(ADDRESSES["wrong"], port_25, certificate=foreign)
    return server


def send(server, domain, head=""):
    return submit(server.smtp_port, ALICE, f"ann@{domain}.example", head.encode() + message("sts"))


def relayed(server, domain, **more):
    return server.wait_event(logs.RELAYED, id=send(server, domain, **more))[0]


def deferred(server, domain):
    return server.wait_event(logs.DEFERRED, id=send(server, domain))[0]


def test_an_enforced_policy_is_kept_to(world):
    world.start()
    for domain in ("good", "second"):
        event = relayed(world, domain)
        assert event["tls"].endswith(" verified by MTA-STS"), event
    for domain, text in (("wrong", "signed by itself"), ("clear", "the policy, MTA-STS, of the domain demands it"),
                         ("unlisted", "is not among the servers that the policy (MTA-STS)")):
        event = deferred(world, domain)
        assert event["status"] == "4.7.5" and text in event["text"], event
    settle(0.3)
    assert len(world.good.messages) == 2 and world.clear.messages == [] and world.wrong.messages == []
    assert not any(command.startswith("MAIL") for command in world.clear.commands + world.wrong.commands)
    found = world.run("trace", deferred(world, "wrong")["id"]).stdout.decode()
    assert "MTA-STS: policy 1, enforce: mx.wrong.example" in found
    # The sender of one message may give that up.
    event = relayed(world, "clear", head="TLS-Required: No\r\n")
    assert "tls" not in event
    assert relayed(world, "wrong", head="TLS-Required: No\r\n")["tls"].endswith("not verified")


def test_a_policy_that_is_tested_lets_mail_pass_and_tells(world):
    world.start()
    assert relayed(world, "test-good")["tls"].endswith("not verified")
    assert logs.select(world.events(), "tls_policy_failed") == []
    for domain, text in (("test-clear", "does not offer STARTTLS"), ("test-wrong", "not trusted"),
                         ("test-unlisted", "does not name this server")):
        relayed(world, domain)
        [event] = world.wait_event("tls_policy_failed", domain=f"{domain}.example")
        assert event["mode"] == "testing" and text in event["text"], event


def test_without_a_policy_that_can_be_had_mail_goes_as_ever(world):
    world.start()
    for domain in ("none", "plain", "broken", "gone", "moved"):
        assert "tls" not in relayed(world, domain)
    said = {e["domain"]: e["text"] for e in world.wait_event("tls_policy_not_fetched", 3)}
    assert set(said) == {"broken.example", "gone.example", "moved.example"}
    assert "malformed" in said["broken.example"] and "HTTP 404" in said["gone.example"]
    assert "HTTP 301" in said["moved.example"] and "clear.example" not in world.web.fetched


def test_whoever_plays_the_policy_host_has_no_say(world, policy_host, certificates):
    world.web.stop()
    policy_host(certificates[1], WEB).texts = world.web.texts
    world.start()
    # Its policy would forbid this.
    relayed(world, "unlisted")
    [event] = world.wait_event("tls_policy_not_fetched", domain="unlisted.example")
    assert "no certificate that can be trusted" in event["text"]


def test_a_policy_outlives_its_host_and_the_server(world):
    world.start()
    deferred(world, "silent")
    until(lambda: (world.spool / "tls-policies/silent.example.policy").exists(), lambda: "no file")
    world.web.stop()
    world.stop()
    world.start()
    event = deferred(world, "silent")
    assert event["status"] == "4.7.5" and world.web.fetched == ["silent.example"]
    # Nor does the record have to be there.
    world.kill_role("fetcher")
    event = until(lambda: (found := deferred(world, "silent"))["status"] == "4.7.5" and found,
                  lambda: world.log_tail())
    assert world.clear.messages == []


def test_the_kept_policy_holds_where_a_new_one_cannot_be_had(world, dns):
    world.start()
    deferred(world, "silent")
    world.stop()
    world.dns_port = dns(zone=zone("2")).port
    world.web.texts["silent.example"] = 500
    world.start()
    assert deferred(world, "silent")["status"] == "4.7.5"
    [event] = world.wait_event("tls_policy_not_fetched", domain="silent.example")
    assert event["kept"] == "1"
    # Another id makes it fetch the new one.
    world.stop()
    world.dns_port = dns(zone=zone("3")).port
    world.web.texts["silent.example"] = policy("none")
    world.start()
    relayed(world, "silent")
    [event] = world.wait_event("tls_policy_fetched", policy="3")
    assert event["mode"] == "none"


def test_without_a_record_the_kept_policy_holds_until_its_time_is_over(world, dns):
    world.start()
    deferred(world, "silent")
    deferred(world, "short")
    until(lambda: len(list((world.spool / "tls-policies").glob("s*.policy"))) == 2, lambda: "no files")
    world.stop()
    time.sleep(2.1)
    world.dns_port = dns(zone=zone(without=DOMAINS)).port
    world.start()
    assert deferred(world, "silent")["status"] == "4.7.5"
    relayed(world, "short")
    assert world.web.fetched.count("silent.example") == 1
    assert not (world.spool / "tls-policies/short.example.policy").exists()


def test_policies_can_be_left_alone(world):
    world.extra.append("fetch tls policies no")
    world.start()
    relayed(world, "unlisted")
    assert world.web.fetched == []


def report(server, *arguments):
    result = server.run("tlsrpt", "--json", *arguments)
    assert result.returncode == 0, result
    return json.loads(result.stdout)


def kinds_of(policy):
    return {f["result-type"]: f["failed-session-count"] for f in policy.get("failure-details", [])}


def test_what_became_of_sessions_is_counted_for_reports(world):
    same_day()
    world.start()
    for domain in ("good", "test-good"):
        relayed(world, domain)
    for domain in ("wrong", "clear", "unlisted"):
        deferred(world, domain)
    for domain in ("test-clear", "test-wrong", "gone", "broken"):
        relayed(world, domain)
    until(lambda: list((world.spool / "tls-policies").glob("results-*")), lambda: "no results")
    # A stop writes what is not yet, and a start goes on with it.
    world.stop()
    world.start()
    deferred(world, "wrong")
    world.stop()
    found = report(world)
    assert found["organization-name"] == "mail.home.example" and found["contact-info"].startswith("postmaster@")
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert found["date-range"] == {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"}
    rows = {(p["policy"]["policy-domain"].split(".")[0], p["policy"]["policy-type"]): p for p in found["policies"]}
    assert rows["good", "sts"]["summary"] == {"total-successful-session-count": 1, "total-failure-session-count": 0}
    assert rows["good", "sts"]["policy"]["policy-string"] == [
        "version: STSv1", "mode: enforce", "max_age: 86400", "mx: mx.good.example"]
    assert rows["good", "sts"]["policy"]["mx-host"] == ["mx.good.example"]
    wanted = {("wrong", "sts"): {"certificate-not-trusted": 2}, ("clear", "sts"): {"starttls-not-supported": 1},
              ("unlisted", "sts"): {"validation-failure": 1}, ("test-clear", "sts"): {"starttls-not-supported": 1},
              ("test-wrong", "sts"): {"certificate-not-trusted": 1}, ("gone", "sts"): {"sts-policy-fetch-error": 1},
              ("broken", "sts"): {"sts-policy-invalid": 1},
              ("gone", "no-policy-found"): {"starttls-not-supported": 1}}
    for key, kinds in wanted.items():
        assert kinds_of(rows[key]) == kinds, (key, rows[key])
    [failure] = rows["wrong", "sts"]["failure-details"]
    assert failure["receiving-mx-hostname"] == "mx.wrong.example" and failure["receiving-ip"] == "127.0.0.4"
    assert [p["policy"]["policy-domain"] for p in report(world, "--domain", "wrong.example")["policies"]] == [
        "wrong.example"]
    text = world.run("tlsrpt", "--domain", "wrong.example").stdout.decode()
    assert text.startswith("wrong.example, MTA-STS: 0 good, 2 failed\n  2 certificate-not-trusted at mx.wrong.example")
    assert world.run("tlsrpt", "--day", "2001-01-01").returncode == 65
    assert world.run("tlsrpt", "--day", "yesterday").returncode == 64


def probe(server, *arguments):
    result = server.run("probe", "--json", *arguments)
    assert result.returncode in (0, 1, 2), result
    return result.returncode, json.loads(result.stdout)


def test_a_probe_walks_the_way_and_sends_nothing(world, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", world.env["SSL_CERT_FILE"])
    world.write_files()
    status, found = probe(world, "good.example")
    assert status == 0 and found["result"] == "goes" and found["tls"].endswith("verified by MTA-STS"), found
    steps = [(step["kind"], step["text"]) for step in found["steps"]]
    for kind, text in (("fact", "DNS: MX 10 mx.good.example 127.0.0.2"), ("fact", "connecting to mx.good.example"),
                       ("fact", "MTA-STS: policy 1, enforce: mx.good.example"), ("got", "220 "), ("sent", "EHLO "),
                       ("sent", "STARTTLS"), ("fact", "TLS: TLSv1.3"), ("fact", "certificate: for mx.good.example"),
                       ("sent", "QUIT")):
        assert any(k == kind and t.startswith(text) for k, t in steps), (kind, text, steps)
    times = [step["ms"] for step in found["steps"]]
    assert times == sorted(times) and found["route"] is None and found["tls_mode"] == "may"
    status, found = probe(world, "wrong.example")
    assert status == 1 and found["result"] == "waits" and found["status"] == "4.7.5", found
    status, found = probe(world, "nosuch.example")
    assert status == 2 and found["result"] == "is returned" and found["status"] == "5.1.2", found
    assert not (world.spool / "tls-policies").exists(), "a probe keeps nothing"

    # With an address, as far as its reply.
    world.good.rcpt_replies["nobody@good.example"] = "550 5.1.1 Nobody \x1b[2J"
    status, found = probe(world, "--rcpt", "ann@good.example")
    assert status == 0 and ("sent", "RCPT TO:<ann@good.example>") in [(s["kind"], s["text"]) for s in found["steps"]]
    status, found = probe(world, "--rcpt", "nobody@good.example")
    assert status == 2 and found["code"] == 550, found
    text = world.run("probe", "--rcpt", "nobody@good.example").stdout.decode()
    assert "result: mail would be returned to its sender: 5.1.1" in text and "\x1b" not in text
    assert world.good.messages == [] and "DATA" not in world.good.commands
    assert not any(c.startswith("MAIL") for c in world.wrong.commands)

    # By the server's routes; and beside the server, with what it keeps.
    world.routes = [f"send mail for far.example through 127.0.0.3:{world.clear.port} with tls required"]
    world.start()
    status, found = probe(world, "far.example")
    assert status == 1 and found["route"] == "127.0.0.3" and found["tls_mode"] == "required", found
    deferred(world, "silent")
    until(lambda: (world.spool / "tls-policies/silent.example.policy").exists(), lambda: "no file")
    world.web.stop()
    status, found = probe(world, "silent.example")
    assert status == 1 and found["status"] == "4.7.5" and world.clear.messages == [], found
    assert world.run("probe").returncode == 64
