"""Logins that rest on the TLS channel: EXTERNAL, by the client's certificate, and SCRAM-SHA-256-PLUS."""
import hashlib
import socket
import ssl
import subprocess
import threading

import pytest

from server import HOSTNAME, PASSWORD
from talk import Talk
from test_auth import Scram, code, scram  # noqa: F401 (a fixture)
from test_tls import Certificate, context


class Shown(Talk):
    """A session on 465 of a client that may show a certificate, or resume a session."""

    def __init__(self, server, certificate=None, version="TLSv1_3", session=None, ctx=None):
        super().__init__(server.submissions_port, greeting=False)
        self.context = ctx or context(maximum_version=getattr(ssl.TLSVersion, version))
        if certificate and not ctx:
            self.context.load_cert_chain(certificate.file, certificate.key)
        self.socket = self.context.wrap_socket(self.socket, server_hostname=HOSTNAME,
                                               session=session)
        assert self.reply().code == 220
        self.offered = self.ehlo().get("AUTH", "").split()


@pytest.fixture
def club(postrider):
    """A server that asks clients for certificates; anna and carl are logins, dora is none."""
    server = postrider(passwords={"anna@home.example": PASSWORD, "carl@home.example": PASSWORD})
    issuer = Certificate(server.directory, "users-ca", "DNS:ca.example")
    server.cards = {
        name: Certificate(server.directory, name, f"email:{name}@home.example", issuer=by)
        for name, by in (("anna", issuer), ("dora", issuer), ("stranger", None))}
    server.forged = Certificate(server.directory, "forged", "email:anna@home.example")
    server.mailboxes = {f"{name}@home.example": name for name in ("anna", "carl")}
    server.extra = [f"client certificates from {issuer.file}",
                    "limits {", "authentication delay 50 ms", "}"]
    return server.start()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_certificate_is_a_login(club, version):
    with Shown(club, club.cards["anna"], version) as talk:
        assert "EXTERNAL" in talk.offered
        assert talk.socket.version() == version.replace("_", ".")
        talk.expect("AUTH EXTERNAL =", 235)
        talk.expect("MAIL FROM:<anna@home.example>", 250)
        talk.expect("RCPT TO:<bob@far.example>", 250)
    event = club.wait_event("authenticated")[-1]
    assert event["mechanism"] == "EXTERNAL" and event["login"] == "anna@home.example"


def test_the_identity_asked_for_is_that_of_the_certificate(club):
    for identity, wanted in (("anna@home.example", 235), ("ANNA@home.example", 235),
                             ("carl@home.example", 535), ("anna", 535), ("\0", 535)):
        with Shown(club, club.cards["anna"]) as talk:
            assert talk.ask("AUTH EXTERNAL " + code(identity)).code == wanted, identity
    with Shown(club, club.cards["anna"]) as talk:
        # Without an initial answer it is asked for.
        talk.expect("AUTH EXTERNAL", 334)
        talk.expect("", 235)
    logins = [event["login"] for event in club.wait_event("authenticated", 3)]
    assert set(map(str.lower, logins)) == {"anna@home.example"}


def test_who_has_no_right_certificate_is_no_login(club):
    for card in (club.forged, club.cards["stranger"], None):
        with Shown(club, card) as talk:
            assert "EXTERNAL" not in talk.offered and "PLAIN" in talk.offered
            assert talk.ask("AUTH EXTERNAL " + code("anna@home.example")).code == 504
            talk.expect("MAIL FROM:<anna@home.example>", 530)
    # It is right, but its name is no login.
    with Shown(club, club.cards["dora"]) as talk:
        talk.expect("AUTH EXTERNAL =", 535)
        talk.expect("MAIL FROM:<anna@home.example>", 530)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_resumed_session_is_still_that_of_the_certificate(club, version):
    with Shown(club, club.cards["anna"], version) as first:
        session, ctx = first.socket.session, first.context
    with Shown(club, session=session, ctx=ctx) as talk:
        assert talk.socket.session_reused
        talk.expect("AUTH EXTERNAL =", 235)
    club.wait_event("authenticated", login="anna@home.example")


