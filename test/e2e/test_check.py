"""postrider check: each fault of a server, a domain or this machine has its finding, and no other."""
import hashlib
import json
import os
import pty
import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from peers import DROP, Pieces, SignedDns
from server import HOSTNAME, PROGRAM, USAGE_ERROR, make_directory
from waiting import free_port

GOOD, WARNING, ERROR = 0, 1, 2
# What is said of every server here that offers all, in the clear.
CLEAR = {"greeting-good", "starttls-missing", "vrfy-guarded"}
NOBODY = ("--dns", "127.0.0.1:1")


def check(*arguments, timeout=2, env=None, dns=NOBODY):
    """(exit code, the document, its findings by key)."""
    result = subprocess.run([PROGRAM, "check", "--json", "--timeout", str(timeout), *dns,
                             *map(str, arguments)], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=120, env={**os.environ, **(env or {})},
                            check=False)
    assert not result.stderr, result.stderr
    document = json.loads(result.stdout)
    assert "\x1b" not in result.stdout
    return result.returncode, document, {f["finding"]: f for f in document["findings"]}


class Raw:
    """A server that does with each connection what it is told."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass
        connection.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def raw():
    made = []

    def make(serve):
        made.append(Raw(serve))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def says(text):
    def serve(connection):
        connection.sendall(text)
        while connection.recv(1000):
            pass
    return serve


def at(server):
    return f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("greeting, finding, fact", [
    (b"421 4.3.2 too busy\r\n", "greeting-421", "421 4.3.2 too busy"),
    (b"521 never\r\n", "greeting-521", "521 never"),
    (b"554 5.7.1 listed by a.list\r\n", "greeting-554", "listed by a.list"),
    (b"250 hm\r\n", "greeting-other", "250 hm"),
    (b"welcome\r\n", "greeting-malformed", "welcome"),
    (b"\x00\x01\x02\x1b[2J\xff\r\n", "greeting-malformed", "?[2J"),
    (b"220 half a line", "greeting-malformed", "220 half a line"),
    (b"220-a\r\n221 b\r\n", "greeting-malformed", "220-a"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "wrong-protocol", "SSH"),
    (b"* OK IMAP4rev1 ready\r\n", "wrong-protocol", "IMAP"),
    (b"+OK POP3 ready\r\n", "wrong-protocol", "POP3"),
    (b"220 ProFTPD\r\n", "wrong-protocol", "FTP"),
    (b"220-a\r\n" * 20000, "greeting-endless", None),
    (b"220 " + b"a" * 100000, "greeting-endless", None),
], ids=lambda value: str(value)[:20])
def test_greetings(raw, greeting, finding, fact):
    code, _, found = check(at(raw(says(greeting))), timeout=1)
    assert set(found) == {finding} and code == ERROR
    if fact:
        assert fact in found[finding]["fact"]


def test_endless_greeting_that_drips(raw):
    def serve(connection):
        while True:
            connection.sendall(b"220-more\r\n")
            time.sleep(0.05)

    code, document, found = check(at(raw(serve)), timeout=1)
    assert set(found) == {"greeting-endless"} and code == ERROR
    assert document["ms"] < 20000


def test_silent_port(raw):
    code, _, found = check(at(raw(lambda connection: connection.recv(10) and time.sleep(30))), timeout=1)
    assert set(found) == {"port-silent"} and code == ERROR


def test_close_without_a_word(raw):
    assert set(check(at(raw(lambda connection: None)))[2]) == {"greeting-closed"}


def test_http(raw):
    def serve(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    found = check(at(raw(serve)), timeout=1)[2]
    assert set(found) == {"wrong-protocol"} and "HTTP" in found["wrong-protocol"]["fact"]


def tls_server(certificate, talk):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve(connection):
        try:
            with context.wrap_socket(connection, server_side=True) as inside:
                talk(inside)
        except OSError:
            pass
    return serve


def test_tls_is_expected(raw, certificate):
    server = raw(tls_server(certificate, lambda inside: inside.recv(100)))
    assert set(check(at(server), timeout=1)[2]) == {"tls-expected"}


def test_refused_port():
    code, document, found = check(f"127.0.0.1:{free_port()}")
    assert set(found) == {"port-refused"} and code == ERROR
    assert document["verdict"] == "error"
    assert document["steps"][0]["result"] == "refused"
    assert found["port-refused"]["admin"] and found["port-refused"]["severity"] == "error"


def test_dropped_port():
    """A listener whose queue is full drops what comes, as a firewall does."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = []
    for _ in range(3):
        held.append(socket.socket())
        held[-1].setblocking(False)
        held[-1].connect_ex(listener.getsockname())
    time.sleep(0.2)
    try:
        code, document, found = check(f"127.0.0.1:{listener.getsockname()[1]}", timeout=1)
        assert set(found) == {"port-no-answer"} and code == ERROR
        assert document["ms"] >= 1000
    finally:
        for thing in [*held, listener]:
            thing.close()


