"""Clients that send as fast as they are let, and remember every promise that they were given."""
import threading
import time

from talk import Closed, Talk, message, queue_id
from waiting import PATIENCE_S


class Load:
    """
    Sends messages from several threads until end().  Each has a token and goes to alice and to a
    user at far.example.  promised has the tokens that were answered 250, doubtful those whose reply
    never came.
    """

    def __init__(self, port, clients=4, body="x" * 70 + "\r\n"):
        self.port, self.body = port, body * 20
        self.promised, self.doubtful, self.refused = [], [], 0
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.client, args=(n,), daemon=True)
                        for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def client(self, number):
        count = 0
        while not self.ending.is_set():
            try:
                with Talk(self.port) as talk:
                    talk.ehlo()
                    for _ in range(10):
                        count += 1
                        self.send(talk, f"load-{number}-{count}")
                        if self.ending.is_set():
                            break
            except (OSError, Closed, AssertionError):
                self.refused += 1
                time.sleep(0.05)

    def send(self, talk, token):
        talk.start("sender@client.example", "alice@home.example", "ann@far.example")
        talk.expect("DATA", 354)
        talk.send(message(token, body=self.body) + b".\r\n")
        try:
            reply = talk.reply()
        except (OSError, Closed):
            with self.lock:
                self.doubtful.append(token)
            raise
        if reply.code == 250:
            queue_id(reply)
            with self.lock:
                self.promised.append(token)
        elif "may then arrive twice" in str(reply):
            with self.lock:
                self.doubtful.append(token)

    def wait_promised(self, more, seconds=PATIENCE_S):
        """Returns once so many more promises were given than now."""
        goal = len(self.promised) + more
        end = time.monotonic() + seconds
        while len(self.promised) < goal:
            assert time.monotonic() < end, (
                f"only {len(self.promised)} of {goal} messages accepted, {self.refused} refusals")
            time.sleep(0.01)

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE_S)
            assert not thread.is_alive(), "a client hangs"