def gsasl(server, *arguments, port=None, password=PASSWORD):
    """(succeeded, its side of the talk) of Debian's client."""
    result = subprocess.run(
        ["gsasl", "--smtp", f"--connect=127.0.0.1:{port or server.submission_port}",
         "--authentication-id=alice", f"--password={password}",
         f"--x509-ca-file={server.certificate}", *arguments],
        input="", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return result.returncode == 0 and "\n235 " in result.stdout, result.stdout


PLUS, BARE = "--mechanism=SCRAM-SHA-256-PLUS", "--mechanism=SCRAM-SHA-256"
EXPORTER = code("p=tls-exporter,,")[:16]  # how the first answer begins


def test_gsasl_binds_to_the_channel(scram):  # noqa: F811
    succeeded, said = gsasl(scram, PLUS, "--verbose")
    assert succeeded, said
    assert "(TLS1.3)" in said and EXPORTER in said, said
    event = scram.wait_event("authenticated")[-1]
    assert event["mechanism"] == "SCRAM-SHA-256-PLUS" and event["login"] == "alice"
    succeeded, said = gsasl(scram, PLUS, password="wrong")
    assert not succeeded and EXPORTER in said and "535 5.7.8" in said, said


class Between:
    """
    Who sits between client and server with the server's own key: TLS on both sides, so two
    channels.  strip is taken out of what the server says.  A thread for one client at a time.
    """

    def __init__(self, server, strip=b""):
        self.server, self.strip = server, strip
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(server.certificate, server.key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.settimeout(20)
            try:
                self.serve(client)
            except OSError:
                pass
            client.close()

    def serve(self, client):
        client.sendall(b"220 mail.home.example ESMTP\r\n")
        for answer in (b"250-mail.home.example\r\n250-STARTTLS\r\n250 HELP\r\n",
                       b"220 2.0.0 Go ahead\r\n"):
            while client.recv(1) not in (b"\n", b""):  # EHLO, STARTTLS
                pass
            client.sendall(answer)
        client = self.context.wrap_socket(client, server_side=True)
        lines = client.makefile("rb")
        with Talk(self.server.submissions_port, tls=True) as talk:
            while line := lines.readline(4096):
                reply = "\r\n".join(talk.ask(line).lines) + "\r\n"
                client.sendall(reply.encode().replace(self.strip, b""))
        client.close()


def through(between):
    """A client of our own, under TLS with whom it takes for the server."""
    talk = Talk(between.port)
    talk.ehlo()
    talk.expect("STARTTLS", 220)
    talk.start_tls()
    return talk


def test_nobody_can_sit_between(scram):  # noqa: F811
    with Between(scram) as between:
        # The client trusts the certificate, all is right but the channel.
        succeeded, said = gsasl(scram, PLUS, port=between.port)
        assert not succeeded and EXPORTER in said and "535 5.7.8" in said, said
        # Who does not bind is relayed: it is the binding that was refused.
        succeeded, said = gsasl(scram, BARE, "--no-cb", port=between.port)
        assert succeeded, said
    failed = scram.wait_event("auth_failed")[-1]
    assert failed["mechanism"] == "SCRAM-SHA-256-PLUS" and failed["login"] == "alice"


def test_a_binding_of_another_channel_or_kind(scram):  # noqa: F811
    end_point = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(scram.certificate).read())).digest()
    for bound in (b"", b"x" * 32, end_point):
        with Shown(scram) as talk:
            bent = Scram(gs2="p=tls-exporter,,", bound=bound)
            assert bent.log_in(talk, "SCRAM-SHA-256-PLUS").code == 535, bound
            talk.expect("MAIL FROM:<alice@home.example>", 530)


def test_a_client_that_is_not_offered_plus_is_told_of_it(scram):  # noqa: F811
    with Between(scram, strip=b"SCRAM-SHA-256-PLUS ") as between:
        with through(between) as talk:
            assert talk.ehlo()["AUTH"] == "SCRAM-SHA-256 PLAIN LOGIN"
            # "y": I could bind, and you do not offer it.
            assert Scram(gs2="y,,").log_in(talk).code == 535
        with through(between) as talk:
            talk.ehlo()
            assert Scram(gs2="n,,").log_in(talk).code == 235
