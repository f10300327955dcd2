"""Servers far away: the next message's commands go out behind the end of the one before it."""
import json
import socket
import threading
import time

import logs
from conftest import makes
from talk import message, submit
from test_delivery import ALICE, RELAY, through

ANN = "ann@far.example"


class Far:
    """
    A server at the end of a long line.  On its first connection it answers the second message only
    once it has seen the commands of a third behind it, or has waited for `patience` seconds, and has
    thought about it.
    """

    def __init__(self, patience=10, thinks=0, line_s=0.03, dot=b"250 2.0.0 taken", mail=b"250 ok",
                 offers=b"250-8BITMIME\r\n250 PIPELINING"):
        self.patience, self.thinks, self.offers = patience, thinks, offers
        self.line_s = line_s  # what each reply takes: the line is long
        self.dot = dot    # the reply to that second message; None: it goes without one
        self.mail = mail  # the reply to the MAIL that came behind it
        self.taken = []   # tokens, in order
        self.behind = []  # what came behind that second message, in lines
        self.begun = []   # when each connection was made
        self.open = self.open_most = 0
        self.thought = 0  # when the second message was answered
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.begun.append(time.monotonic())
                self.open += 1
                self.open_most = max(self.open_most, self.open)
                session = Session(self, connection, len(self.begun) == 1)
            threading.Thread(target=session.serve, daemon=True).start()


class Session:
    def __init__(self, far, connection, is_first):
        self.far, self.connection, self.is_first = far, connection, is_first
        self.input, self.count, self.mail, self.has_left = b"", 0, b"250 ok", False

    def serve(self):
        try:
            with self.connection:
                self.say(b"220 far")
                while self.answer(self.line().upper()[:4]):
                    pass
        except OSError:
            pass
        self.leave()

    def leave(self):
        """It is over for the client, however long the last reply takes."""
        with self.far.lock:
            self.far.open -= not self.has_left
        self.has_left = True

    def read(self):
        piece = self.connection.recv(1 << 16)
        if not piece:
            raise OSError
        self.input += piece

    def line(self):
        while b"\r\n" not in self.input:
            self.read()
        line, _, self.input = self.input.partition(b"\r\n")
        return line

    def say(self, reply):
        time.sleep(self.far.line_s)
        self.connection.sendall(reply + b"\r\n")

    def answer(self, verb):
        if verb == b"QUIT":
            self.leave()
        if verb == b"DATA":
            self.say(b"354 go on")
            self.take_message()
        elif verb == b"MAIL":
            self.say(self.mail)
            self.mail = b"250 ok"
        else:
            self.say({b"EHLO": b"250-far\r\n" + self.far.offers, b"QUIT": b"221 bye"}.get(verb, b"250 ok"))
        return verb != b"QUIT"

    def take_message(self):
        body = []
        while (line := self.line()) != b".":
            body.append(line)
        if not body:
            self.say(b"554 5.5.1 nothing")
            return
        token = next(line[9:].decode() for line in body if line.startswith(b"X-Token: "))
        self.count += 1
        reply = b"250 2.0.0 taken"
        if self.is_first and self.count == 2:
            self.wait_for_what_is_behind()
            reply, self.mail = self.far.dot, self.far.mail
        with self.far.lock:
            self.far.taken.append(token)
        if reply is None:
            raise OSError
        self.say(reply)

    def wait_for_what_is_behind(self):
        end = time.monotonic() + self.far.patience
        try:
            while not self.input.endswith(b"DATA\r\n"):
                self.connection.settimeout(max(0.01, end - time.monotonic()))
                self.read()
        except TimeoutError:
            pass
        self.connection.settimeout(None)
        self.far.behind = self.input.decode().splitlines()
        time.sleep(self.far.thinks)
        self.far.thought = time.monotonic()


far_server = makes(Far)