def test_good_enough_in_the_clear(sink):
    code, document, found = check(at(sink()), "--helo", "check.example")
    assert set(found) == CLEAR | {"bare-lf-command"} and code == WARNING
    offers = [s["result"] for s in document["steps"] if s["step"] == "What it offers after EHLO"]
    assert offers == ["PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES"]


def test_leaking_vrfy(raw):
    found = check(at(raw(smtp({b"VRFY P": b"250 Postmaster <p@a.example>", b"VRFY": b"550 no such user",
                               b"EXPN": b"250 <a@a.example>"}))))[2]
    assert set(found) == CLEAR - {"vrfy-guarded"} | {"vrfy-leaks", "expn-leaks"}
    assert "550 no such user" in found["vrfy-leaks"]["fact"]


def smtp(replies, offers=b"250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n", greeting=b"220 mx.example.org ESMTP\r\n"):
    """A strict little server; replies by the start of the command."""
    def serve(connection):
        connection.sendall(greeting)
        commands = connection.makefile("rb")
        for line in commands:
            while not line.endswith(b"\r\n"):
                line += commands.readline()
            reply = next((r for verb, r in replies.items() if line.upper().startswith(verb)), None)
            if reply is DROP:
                return
            if reply is None:
                reply = {b"EHLO": b"250-mx.example.org\r\n" + offers.removesuffix(b"\r\n"),
                         b"VRFY": b"252 maybe", b"QUIT": b"221 bye"}.get(line[:4].upper(), b"502 no")
            connection.sendall(reply + b"\r\n")
    return serve


def test_open_relay(raw, sink):
    server = sink(extensions=["SIZE 52428800"])
    found = check(at(server), "--relay")[2]
    assert "open-relay" in found and found["open-relay"]["severity"] == "error"
    assert not any(c.upper().startswith("DATA") for c in server.commands)
    assert all("example." in c for c in server.commands if c.startswith(("MAIL", "RCPT")))
    # Unasked it is not tried.
    before = len(server.commands)
    assert "open-relay" not in check(at(server))[2]
    assert not any(c.startswith(("MAIL", "RCPT")) for c in server.commands[before:])
    closed = raw(smtp({b"MAIL": b"250 ok", b"RCPT": b"550 relaying denied", b"RSET": b"250 ok"}))
    assert set(check(at(closed), "--relay")[2]) == CLEAR | {"relay-refused"}
    later = raw(smtp({b"MAIL": b"250 ok", b"RCPT": b"450 later", b"RSET": b"250 ok"}))
    assert set(check(at(later), "--relay")[2]) == CLEAR | {"relay-unclear"}


def test_auth_in_the_clear_and_a_small_size(raw):
    offers = b"250-AUTH PLAIN LOGIN\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000\r\n"
    found = check(at(raw(smtp({}, offers))))[2]
    assert set(found) == CLEAR | {"auth-in-clear", "size-small"}


