"""Passwords that a real Dovecot knows: its authentication socket, and what happens without it."""
import os
import signal
import socket as sockets
import threading

import pytest

from conftest import makes
from dovecot import Dovecot
from server import PASSWORD, process_rows
from talk import Talk, message
from test_auth import Scram, code, events, guess, offered, plain, until
from test_clients import assert_arrived, run

dovecot = makes(Dovecot)
USERS = {"alice": PASSWORD, "bob@home.example": "second"}


def server_with(postrider, socket, *limits, ready=True):
    server = postrider(passwords=None, extra=[
        f"authenticate with dovecot {socket}",
        "limits {", *(limits or ["authentication delay 50 ms"]), "}"])
    server.start()
    if ready:
        server.wait_event("dovecot_ready")
    return server


def log_in(server, login="alice", password=PASSWORD):
    return guess(server, login, password)[0]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_users_of_dovecot_log_in(postrider, dovecot, mechanism):
    server = server_with(postrider, dovecot(USERS).socket)
    assert offered(server) == ["PLAIN", "LOGIN"]
    run("swaks", "--server", f"127.0.0.1:{server.submissions_port}", "--tlsc", "--auth", mechanism,
        "--auth-user", "alice", "--auth-password", PASSWORD, "--from", "alice@home.example",
        "--to", "bob@home.example", "--header", "Subject: swaks", "--body",
        "Hello from a real client.\n.leading dot\nlast line\n", "--helo", "client.example")
    assert_arrived(server, "bob", "swaks", "ESMTPSA")
    event = until(lambda: events(server, "authenticated"))[0]
    assert event["login"] == "alice" and event["mechanism"] == mechanism


def test_what_a_user_of_dovecot_may_send_as(postrider, dovecot):
    server = server_with(postrider, dovecot(USERS).socket)
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.expect("AUTH PLAIN " + plain("bob@home.example", "second"), 235)
        talk.expect("MAIL FROM:<alice@home.example>", 553)
        talk.start("bob@home.example", "alice@home.example")
        assert talk.data(message("x", sender="bob@home.example")).code == 250
    assert b"ESMTPSA" in server.wait_mail("alice")[0]


def test_failures_look_alike_and_are_told_late(postrider, dovecot):
    server = server_with(postrider, dovecot(USERS).socket, "authentication delay 400 ms",
                         "authentication failures per host unlimited")
    took = {}
    for login in ("alice", "nobody"):
        replies = [guess(server, login) for _ in range(2)]
        assert {str(reply) for reply, _ in replies} == {str(replies[0][0])}
        assert replies[0][0].code == 535
        took[login] = replies[0][1]
        assert log_in(server).code == 235, "who logs in is not delayed"
        took[login] = replies
    assert str(took["alice"][0][0]) == str(took["nobody"][0][0])
    least = [0.4, 0.8, 1.6, 3.2]
    for (_, seconds), at_least in zip(took["alice"] + took["nobody"], least):
        assert seconds >= at_least
    server.wait_event("auth_failed", 4)
    assert [e["login"] for e in events(server, "auth_failed")] == ["alice"] * 2 + ["nobody"] * 2


def test_a_login_that_fails_often_must_pause(postrider, dovecot):
    server = server_with(postrider, dovecot(USERS).socket, "authentication delay 0 s",
                         "authentication failures per login 2", "authentication pause 10 min")
    assert [log_in(server, "alice", "wrong").code for _ in range(3)] == [535, 535, 454]
    assert log_in(server).code == 454, "the right one is not even asked for"
    assert log_in(server, "bob@home.example", "second").code == 235


def test_scram_with_dovecot(postrider, dovecot):
    server = server_with(postrider, dovecot(USERS, "plain login scram-sha-256 cram-md5").socket,
                         "authentication delay 0 s", "authentication failures per login 2")
    assert offered(server) == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        assert Scram().log_in(talk).code == 235
    for bent in (Scram(password="wrong"), Scram(login="nobody")):
        with Talk(server.submissions_port, tls=True) as talk:
            talk.ehlo()
            assert bent.log_in(talk).code == 535
    # What fails by SCRAM is counted for its login, too, and a success is not told then.
    assert log_in(server, "bob@home.example", "wrong").code == 535
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        assert Scram(login="bob@home.example", password="wrong").log_in(talk).code == 535
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        assert Scram(login="bob@home.example", password="second").log_in(talk).code == 454


