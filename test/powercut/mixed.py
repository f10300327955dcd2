"""Mail of all sizes to all kinds of destinations; every promise is remembered with what it was for."""
import hashlib
import random
import re
import threading
import time

from talk import Closed, Talk, queue_id

TOKEN = re.compile(rb"^X-Token: (\S+)\r?$", re.M)
DIGEST = re.compile(rb"^X-Digest: (\S+)\r?$", re.M)

ADDRESSES = {"alice": "alice@home.example", "bob": "bob@home.example",
             "far": "ann@far.example", "dead": "joe@dead.example"}
# How often which destinations, and which sizes.  From 120 KB on a body has a file of its own.
PLACES = [(30, ("alice",)), (10, ("bob",)), (25, ("far",)), (10, ("alice", "far")),
          (5, ("alice", "bob", "far")), (14, ("dead",)), (6, ("alice", "dead"))]
SIZES = [(60, (200, 8 << 10)), (25, (8 << 10, 100 << 10)), (12, (130 << 10, 400 << 10)),
         (3, (1 << 20, 3 << 20))]


def pick(chance, rows):
    return chance.choices([row[1] for row in rows], [row[0] for row in rows])[0]


def digest(body):
    return hashlib.sha1(body.replace(b"\r\n", b"\n")).hexdigest()


def make_message(token, size):
    line = f"{token} says that this line is of its own message and of no other.\r\n"
    body = (line * (size // len(line) + 1)).encode()
    return (f"From: <load@client.example>\r\nTo: <x@home.example>\r\nSubject: {token}\r\n"
            f"Date: Tue, 24 Nov 2026 03:04:05 +0000\r\nMessage-ID: <{token}@client.example>\r\n"
            f"X-Token: {token}\r\nX-Digest: {digest(body)}\r\n\r\n").encode() + body


def read_message(data):
    """The token of a message that arrived; None where it is not whole."""
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    token, said = TOKEN.search(head), DIGEST.search(head)
    if not token or not said or digest(body).encode() != said[1]:
        return None
    return token[1].decode()


class Mixed:
    """
    Sends from many sessions until end().  promised: token → (queue id, places), of what was answered
    250; doubtful: tokens whose reply never came; refused: token → reply.  A part of the sessions
    breaks off in the middle of a message: those tokens are nowhere.  freeze() is the last moment
    that counts: what is answered later is doubtful.
    """

    def __init__(self, port, name, seed, sessions=16):
        self.port, self.name = port, name
        self.promised, self.doubtful, self.refused = {}, set(), {}
        self.lock, self.ending, self.frozen = threading.Lock(), threading.Event(), False
        self.threads = [threading.Thread(target=self.client, args=(n, random.Random(f"{seed}-{n}")),
                                         daemon=True) for n in range(sessions)]
        for thread in self.threads:
            thread.start()

    def client(self, number, chance):
        count = 0
        while not self.ending.is_set():
            try:
                with Talk(self.port, timeout=20) as talk:
                    talk.ehlo()
                    for _ in range(chance.randint(1, 20)):
                        if self.ending.is_set():
                            break
                        count += 1
                        if not self.send(talk, f"{self.name}-{number}-{count}", chance):
                            break
            except (OSError, Closed, AssertionError):
                time.sleep(0.05)

    def send(self, talk, token, chance):
        places = pick(chance, PLACES)
        content = make_message(token, chance.randint(*pick(chance, SIZES)))
        talk.start("load@client.example", *(ADDRESSES[place] for place in places))
        talk.expect("DATA", 354)
        if chance.random() < 0.02:  # breaks off
            talk.send(content[:len(content) // 2])
            return False
        talk.send(content + b".\r\n")
        with self.lock:
            self.doubtful.add(token)
        reply = talk.reply()
        with self.lock:
            if self.frozen and reply.code == 250:
                return True
            self.doubtful.discard(token)
            if reply.code == 250:
                self.promised[token] = queue_id(reply), places
            else:
                self.refused[token] = str(reply)
        return True

    def freeze(self):
        with self.lock:
            self.frozen = True

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"