def test_old_and_broken_servers(raw):
    found = check(at(raw(smtp({b"EHLO": b"502 what", b"HELO": b"250 hello"}))))[2]
    assert set(found) == {"greeting-good", "ehlo-refused", "vrfy-guarded"}
    assert "helo-refused" in check(at(raw(smtp({b"EHLO": b"550 no", b"HELO": b"550 no"}))))[2]
    found = check(at(raw(smtp({b"VRFY": DROP}))))[2]
    assert set(found) == CLEAR - {"vrfy-guarded"} | {"session-broke"}
    assert "VRFY postmaster" in found["session-broke"]["fact"]
    found = check(at(raw(smtp({b"EXPN": b"\x1b]0;title\x07"}))))[2]
    assert set(found) == CLEAR | {"reply-malformed"}
    assert "greeting-no-name" in check(at(raw(smtp({}, greeting=b"220 ready\r\n"))))[2]


def issue(directory, name, days=(-1, 60), signer=None):
    """(certificate, key) for a name, by an issuer or by itself; days from now that it is valid."""
    directory.mkdir()
    key, cert = directory / "key.pem", directory / "cert.pem"
    now = time.time()
    start, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + d * 86400)) for d in days)
    (directory / "index").write_text("")
    (directory / "serial").write_text("01\n")
    extension = f"subjectAltName=DNS:{name}" if name else "basicConstraints=critical,CA:TRUE"
    (directory / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={directory}\ndatabase={directory}/index\n"
        f"serial={directory}/serial\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n"
        f"[p]\ncommonName=supplied\n[x]\n{extension}\n")
    run = dict(check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", f"/CN={name or 'Test issuer'}", "-keyout", key, "-out", directory / "csr"], **run)
    by = ["-cert", signer[0], "-keyfile", signer[1]] if signer else ["-selfsign", "-keyfile", key]
    subprocess.run(["openssl", "ca", "-batch", "-config", directory / "ca.cnf", "-in", directory / "csr",
                    "-out", cert, "-notext", "-startdate", start, "-enddate", end, *by], **run)
    return str(cert), str(key)


@pytest.fixture
def issuer():
    """A directory and an issuer in it."""
    directory = make_directory()
    yield directory, issue(directory / "issuer", None)
    shutil.rmtree(directory)


def secure(found):
    """What is left when that is taken off which every server with TLS here has."""
    return set(found) - {"greeting-good", "vrfy-guarded", "bare-lf-command", "dnssec-none",
                         "greeting-name-elsewhere"}


ZONE = """\
$TTL 60
@            SOA  ns.example. hostmaster.example. 1 3600 600 86400 60
@            NS   ns
ns           A    127.0.0.1
mx           A    127.0.0.1
sink.far     A    127.0.0.1
"""


def test_certificates(sink, dns, issuer):
    directory, by = issuer
    env = {"SSL_CERT_FILE": by[0]}
    server = dns(zone=ZONE)

    def look(certificate):
        target = f"mx.example:{sink(certificate=certificate).port}"
        return secure(check(target, env=env, dns=("--dns", f"127.0.0.1:{server.port}"))[2])

    assert look(issue(directory / "good", "mx.example", signer=by)) == {"certificate-good"}
    assert look(issue(directory / "old", "mx.example", (-9, -1), by)) == {"certificate-expired"}
    assert look(issue(directory / "new", "mx.example", (2, 90), by)) == {"certificate-not-yet"}
    assert look(issue(directory / "soon", "mx.example", (-9, 5), by)) == {"certificate-expires-soon"}
    assert look(issue(directory / "name", "other.example", signer=by)) == {"certificate-name"}
    assert look(issue(directory / "self", "mx.example")) == {"certificate-self-signed"}
    env["SSL_CERT_FILE"] = "/dev/null"
    assert look(issue(directory / "whose", "mx.example", signer=by)) == {"certificate-untrusted"}


def test_starttls_that_fails(sink, certificate):
    broken = sink(certificate=certificate)
    broken.always["starttls"] = "454 4.7.0 no key"
    assert "starttls-refused" in check(at(broken))[2]
    wrong = sink(certificate=certificate)
    wrong.always["starttls"] = Pieces(b"220 go\r\n", b"this is no TLS\r\n")
    found = check(at(wrong))[2]
    assert "tls-failed" in found and "vrfy-guarded" in found


def test_names(dns):
    server = dns(zone=ZONE)
    asked = ("--dns", f"127.0.0.1:{server.port}")
    assert set(check("nothing.example", dns=asked)[2]) == {"name-missing"}
    code, _, found = check("a.example", dns=NOBODY, timeout=1)
    assert "dns-no-answer" in found and code == ERROR


def test_our_own_server(postrider):
    server = postrider().start()
    found = check(f"127.0.0.1:{server.smtp_port}")[2]
    assert secure(found) == {"certificate-self-signed"}
    assert "bare-lf-command" not in found and "vrfy-guarded" in found


def test_postfix(postfix, certificate):
    server = postfix(certificate)
    found = check(at(server), "--relay")[2]
    assert {"certificate-self-signed", "vrfy-guarded"} <= set(found) or "vrfy-leaks" in found
    # It relays for 127.0.0.0/8, and says so of itself.
    assert "open-relay" in found or "relay-refused" in found
    assert not {f for f, v in found.items() if v["severity"] == "error"} - {"open-relay"}


SELF_ZONE = """\
mail.home    A    127.0.0.1
home         MX   10 mail.home
there        MX   10 other
other        A    192.0.2.1
"""


def test_self(postrider, dns, sink):
    """A machine where all is well but its test certificate; then one thing after the other is not."""
    server = postrider()
    server.start()
    asked = ("--dns", f"127.0.0.1:{dns(zone=ZONE + SELF_ZONE).port}")
    target = sink()

    def look(*more):
        return check("--self", "--config", server.config, "--outbound", "127.0.0.1",
                     "--ports", str(target.port), *more, dns=asked, env={"SSL_CERT_FILE": server.certificate})[2]

    known = {"greeting-good", "vrfy-guarded", "certificate-good"}
    assert set(look()) == known
    text = server.config.read_text()
    server.config.write_text(text.replace("accept mail for home.example", "accept mail for there.example"))
    assert set(look()) == known | {"self-mx-elsewhere"}
    server.config.write_text(text.replace(f"hostname {HOSTNAME}", "hostname other.example"))
    assert {"self-name-elsewhere", "certificate-name"} <= set(look())
    server.config.write_text(text.replace(f"hostname {HOSTNAME}", "hostname localhost"))
    assert "self-name-bare" in look()
    reserve = f"reserve {server.disk_reserve}"
    whole = 1 + (shutil.disk_usage(server.directory).total >> 30)
    assert reserve in text
    server.config.write_text(text.replace(reserve, f"reserve {whole} GB"))
    assert set(look()) == known | {"self-disk"}
    server.config.write_text(text)
    server.stop()
    assert set(look()) == {"certificate-good", "port-refused", "self-control"}
    closed = free_port()
    assert "port-refused" in check("--self", "--config", server.config, "--outbound", "127.0.0.1",
                                   "--ports", str(closed), dns=asked)[2]
    server.config.write_text("nonsense\n")
    code, _, found = check("--self", "--config", server.config)
    assert set(found) == {"self-config"} and code == ERROR


def test_exim(exim):
    found = check(at(exim(("127.0.0.1", 9))), "--relay")[2]
    assert "open-relay" in found and "greeting-good" in found
    assert not {f for f, v in found.items() if v["severity"] == "error"} - {"open-relay"}


DOMAIN = """\
far          MX   10 mx.far
far          TXT  "v=spf1 mx include:_spf.far -all"
_spf.far     TXT  "v=spf1 ip4:192.0.2.0/24 ~all"
_dmarc.far   TXT  "v=DMARC1; p=reject; rua=mailto:a@far.example"
s1._domainkey.far TXT "v=DKIM1; k=ed25519; p=" "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_mta-sts.far TXT  "v=STSv1; id=1;"
_smtp._tls.far TXT "v=TLSRPTv1; rua=mailto:a@far.example"
mx.far       A    127.0.0.1
mta-sts.far  A    127.0.0.1
bad          MX   10 alias.bad
bad          MX   20 gone.bad
bad          TXT  "v=spf1 +all"
bad          TXT  "v=spf1 -all"
_dmarc.bad   TXT  "v=DMARC1; p=nothing"
_mta-sts.bad TXT  "v=STSv1; id=;"
_smtp._tls.bad TXT "v=TLSRPTv1"
alias.bad    CNAME mx.far
bare         A    127.0.0.1
null         MX   0 .
null         TXT  "v=spf1 -all"
sub.far      MX   10 mx.far
deep         MX   10 mx.far
deep         TXT  "v=spf1 include:a.deep include:b.deep mx a -all"
a.deep       TXT  "v=spf1 a:a.a a:a.b a:a.c a:a.d -all"
b.deep       TXT  "v=spf1 a:a.a a:a.b a:a.c a:a.d -all"
"""
DOMAIN = DOMAIN.replace("include:_spf.far", "include:_spf.far.example").replace(
    "include:a.deep include:b.deep", "include:a.deep.example include:b.deep.example")


class Policies:
    """An HTTPS server of a text, with a status."""

    def __init__(self, certificate, text, status=200):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Location", "https://elsewhere.example/")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def at_mx(found):
    """Findings of a domain, without those of the sessions of its servers."""
    return set(found) - {"greeting-good", "vrfy-guarded", "bare-lf-command", "mx-private", "dane-none",
                         "starttls-missing", "certificate-good", "greeting-name-elsewhere"}


def test_a_good_domain_and_its_policy(sink, dns, issuer):
    directory, by = issuer
    mail = sink(certificate=issue(directory / "mx", "mx.far.example", signer=by))
    web = issue(directory / "web", "mta-sts.far.example", signer=by)
    asked = ("--dns", f"127.0.0.1:{dns(zone=ZONE + DOMAIN).port}")
    right = {"spf-good", "dmarc-good", "dkim-good", "tlsrpt-good"}

    def look(text, status=200, certificate=web):
        policies = Policies(certificate, text, status)
        found = check("far.example", "--selector", "s1", "--ports", f"{mail.port},{policies.port}",
                      dns=asked, env={"SSL_CERT_FILE": by[0]})[2]
        policies.server.shutdown()
        assert "certificate-good" in found and "mx-private" in found
        assert right <= set(found)
        return at_mx(found) - right

    policy = b"version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: 100\r\n"
    assert look(policy % (b"enforce", b"*.far.example")) == {"sts-good"}
    assert look(policy % (b"testing", b"mx.far.example")) == {"sts-testing"}
    assert look(policy % (b"enforce", b"mx.other.example")) == {"sts-mx"}
    assert look(b"<html>") == {"sts-policy"}
    assert look(b"x" * 100000) == {"sts-fetch"}
    assert look(b"", 404) == {"sts-fetch"}
    assert look(policy % (b"enforce", b"*.far.example"), 302) == {"sts-fetch"}
    other = issue(directory / "other", "other.example", signer=by)
    assert look(policy % (b"enforce", b"*.far.example"), certificate=other) == {"sts-fetch"}


def test_bad_domains(sink, dns):
    mail = sink()
    asked = ("--dns", f"127.0.0.1:{dns(zone=ZONE + DOMAIN).port}")

    def look(domain):
        return at_mx(check(domain, "--domain", "--ports", str(mail.port), dns=asked)[2])

    assert look("bad.example") == {"mx-alias", "mx-no-address", "spf-several", "dkim-not-asked",
                                   "dmarc-malformed", "sts-record", "tlsrpt-malformed"}
    nothing = {"spf-none", "dkim-not-asked", "dmarc-none", "sts-none", "tlsrpt-none"}
    assert look("bare.example") == nothing | {"mx-none"}
    assert look("null.example") == {"mx-null", "spf-good", "dkim-not-asked", "dmarc-none"}
    assert look("nothing.example") == {"name-missing"}
    # The record of the domain above counts.
    assert look("sub.far.example") == nothing - {"dmarc-none"} | {"dmarc-good"}
    assert look("deep.example") == nothing - {"spf-none"} | {"spf-lookups"}


def test_dane(sink, issuer):
    directory, by = issuer
    certificate = issue(directory / "mx", "mx.far.example", signer=by)
    mail, clear = sink(certificate=certificate), sink()
    der = ssl.PEM_cert_to_DER_cert(Path(certificate[0]).read_text())
    tlsa = "_25._tcp.mx.far TLSA %s\n"
    fits = f"3 0 1 {hashlib.sha256(der).hexdigest()}"

    def look(record, server=mail, signed=True, anchor=None):
        dns = SignedDns({"example.": ZONE + DOMAIN + tlsa % record},
                        plain=() if signed else ["example."]).start()
        try:
            trust = ("--dns-anchor", str(anchor or dns.anchor)) if signed else ()
            found = check("far.example", "--ports", str(server.port), timeout=5,
                          dns=("--dns", f"127.0.0.1:{dns.port}", *trust), env={"SSL_CERT_FILE": by[0]})[2]
        finally:
            dns.stop()
        return {f for f in found if f.startswith(("dane", "dnssec"))}

    assert look(fits) == {"dane-good", "dnssec-secure"}
    assert look("3 0 1 " + "00" * 32) == {"dane-mismatch", "dnssec-secure"}
    assert look("1 0 1 " + "00" * 32) == {"dane-unusable", "dnssec-secure"}
    assert look(fits, clear) == {"dane-no-tls", "dnssec-secure"}
    assert look(fits, signed=False) == {"dane-insecure"}
    wrong = directory / "anchor"
    wrong.write_text("example. 60 IN DS 12345 13 2 " + "00" * 32 + "\n")
    assert look(fits, anchor=wrong) == {"dnssec-bogus"}


def test_wrong_use():
    for arguments in ((), ("a", "b"), ("--self", "a"), ("a b",), ("a", "--timeout", "0"),
                      ("a", "--dns", "ns.example"), ("--self", "--relay"), ("a:99999",),
                      ("a", "--host", "--domain"), ("a", "--lang", "xx")):
        result = subprocess.run([PROGRAM, "check", *arguments], capture_output=True, text=True, check=False)
        assert result.returncode == USAGE_ERROR, arguments
        assert result.stderr and not result.stdout


def test_text(sink):
    """Steps as they end, then the verdict; on a terminal what is waited for stands there before."""
    server = sink()
    result = subprocess.run([PROGRAM, "check", at(server), "--timeout", "1", *NOBODY, "--lang", "en"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == WARNING and not result.stderr
    before, _, verdict = result.stdout.partition("\nVerdict\n")
    assert "Waiting for the greeting ... 220 sink.far.example ESMTP sink (" in before
    assert "STARTTLS is not offered" in verdict and "What to do: Get a certificate" in verdict

    main, side = pty.openpty()
    server.always["banner"] = DROP
    slow = Raw(lambda connection: time.sleep(30))
    process = subprocess.Popen([PROGRAM, "check", at(slow), "--timeout", "20", *NOBODY], stdout=side)
    seen = b""
    while b"Waiting for the greeting ..." not in seen:
        seen += os.read(main, 1000)
    assert process.poll() is None
    process.kill()
    process.wait()
    os.close(main)
    os.close(side)
    slow.stop()