def send_three(postrider, far, more=(), retry="1 s"):
    """Three messages to a destination that has one connection; gives the server and their ids."""
    server = postrider(retry=retry, routes=[through(far.port)], extra=[
        *RELAY, "reception processes 1", "hold all mail", "queue { connections per destination 1; connections at first 1 }", *more])
    server.start()
    ids = [submit(server.smtp_port, ALICE, ANN, message(f"m{number}")) for number in range(3)]
    server.queue("release", "all")
    return server, ids


def steps(server, found):
    [attempt] = json.loads(server.run("trace", found, "--json").stdout)["attempts"]
    return [step["text"] for step in attempt["steps"]]


def test_a_message_goes_behind_another(postrider, far_server):
    far = far_server()
    server, ids = send_three(postrider, far, ["delivery { slow attempt 1 ms }"])
    server.wait_queue_empty()
    assert far.behind == [f"MAIL FROM:<{ALICE}>", f"RCPT TO:<{ANN}>", "DATA"]
    assert far.taken == ["m0", "m1", "m2"] and len(far.begun) == 1
    # Its transcript has its own dialogue, and no other's.
    said = steps(server, ids[2])
    assert any(text.startswith("behind another message, on a connection to") for text in said), said
    assert [text for text in said if text.startswith(("MAIL", "RCPT", "DATA"))] == far.behind
    assert said.index("its turn has come") < said.index("354 go on")


def test_the_first_is_in_doubt_where_the_connection_ends_and_the_second_is_not(postrider, far_server):
    far = far_server(dot=None)
    server, ids = send_three(postrider, far)
    server.wait_queue_empty()
    assert len(far.behind) == 3
    # The server had the second message, and nobody knew: it may come twice, and only it.
    assert sorted(far.taken) == ["m0", "m1", "m1", "m2"]
    [doubt] = logs.select(server.events(), logs.DEFERRED)
    assert doubt["id"] == ids[1]
    assert not logs.select(server.events(), logs.DEFERRED, id=ids[2])


def test_who_stumbles_over_it_is_asked_again(postrider, far_server):
    far = far_server(mail=b"503 5.5.1 what is this")
    server, _ = send_three(postrider, far)
    server.wait_queue_empty()
    assert len(far.behind) == 3 and sorted(far.taken) == ["m0", "m1", "m2"]
    assert not logs.select(server.events(), logs.DEFERRED) and len(far.begun) == 2


def test_who_takes_long_is_not_waited_for(postrider, far_server):
    """What is behind is taken back, and waits for the connection, of which there may be one."""
    far = far_server(thinks=3.2)
    server, _ = send_three(postrider, far)
    server.wait_queue_empty()
    assert far.taken == ["m0", "m1", "m2"] and len(far.behind) == 3
    assert len(far.begun) == 2 and far.begun[1] > far.thought


def test_without_pipelining_nothing_goes_behind(postrider, far_server):
    far = far_server(patience=0.5, offers=b"250 8BITMIME")
    server, _ = send_three(postrider, far)
    server.wait_queue_empty()
    assert far.behind == [] and far.taken == ["m0", "m1", "m2"] and len(far.begun) == 1


def test_a_quick_line_is_left_as_it_is(postrider, sink):
    """Where nothing is to be gained nothing is risked."""
    far = sink()
    server, _ = send_three(postrider, far)
    far.wait_messages(3)
    server.wait_queue_empty()
    assert far.sessions == 1 and not logs.select(server.events(), "reconnect")


def test_the_farther_it_is_the_more_connections_it_may_have(postrider, far_server):
    """What takes less than 100 ms is near enough for as many as any destination has."""
    most = {}
    for line_s in (0.02, 0.12):
        far = far_server(patience=0.01, line_s=line_s)
        server = postrider(routes=[through(far.port)], extra=[
            *RELAY, "hold all mail", "queue { connections per destination 2; connections at first 2\n"
            "connections per far destination 4 }"]).start()
        for number in range(12):
            submit(server.smtp_port, ALICE, ANN, message(f"m{number}"))
        server.queue("release", "all")
        server.wait_queue_empty()
        assert len(far.taken) == 12
        most[line_s] = far.open_most
    assert most == {0.02: 2, 0.12: 4}
