"""Authentication: mechanisms, the table of passwords, and what a guesser meets."""
import base64
import hashlib
import hmac
import secrets
import ssl
import subprocess
import time

import pytest

import logs
from server import PASSWORD, PROGRAM
from talk import Closed, Talk
from test_clients import assert_arrived, msmtp_config, run, text
from waiting import until as until_what


def until(fact):
    """While the server reloads a handshake may fail."""
    def patient():
        try:
            return fact()
        except (ssl.SSLError, ConnectionError, Closed):
            return None
    return until_what(patient, "what the test waits for")


def code(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def plain(login, password):
    return code(f"\0{login}\0{password}")


def user(server, *arguments, password=None):
    return subprocess.run([PROGRAM, "user", *arguments, "--config", str(server.config)],
                          input=password and password + "\n", text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def events(server, name):
    return logs.select(server.events(), name)


def offered(server):
    with Talk(server.submissions_port, tls=True) as talk:
        return talk.ehlo().get("AUTH", "").split()


def serves(server):
    """All that a reload replaces is there again."""
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        return (Scram().log_in(talk).code == 235
                and talk.ask("MAIL FROM:<alice@home.example>").code == 250)


@pytest.fixture
def scram(postrider):
    """A server whose only login was made by "postrider user"."""
    server = postrider(passwords={}, extra=["limits {", "authentication delay 50 ms", "}"])
    server.start()
    added = user(server, "add", "alice", password=PASSWORD)
    assert added.returncode == 0 and "told to reload" in added.stdout, added.stdout
    until(lambda: serves(server))
    return server


def binding(server):
    certificate = ssl.PEM_cert_to_DER_cert(open(server.certificate).read())
    return hashlib.sha256(certificate).digest()


class Scram:
    """RFC 5802, the client's side, as bent as a test wants it."""

    def __init__(self, login="alice", password=PASSWORD, gs2="n,,", bound=b""):
        self.login, self.password, self.gs2, self.bound = login, password, gs2, bound
        self.nonce = secrets.token_urlsafe(18)
        self.bare = f"n={login},r={self.nonce}"

    def first(self):
        return code(self.gs2 + self.bare)

    def final(self, challenge, nonce=None):
        server_first = base64.b64decode(challenge).decode()
        self.fields = dict(part.split("=", 1) for part in server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(),
                                     base64.b64decode(self.fields["s"]), int(self.fields["i"]))
        without = f"c={code(self.gs2.encode() + self.bound)},r={nonce or self.fields['r']}"
        message = ",".join([self.bare, server_first, without]).encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return code(f"{without},p={code(proof)}")

    def log_in(self, talk, mechanism="SCRAM-SHA-256"):
        reply = talk.ask(f"AUTH {mechanism} {self.first()}")
        if reply.code != 334:
            return reply
        assert reply.text.strip()
        reply = talk.ask(self.final(reply.text.strip()))
        if reply.code != 334:
            return reply
        assert base64.b64decode(reply.text.strip()).decode() == "v=" + code(self.expected)
        return talk.ask("")


def test_scram_is_offered_where_all_logins_can(scram):
    assert offered(scram) == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
    with Talk(scram.submissions_port, tls=True) as talk:
        talk.ehlo()
        assert Scram().log_in(talk).code == 235
        talk.expect("MAIL FROM:<alice@home.example>", 250)
    event = until(lambda: events(scram, "authenticated"))[-1]
    assert event["mechanism"] == "SCRAM-SHA-256" and event["login"] == "alice"


def test_scram_bound_to_the_channel(scram):
    gs2 = "p=tls-server-end-point,,"
    with Talk(scram.submissions_port, tls=True) as talk:
        talk.ehlo()
        bent = Scram(gs2=gs2, bound=b"x" * 32)
        assert bent.log_in(talk, "SCRAM-SHA-256-PLUS").code == 535
        good = Scram(gs2=gs2, bound=binding(scram))
        assert good.log_in(talk, "SCRAM-SHA-256-PLUS").code == 235


def test_scram_failures(scram):
    bent = [Scram(password="wrong"), Scram(login="nobody"), Scram(gs2="y,,"),
            Scram(gs2="p=tls-server-end-point,,", bound=binding(scram)), Scram(gs2="n,a=root,")]
    for client in bent:
        with Talk(scram.submissions_port, tls=True) as talk:
            talk.ehlo()
            assert client.log_in(talk).code == 535, client.__dict__
            talk.expect("MAIL FROM:<alice@home.example>", 530)


def test_scram_tells_nobody_who_exists(scram):
    def salt_of(login):
        with Talk(scram.submissions_port, tls=True) as talk:
            talk.ehlo()
            client = Scram(login=login)
            reply = talk.expect(f"AUTH SCRAM-SHA-256 {client.first()}", 334)
            client.final(reply.text.strip())
            return client.fields["s"], client.fields["i"]

    salts = {login: salt_of(login) for login in ("alice", "nobody", "nobodz")}
    assert len({len(salt) for salt, _ in salts.values()}) == 1
    assert len({count for _, count in salts.values()}) == 1
    assert len(set(salts.values())) == 3
    assert salt_of("NOBODY") == salts["nobody"]
    # Nor by a reload: what is made up comes from a secret of the table.
    user(scram, "add", "bob", password="b")
    until(lambda: len(events(scram, "config_replaced")) >= 2)
    assert until(lambda: salt_of("nobody")) == salts["nobody"]


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "plain", "login"])
def test_msmtp_with_a_login_of_ours(scram, mechanism):
    config = msmtp_config(
        scram, scram.submissions_port, f"auth {mechanism}", "user alice", f"password {PASSWORD}",
        "tls on", "tls_starttls off", f"tls_trust_file {scram.certificate}")
    run("msmtp", "-C", config, "bob@home.example", input=text("msmtp"))
    assert_arrived(scram, "bob", "msmtp", "ESMTPSA")


