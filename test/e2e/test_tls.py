"""TLS of reception: certificates by name, tickets, clients' certificates, reload, STARTTLS."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from server import HOSTNAME
from talk import Talk, message, submit
from waiting import until

KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"]}


def openssl(*arguments, input=b"", timeout=20, check=True):
    return subprocess.run(["openssl", *arguments], input=input, check=check, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Certificate:
    """One that signs itself, or that an issuer signed."""

    def __init__(self, directory, name, alt, kind="ec", issuer=None, key=None):
        self.file, self.key = f"{directory}/{name}.pem", key or f"{directory}/{name}.key"
        how = ["-key", key] if key else KEYS[kind] + ["-keyout", self.key, "-nodes"]
        extra = ["-CA", issuer.file, "-CAkey", issuer.key] if issuer else []
        openssl("req", "-x509", *how, "-days", "30", "-subj", f"/CN={name}", *extra,
                "-addext", f"subjectAltName={alt}", "-out", self.file)
        os.chmod(self.key, 0o600)

    @property
    def der(self):
        with open(self.file, encoding="ascii") as file:
            return ssl.PEM_cert_to_DER_cert(file.read())

    def line(self):
        return f"certificate {self.file} key {self.key}"


def context(**options):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    for name, value in options.items():
        setattr(made, name, value)
    return made


def connect(port, name=HOSTNAME, ctx=None, session=None):
    """A TLS connection to 465 whose greeting was read: what comes late (tickets) is there too."""
    raw = socket.create_connection(("127.0.0.1", port), 15)
    wrapped = (ctx or context()).wrap_socket(raw, server_hostname=name, session=session)
    assert wrapped.recv(1000).startswith(b"220 ")
    return wrapped


def s_client(port, *arguments, input=b"QUIT\r\n", check=True):
    return openssl("s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *arguments,
                   input=input, check=check).stdout.decode(errors="replace")


@pytest.fixture
def shop(postrider):
    """A server with certificates of several names, the default (EC) first."""
    server = postrider()
    d = server.directory
    server.certs = {
        "rsa": Certificate(d, "rsa", f"DNS:{HOSTNAME}", "rsa"),
        "other": Certificate(d, "other", "DNS:other.example,DNS:*.w.example"),
        "otherrsa": Certificate(d, "otherrsa", "DNS:other.example", "rsa"),
    }
    server.extra += [certificate.line() for certificate in server.certs.values()]
    return server


def der_of(path):
    with open(path, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def test_certificates_by_name_and_kind_of_key(shop):
    shop.start()
    wanted = {
        (HOSTNAME, "ECDSA"): der_of(shop.certificate),
        (HOSTNAME, "RSA"): shop.certs["rsa"].der,
        ("other.example", "ECDSA"): shop.certs["other"].der,
        ("OTHER.example", "RSA"): shop.certs["otherrsa"].der,
        ("x.w.example", "ECDSA"): shop.certs["other"].der,
        ("nobody.example", "ECDSA"): der_of(shop.certificate),
        ("nobody.example", "RSA"): shop.certs["rsa"].der,
    }
    for (name, kind), der in wanted.items():
        sigalgs = "ECDSA+SHA256" if kind == "ECDSA" else "RSA-PSS+SHA256:RSA+SHA256"
        for version in ("-tls1_2", "-tls1_3"):
            said = s_client(shop.submissions_port, "-servername", name, "-sigalgs",
                            f"{sigalgs}:RSA-PSS+SHA256" if kind == "ECDSA" else sigalgs, version)
            pem = re.search("-----BEGIN CERT.*END CERTIFICATE-----", said, re.S)[0]
            assert ssl.PEM_cert_to_DER_cert(pem) == der, (name, kind, version)
            assert "220 " in said
    # Without a name: the first of all.
    with connect(shop.submissions_port, name=None) as tls:
        assert tls.getpeercert(True) == der_of(shop.certificate)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_resume_in_every_process(postrider, version):
    server = postrider(extra=["reception processes 2"]).start()
    ctx = context(maximum_version=getattr(ssl.TLSVersion, version))
    with connect(server.submissions_port, ctx=ctx) as tls:
        session, first = tls.session, tls.getpeercert(True)
        assert not tls.session_reused
    # Enough connections that both processes had some.
    for _ in range(12):
        with connect(server.submissions_port, ctx=ctx, session=session) as tls:
            assert tls.session_reused
            assert tls.getpeercert(True) in (first, None)
    found = server.wait_event("tls", 13)
    assert sum(event.get("resumed") == "yes" for event in found) == 12
    # The keys outlive the process.
    server.kill_role("reception")

    def resumed():
        try:
            with connect(server.submissions_port, ctx=ctx, session=session) as tls:
                return tls.session_reused
        except OSError:
            return False

    until(resumed, server.log_tail)


def test_tickets_end(postrider):
    server = postrider(extra=["tls ticket lifetime 1 s"]).start()
    ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connect(server.submissions_port, ctx=ctx) as tls:
        session = tls.session

    def refused():
        with connect(server.submissions_port, ctx=ctx, session=session) as tls:
            return not tls.session_reused

    until(refused, server.log_tail)
    server.extra = ["tls ticket lifetime none"]
    server.write_files()
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("config_replaced")

    def none():
        with connect(server.submissions_port, ctx=ctx) as tls:
            return not tls.session.has_ticket

    until(none, server.log_tail)


def test_no_ticket_key_is_on_disk_and_none_in_the_log(postrider):
    server = postrider().start()
    with connect(server.submissions_port) as tls:
        tls.sendall(b"EHLO x\r\n")
    assert "ticket" not in server.log_text()
    assert not [path for path in server.directory.rglob("*") if "ticket" in path.name]


def test_versions_and_ciphers(postrider):
    server = postrider(extra=["minimum tls version 1.3"]).start()
    with connect(server.submissions_port) as tls:
        assert tls.version() == "TLSv1.3"
    with pytest.raises(OSError):
        connect(server.submissions_port, ctx=context(maximum_version=ssl.TLSVersion.TLSv1_2))
    server.wait_event("tls_failed")
    server.extra = ["tls ciphers ECDHE+CHACHA20", "tls groups P-384"]
    server.write_files()
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("config_replaced")

    def changed():
        ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
        try:
            with connect(server.submissions_port, ctx=ctx) as tls:
                return tls.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"
        except OSError:
            return False

    until(changed, server.log_tail)
    until(lambda: "secp384r1" in s_client(server.submissions_port, "-tls1_3", check=False), server.log_tail)
    server.extra = ["tls groups P-384:NO-SUCH"]
    server.write_files()
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("tls_refused", groups="P-384:NO-SUCH")
    server.wait_event("config_kept")
    assert "secp384r1" in s_client(server.submissions_port, "-tls1_3")


def test_old_versions_and_weak_ciphers_are_refused(postrider):
    server = postrider().start()
    for arguments in (["-tls1_1", "-cipher", "ALL@SECLEVEL=0"], ["-tls1", "-cipher", "ALL@SECLEVEL=0"],
                      ["-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384:DES-CBC3-SHA:AECDH"]):
        said = s_client(server.submissions_port, *arguments, check=False)
        assert "220 " not in said, said


# What each check finds is rated; an own certificate's trust is not TLS's.
TESTSSL_CHECKS = ["-p"]
TESTSSL_BAD = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}


@pytest.mark.parametrize("starttls", [False, True])
def test_testssl_finds_nothing_above_low(postrider, starttls):
    assert shutil.which("testssl"), "testssl.sh is not there: tools/setup test installs it"
    everything = os.environ.get("TESTSSL") == "all"
    server = postrider(extra=["limits { sessions per host 1000 }"]).start()
    found = server.directory / "testssl.json"
    port = server.smtp_port if starttls else server.submissions_port
    result = subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", str(found),
         *(["-p", "-s", "-f", "-P", "-U"] if everything else TESTSSL_CHECKS),
         *(["-t", "smtp"] if starttls else []), f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    rows = json.loads(found.read_text())
    bad = [row for row in rows if row["severity"] in TESTSSL_BAD]
    assert not bad, bad
    rated = {row["id"]: row["finding"] for row in rows}
    assert "offered" in rated["TLS1_3"] and "not" in rated["TLS1"], result.stdout[-2000:]


def test_names_of_clients(postrider):
    server = postrider()
    issuer = Certificate(server.directory, "users-ca", "DNS:ca.example")
    anna = Certificate(server.directory, "anna", "email:anna@home.example", issuer=issuer)
    stranger = Certificate(server.directory, "stranger", "email:root@home.example")
    server.extra = [f"client certificates from {issuer.file}"]
    server.start()
    for certificate in (anna, stranger, None):
        for port in (server.submissions_port,):
            ctx = context()
            if certificate:
                ctx.load_cert_chain(certificate.file, certificate.key)
            with connect(port, ctx=ctx) as tls:
                tls.sendall(b"NOOP\r\n")
                assert tls.recv(100).startswith(b"250 ")
    found = server.wait_event("tls", 3)
    assert [event.get("certificate") for event in found] == ["anna@home.example", None, None]


def test_what_came_before_starttls_is_no_command(server):
    """Plain text in the same packet as STARTTLS must not count as sent under TLS (CVE-2011-0411)."""
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send("STARTTLS\r\nMAIL FROM:<evil@far.example>\r\nRCPT TO:<alice@home.example>\r\n")
        assert talk.reply().code == 220
        talk.start_tls()
        # The session begins anew, and nothing is answered that was not asked in it.
        assert talk.ask("NOOP").code == 250
        assert talk.ask("RCPT TO:<alice@home.example>").code == 503
        talk.ehlo()
        assert talk.ask("RCPT TO:<alice@home.example>").code == 503
        talk.expect("QUIT", 221)


def test_clear_text_on_the_port_for_tls(server):
    with socket.create_connection(("127.0.0.1", server.submissions_port), 10) as raw:
        raw.sendall(b"EHLO client.example\r\n")
        raw.recv(1000)
    event = server.wait_event("tls_failed")[0]
    assert "does not speak TLS" in event["text"]


def test_a_reload_with_a_wrong_key_changes_nothing(postrider):
    server = postrider().start()
    keyrings = server.role_pids("keyring")
    old = der_of(server.certificate)
    new = Certificate(server.directory, "new", f"DNS:{HOSTNAME}")
    other = Certificate(server.directory, "second", f"DNS:{HOSTNAME}")
    server.certificate, server.key = new.file, other.key
    server.write_files()
    said = server.reload()
    assert "key_refused" in said and "config_kept" in said and "config_replaced" not in said
    assert server.role_pids("keyring") == keyrings
    with connect(server.submissions_port) as tls:
        assert tls.getpeercert(True) == old
    server.key = new.key
    server.write_files()
    assert "config_replaced" in server.reload()

    def changed():
        with connect(server.submissions_port) as tls:
            return tls.getpeercert(True) == new.der

    until(changed, server.log_tail)
    # Its place was taken, and nothing is left of it.
    until(lambda: len(server.role_pids("keyring")) == 1 and server.role_pids("keyring") != keyrings,
          server.log_tail)
    assert "role_died" not in server.log_text()


def test_reloads_lose_no_session_and_no_handshake(postrider):
    """Certificates change places and keys under load; every handshake and every session succeeds."""
    often = "limits { connection rate per host unlimited\nconnection rate per network unlimited }"
    server = postrider(extra=[often])
    certs = [Certificate(server.directory, f"c{i}", f"DNS:{HOSTNAME},DNS:n{i}.example")
             for i in range(3)]
    server.certificate, server.key = certs[0].file, certs[0].key
    server.start()
    stop, failures, done = threading.Event(), [], []

    def shake():
        while not stop.is_set():
            try:
                with connect(server.submissions_port, name="n1.example") as tls:
                    tls.sendall(b"NOOP\r\n")
                    assert tls.recv(100).startswith(b"250 ")
                done.append(1)
            except Exception as error:  # noqa: BLE001
                failures.append(repr(error))

    with connect(server.submissions_port) as idle:
        threads = [threading.Thread(target=shake) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for i in range(1, 7):
                first = certs[i % 3]
                server.certificate, server.key = first.file, first.key
                server.extra = [often] + [c.line() for c in certs if c is not first][:i % 3]
                server.write_files()
                assert "config_replaced" in server.reload()
            until(lambda: len(done) > 20 or failures, "handshakes")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failures, (failures[:5], len(failures), len(done), server.log_tail())
        idle.sendall(b"NOOP\r\n")
        assert idle.recv(100).startswith(b"250 ")
    assert "tls_failed" not in server.log_text()


def test_reloads_at_once_are_one_after_the_other(postrider):
    server = postrider().start()
    for _ in range(5):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.05)  # Signals at the same moment are one.
    server.wait_event("config_replaced", 2)
    until(lambda: len(server.role_pids("keyring")) == 1, server.log_tail)
    submit(server.smtp_port, "ann@client.example", "alice@home.example", message("still"))
    assert b"X-Token: still" in server.wait_mail("alice")[0]


def test_the_keyring_dies_and_handshakes_go_on(postrider):
    server = postrider().start()
    server.kill_role("keyring")

    def works():
        try:
            with connect(server.submissions_port) as tls:
                return bool(tls.version())
        except OSError:
            return False

    until(works, server.log_tail)
