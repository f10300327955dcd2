"""AUTH with signed tokens: OAUTHBEARER and XOAUTH2, as curl speaks them and by hand."""
import base64
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import makes
from dovecot import Dovecot
from server import PASSWORD, make_directory
from talk import Talk, message
from test_auth import code, events, offered, plain, until
from test_clients import run

dovecot = makes(Dovecot)
ISSUER, AUDIENCE = "https://id.home.example/", "smtp.home.example"
ALGORITHMS = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
              "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "EdDSA": ["ED25519"]}


def base64url(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def openssl(*arguments, input=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=input, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


class Issuer:
    """Somebody who signs tokens: a key of each kind, in a directory of its own."""

    def __init__(self):
        self.directory = make_directory()
        for name, kind in ALGORITHMS.items():
            openssl("genpkey", "-algorithm", *kind, "-out", self.directory / name)

    def stop(self):
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()

    def public_pem(self, *names):
        return b"".join(openssl("pkey", "-in", self.directory / name, "-pubout") for name in names)

    def jwks(self):
        """All keys, their numbers as "openssl" prints them."""
        def numbers(name, field):
            text = openssl("pkey", "-in", self.directory / name, "-pubout", "-text").decode()
            found = text.split(field + ":")[1].split("\n", 1)[1]
            lines = []
            for line in found.splitlines():
                if not line.startswith("    "):
                    break
                lines.append(line.strip())
            return bytes.fromhex("".join(lines).replace(":", ""))

        modulus = numbers("RS256", "Modulus").lstrip(b"\0")
        point = numbers("ES256", "pub")
        return json.dumps({"keys": [
            {"kty": "RSA", "kid": "r", "use": "sig", "n": base64url(modulus), "e": "AQAB"},
            {"kty": "EC", "kid": "e", "crv": "P-256", "x": base64url(point[1:33]),
             "y": base64url(point[33:])},
            {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": base64url(numbers("EdDSA", "pub"))},
            {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}]}).encode()

    def sign(self, algorithm, text):
        key = self.directory / algorithm
        if algorithm == "EdDSA":
            path = self.directory / "text"
            path.write_bytes(text)
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path)
        signature = openssl("dgst", "-sha256", "-sign", key, input=text)
        if algorithm == "RS256":
            return signature
        # DER: SEQUENCE { INTEGER r, INTEGER s }
        numbers, at = [], 2
        for _ in range(2):
            length = signature[at + 1]
            numbers.append(signature[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0"))
            at += 2 + length
        return b"".join(numbers)

    def token(self, algorithm="EdDSA", header=None, **claims):
        now = int(time.time())
        said = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 600, "nbf": now, "sub": "7",
                "email": "alice@home.example", "scope": "openid mail.send", **claims}
        header = {"alg": algorithm, "typ": "JWT", **(header or {})}
        text = f"{base64url(header)}.{base64url({k: v for k, v in said.items() if v is not None})}"
        return f"{text}.{base64url(self.sign(algorithm, text.encode()))}"


issuers = makes(Issuer)


@pytest.fixture
def issuer(issuers):
    return issuers()


def server_with(postrider, keys, *more, limits=("authentication delay 50 ms",), **options):
    server = postrider(**{"passwords": None, **options})
    (server.directory / "keys").write_bytes(keys)
    server.extra = [f"token keys from {server.directory}/keys", f"token issuer {ISSUER}",
                    f"token audience {AUDIENCE}", "token scope mail.send",
                    "limits {", *limits, "}", *more]
    return server


def bearer(token, login="alice@home.example"):
    return code(f"n,a={login},\1host=x\1port=465\1auth=Bearer {token}\1\1")


def xoauth2(token, login="alice@home.example"):
    return code(f"user={login}\1auth=Bearer {token}\1\1")


def attempt(server, command, answer="AQ=="):
    """The reply, and what a refusal's challenge said."""
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        reply = talk.ask(command)
        if reply.code != 334:
            return reply, None
        said = json.loads(base64.b64decode(reply.text.strip()))
        reply = talk.ask(answer)
        talk.expect("MAIL FROM:<alice@home.example>", 530)
        return reply, said


@pytest.mark.parametrize("form", ["pem", "jwks"])
def test_tokens_of_each_kind(postrider, issuer, form):
    keys = issuer.jwks() if form == "jwks" else issuer.public_pem(*ALGORITHMS)
    server = server_with(postrider, keys).start()
    assert offered(server) == ["OAUTHBEARER", "XOAUTH2"]
    for algorithm in ALGORITHMS:
        reply, _ = attempt(server, "AUTH OAUTHBEARER " + bearer(issuer.token(algorithm)))
        assert reply.code == 235, algorithm
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        # Without an initial response there is an empty challenge first.
        assert talk.expect("AUTH XOAUTH2", 334).text.strip() == ""
        talk.expect(xoauth2(issuer.token("RS256")), 235)
        talk.expect("MAIL FROM:<bob@home.example>", 553)
        talk.start("alice@home.example", "bob@home.example")
        assert talk.data(message("x", sender="alice@home.example")).code == 250
    server.wait_mail("bob")
    event = until(lambda: events(server, "authenticated"))[-1]
    assert event["login"] == "alice@home.example" and event["mechanism"] == "XOAUTH2"


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_curl_with_a_token(postrider, issuer, mechanism):
    server = server_with(postrider, issuer.public_pem("ES256")).start()
    mail = server.directory / "mail.txt"
    mail.write_bytes(message("curl", sender="alice@home.example"))

    def send(token):
        return ["curl", "--silent", "--show-error", "--cacert", server.certificate, "--connect-to",
                f"mail.home.example:{server.submissions_port}:127.0.0.1:{server.submissions_port}",
                f"smtps://mail.home.example:{server.submissions_port}", "--mail-from",
                "alice@home.example", "--mail-rcpt", "bob@home.example", "--upload-file", str(mail),
                "--user", "alice@home.example:", "--login-options", f"AUTH={mechanism}",
                "--oauth2-bearer", token]

    run(*send(issuer.token("ES256")))
    assert b"X-Token: curl" in server.wait_mail("bob")[0]
    refused = subprocess.run(send(issuer.token("ES256", exp=1)), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=60)
    assert refused.returncode == 67, refused  # CURLE_LOGIN_DENIED


def test_tokens_that_are_wrong(postrider, issuer, issuers):
    server = server_with(postrider, issuer.public_pem("EdDSA", "RS256"),
                         limits=["authentication failures per host unlimited", "failure rate per host unlimited",
                                 "authentication delay 0 s"]).start()
    good = issuer.token()
    head, claims, signature = good.split(".")
    other = issuers()
    wrong = {
        "its signature is wrong": [other.token(), other.token("RS256"), f"{head}.{claims}.AAAA",
                                   f"{head}.{claims}."],
        "none of our keys is for it": [issuer.token("ES256")],
        "its algorithm is not RS256, ES256 or EdDSA": [
            f"{base64url({'alg': 'none'})}.{claims}.",
            f"{base64url({'alg': 'HS256'})}.{claims}.{signature}"],
        "it is no signed token": ["x", "a.b.c", good + ".x", good + "=", "x" * 8000],
        "it wants something to be understood that is not": [issuer.token(header={"crit": ["exp"]})],
        "its issuer is another": [issuer.token(iss="https://id.far.example/"), issuer.token(iss=None)],
        "it is for another audience": [issuer.token(aud=["imap.home.example"])],
        "it has expired, or never would": [issuer.token(exp=int(time.time()) - 100),
                                           issuer.token(exp=None)],
        "it is not valid yet": [issuer.token(nbf=int(time.time()) + 100)],
        "its scope is another": [issuer.token(scope="openid"), issuer.token(scope=None)],
        "it names no login, or one that is not verified": [
            issuer.token(email=None), issuer.token(email_verified=False)],
        "it is somebody else's than the client says": [issuer.token(email="bob@home.example")],
    }
    count = 0
    for why, tokens in wrong.items():
        for token in tokens:
            for command in ("AUTH OAUTHBEARER " + bearer(token), "AUTH XOAUTH2 " + xoauth2(token)):
                reply, said = attempt(server, command, "" if "XOAUTH2" in command else "AQ==")
                assert (reply.code, reply.status) == (535, "5.7.8"), (why, reply)
                assert said["status"] in ("invalid_token", "401") and said["scope"] == "mail.send"
                count += 1
                event = server.wait_event("auth_failed", count)[-1]
                assert event["text"] == why and event["login"] == "alice@home.example"
    reply, _ = attempt(server, "AUTH OAUTHBEARER " + bearer(good))
    assert reply.code == 235
    for malformed in (code("x"), code(f"p=x,,\1auth=Bearer {good}\1\1"), "="):
        reply, _ = attempt(server, "AUTH OAUTHBEARER " + malformed)
        assert reply.code == 501, malformed
    assert good not in server.log_text() and signature not in server.log_text()


def test_made_up_tokens_are_counted_and_lock_no_user_out(postrider, issuer):
    server = server_with(postrider, issuer.public_pem("EdDSA"),
                         limits=["authentication delay 300 ms", "authentication failures per login 2",
                                 "authentication failures per host 4", "authentication pause 3 s"],
                         passwords={"alice@home.example": PASSWORD}).start()
    login = "AUTH PLAIN " + plain("alice@home.example", PASSWORD)
    for _ in range(3):
        begun = time.monotonic()
        assert attempt(server, "AUTH OAUTHBEARER " + bearer("x"))[0].code == 535
        assert time.monotonic() - begun >= 0.3
    assert attempt(server, login)[0].code == 235
    assert attempt(server, "AUTH XOAUTH2 " + xoauth2("x"))[0].code == 535
    until(lambda: attempt(server, "AUTH XOAUTH2 " + xoauth2("x"))[0].code == 454)
    until(lambda: attempt(server, login)[0].code == 235)


def test_other_keys_come_with_a_reload(postrider, issuer, issuers):
    server = server_with(postrider, issuer.public_pem("EdDSA")).start()
    other = issuers()
    (server.directory / "keys").write_bytes(other.jwks())
    server.process.send_signal(signal.SIGHUP)
    until(lambda: attempt(server, "AUTH XOAUTH2 " + xoauth2(other.token("ES256")))[0].code == 235)
    # Another process of reception may still ask the keyring of before.
    until(lambda: attempt(server, "AUTH XOAUTH2 " + xoauth2(issuer.token()))[0].code == 535)
    # What cannot be used changes nothing, and keeps a server from starting.
    (server.directory / "keys").write_text("nothing")
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("token_keys_refused")
    server.wait_event("config_kept")
    assert attempt(server, "AUTH XOAUTH2 " + xoauth2(other.token()))[0].code == 235
    server.stop()
    server.launch()
    assert server.process.wait(60) == 78


def test_private_keys_are_refused(postrider, issuer):
    server = server_with(postrider, (issuer.directory / "EdDSA").read_bytes())
    server.start(wait=False)
    assert server.process.wait(60) == 78
    assert "only public ones may be here" in server.log_text()


def test_tokens_beside_dovecot(postrider, issuer, dovecot):
    """Ours are judged here, whatever Dovecot knows of them; passwords are Dovecot's."""
    world = dovecot({"alice@home.example": PASSWORD})
    server = server_with(postrider, issuer.public_pem("EdDSA"),
                         f"authenticate with dovecot {world.socket}").start()
    server.wait_event("dovecot_ready")
    assert offered(server) == ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"]
    assert attempt(server, "AUTH PLAIN " + plain("alice@home.example", PASSWORD))[0].code == 235
    world.end()
    assert attempt(server, "AUTH OAUTHBEARER " + bearer(issuer.token()))[0].code == 235
    for pid in server.role_pids("lookup"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: attempt(server, "AUTH OAUTHBEARER " + bearer(issuer.token()))[0].code == 235)