def test_dovecot_comes_later_and_goes_away(postrider, dovecot):
    world = dovecot(USERS)
    world.end()
    server = server_with(postrider, world.socket, ready=False)
    server.wait_event("dovecot_unreachable")
    assert offered(server) == ["PLAIN", "LOGIN"]
    reply = log_in(server)
    assert (reply.code, reply.status) == (454, "4.7.0")
    world.start()
    until(lambda: log_in(server).code == 235)
    world.end()
    server.wait_event("dovecot_lost")
    assert log_in(server).code == 454
    # Mail from others goes on meanwhile.
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        talk.expect("RSET", 250)
    world.start()
    until(lambda: log_in(server).code == 235)
    assert len(events(server, "dovecot_unreachable")) <= 2, "why is said once in a row"


def test_what_is_left_of_an_old_dovecot_is_not_asked_for_ever(postrider, dovecot):
    world = dovecot(USERS)
    server = server_with(postrider, world.socket)
    assert log_in(server).code == 235
    left = world.end(whole=False)
    assert left and log_in(server).code == 235, "it still answers"
    world.users, world.users_file = {"alice": "another"}, "other"
    world.start()
    until(lambda: log_in(server, "alice", "another").code == 235)
    assert log_in(server).code == 535
    until(lambda: not {pid for pid, _, _ in process_rows()} & set(left))
    # Nor where none comes instead.
    world.end(whole=False)
    until(lambda: log_in(server, "alice", "another").code == 454)


def test_dovecot_killed_in_the_middle(postrider, dovecot):
    world = dovecot(USERS, "plain login scram-sha-256")
    server = server_with(postrider, world.socket)
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        client = Scram()
        challenge = talk.expect(f"AUTH SCRAM-SHA-256 {client.first()}", 334).text
        world.kill_auth()
        server.wait_event("dovecot_lost")
        assert talk.ask(client.final(challenge.strip())).code == 454
        until(lambda: talk.ask("AUTH PLAIN " + plain("alice", PASSWORD)).code in (235, 503))


def test_dovecot_does_not_answer(postrider, dovecot):
    """One that hangs holds nobody else: who gives up is forgotten, and it is killed in between."""
    world = dovecot(USERS)
    server = server_with(postrider, world.socket)
    world.kill_auth(signal.SIGSTOP)
    waiting = Talk(server.submissions_port, tls=True)
    waiting.ehlo()
    waiting.send("AUTH PLAIN " + plain("alice", PASSWORD) + "\r\n")
    with Talk(server.submissions_port, tls=True) as gone:
        gone.ehlo()
        gone.send("AUTH PLAIN " + plain("alice", PASSWORD) + "\r\n")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
    world.kill_auth(signal.SIGKILL)
    assert waiting.reply().code == 454
    waiting.close()
    until(lambda: log_in(server).code == 235)


def test_what_is_too_long_for_dovecot_hurts_nobody(postrider, dovecot):
    server = server_with(postrider, dovecot(USERS, "plain login xoauth2 oauthbearer").socket)
    long = code("user=alice\1auth=Bearer " + "x" * 8000 + "\1\1")
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        assert talk.ask(f"AUTH XOAUTH2 {long}").code == 535
    assert log_in(server).code == 235
    assert not events(server, "dovecot_lost")


def test_a_reload_and_deaths(postrider, dovecot):
    world = dovecot(USERS)
    server = server_with(postrider, world.socket)
    os.kill(server.process.pid, signal.SIGHUP)
    server.wait_event("config_replaced")
    until(lambda: log_in(server).code == 235)
    for role in ("lookup", "keyring"):
        server.kill_role(role)
        until(lambda: log_in(server).code == 235)


class Liar:
    """Something at the socket that is no Dovecot."""

    def __init__(self, path, says):
        self.listener = sockets.socket(sockets.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(5)
        self.says = says
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.sendall(self.says)
                    while peer.recv(65536):
                        pass
                except OSError:
                    pass  # We were closed upon, as we should be.

    def stop(self):
        self.listener.shutdown(sockets.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize("says", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100000, b"VERSION\t2\t0\nDONE\n", b"DONE\n",
    b"VERSION\t1\t2\nOK\t1\tuser=alice\n", b"\0" * 200000, b"VERSION\t1\t2\nMECH\n"],
    ids=["http", "version", "nothing", "a verdict at once", "no line", "a broken line"])
def test_who_is_not_dovecot_lets_nobody_in(postrider, says):
    server = postrider(passwords=None)
    server.extra = [f"authenticate with dovecot {server.directory}/liar"]
    liar = Liar(server.directory / "liar", says)
    server.start()
    server.wait_event("dovecot_lost")
    assert log_in(server).code == 454
    liar.stop()


def test_a_table_beside_dovecot_is_refused(postrider):
    server = postrider(extra=["authenticate with dovecot /nowhere"])
    server.write_files()
    result = server.run("config", "check")
    assert result.returncode != 0
    assert b"take one of the two away" in result.stdout + result.stderr