def test_an_old_hash_ends_scram(postrider):
    server = postrider()
    server.start()
    assert offered(server) == ["PLAIN", "LOGIN"]
    assert user(server, "add", "bob", password="b").returncode == 0
    until(lambda: guess(server, "bob", "b")[0].code == 235)
    assert offered(server) == ["PLAIN", "LOGIN"]
    listed = user(server, "list").stdout
    assert "alice" in listed and "bob" in listed and "!secret" not in listed
    assert "SCRAM" not in [line for line in listed.splitlines() if "alice" in line][0]


def test_user_passwd_and_remove(scram):
    def try_login(password):
        with Talk(scram.submissions_port, tls=True) as talk:
            talk.ehlo()
            return talk.ask("AUTH PLAIN " + plain("alice", password)).code

    assert user(scram, "add", "alice", password="x").returncode == 1
    assert user(scram, "passwd", "nobody", password="x").returncode == 1
    assert user(scram, "add", "a b", password="x").returncode == 65
    assert user(scram, "passwd", "alice", password="").returncode == 65
    assert user(scram, "passwd", "alice", password="new").returncode == 0
    until(lambda: try_login("new") == 235)
    # Another process of reception may still ask the keyring of before.
    until(lambda: try_login(PASSWORD) == 535)
    assert user(scram, "add", "bob", password="b").returncode == 0
    assert user(scram, "remove", "alice").returncode == 0
    until(lambda: try_login("new") == 535)
    mode = (scram.directory / "passwords").stat().st_mode
    assert not (scram.directory / "passwords.new").exists()
    assert "new" not in (scram.directory / "passwords").read_text().replace("$", "\n").split(), mode


def guesser(postrider, *limits):
    server = postrider(extra=["limits {", *limits, "}"])
    server.start()
    return server


def guess(server, login, password="wrong"):
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        begun = time.monotonic()
        reply = talk.ask("AUTH PLAIN " + plain(login, password))
        return reply, time.monotonic() - begun


def test_failures_are_told_late_and_alike(postrider):
    server = guesser(postrider, "authentication delay 1 s")
    for login, least in (("alice", 1), ("nobody", 2)):
        reply, took = guess(server, login)
        assert reply.code == 535 and took >= least, (login, took)
    reply, took = guess(server, "alice", PASSWORD)
    assert reply.code == 235 and took < 4, "a success is told as late as a failure would be"
    until(lambda: [e["login"] for e in events(server, "auth_failed")] == ["alice", "nobody"])


def test_a_login_that_fails_often_must_pause(postrider):
    server = guesser(postrider, "authentication delay 0 s", "authentication failures per login 3",
                     "authentication pause 5 min")
    # Nobody can tell from it who exists.
    for login in ("bob", "nobody"):
        assert [guess(server, login)[0].code for _ in range(4)] == [535, 535, 535, 454]
    reply, _ = guess(server, "BOB")
    assert reply.code == 454 and "try again in 5 minutes" in reply.text
    assert guess(server, "alice", PASSWORD)[0].code == 235
    # Where a login has succeeded its user is known, and let through.
    assert [guess(server, "alice")[0].code for _ in range(5)] == [535] * 5
    assert guess(server, "alice", PASSWORD)[0].code == 235
    server.wait_event("auth_deferred")


@pytest.mark.parametrize("per", ["login", "host"])
def test_a_pause_ends(postrider, per):
    server = guesser(postrider, "authentication delay 0 s", f"authentication failures per {per} 3",
                     "authentication pause 2 s")
    until(lambda: guess(server, "bob")[0].code == 454)
    until(lambda: guess(server, "bob")[0].code == 535)


def test_an_address_that_fails_often_must_pause(postrider):
    server = guesser(postrider, "authentication delay 0 s", "authentication failures per host 3",
                     "authentication pause 10 min")
    assert [guess(server, f"user{i}")[0].code for i in range(4)] == [535, 535, 535, 454]
    # The right password is not even looked at.
    assert guess(server, "alice", PASSWORD)[0].code == 454


def test_a_reload_forgets_no_failures(postrider):
    server = guesser(postrider, "authentication delay 0 s", "authentication failures per login 3",
                     "authentication pause 10 min")
    assert [guess(server, "bob")[0].code for _ in range(4)] == [535, 535, 535, 454]
    first = server.role_pids("keyring")
    assert "config_replaced" in server.reload()
    assert not set(first) & set(server.role_pids("keyring"))
    assert until(lambda: guess(server, "bob")[0]).code == 454
    # Nor does its end, however it came.
    second = server.kill_role("keyring")
    until_what(lambda: set(server.role_pids("keyring")) - set(second), "another keyring")
    until(lambda: guess(server, "alice", PASSWORD)[0].code == 235)
    assert guess(server, "bob")[0].code == 454
