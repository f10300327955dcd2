"""OpenSMTPD delivers to us and takes mail from us.  One of it, and of us, for all tests."""
import hashlib
import re

import pytest

from opensmtpd import OpenSmtpd, missing
from server import Postrider, settle
from talk import Talk, message, submit
from test_peers import hand_in
from waiting import until

ALICE, BOB, ANN = "alice@home.example", "bob@home.example", "ann@far.example"


class Pair:
    def __init__(self, certificate):
        self.us = Postrider(certificate, extra=["relay for 127.0.0.0/8"])
        self.them = OpenSmtpd(certificate, ("127.0.0.1", self.us.smtp_port))
        self.us.routes = [f"send mail for far.example through 127.0.0.1:{self.them.port}"]
        self.us.start()
        self.them.start()

    def arrived(self, mailbox, token, count=1):
        """What came to us and has the token in it."""
        def found():
            return [raw for raw in self.us.maildir(mailbox) if token in raw]

        return until(lambda: len(found()) >= count and found(),
                     lambda: f"{count} with {token} in {mailbox}:\n{self.them.log()}\n"
                     + self.us.log_tail(), 40)


@pytest.fixture(scope="module")
def pair(certificate):
    if (why := missing()):
        pytest.skip(why)
    made = Pair(certificate)
    yield made
    made.them.stop()
    made.us.clean_up(False)


def dotted_body(lines=2000):
    rows = [hashlib.sha256(str(n).encode()).hexdigest() + "." * (n % 50) for n in range(lines)]
    return "\r\n".join([*rows, ".", "..", "", ".leading dots", ""])


def test_they_deliver_under_tls(pair):
    sent = message("tls", body=dotted_body())
    hand_in(pair.them.port, ANN, [ALICE, BOB], sent)
    for mailbox in ("alice", "bob"):
        raw = pair.arrived(mailbox, b"X-Token: tls\n")[0]
        assert raw.endswith(sent.replace(b"\r\n", b"\n").partition(b"\n\n")[2])
        assert re.search(rb"by mail\.home\.example[^\n]*\n?[^\n]*with ESMTPS id", raw), raw[:1000]


def test_many_arrive_once_each(pair):
    with Talk(pair.them.port) as talk:
        talk.ehlo()
        for number in range(20):
            talk.start(ANN, ALICE)
            assert talk.data(message(f"many{number}")).code == 250
    pair.arrived("alice", b"X-Token: many", 20)
    settle(0.5)  # for what might come twice
    tokens = [re.search(rb"X-Token: (\S+)", raw)[1] for raw in pair.arrived("alice", b"X-Token: many")]
    assert sorted(tokens) == sorted(f"many{n}".encode() for n in range(20))


def test_unknown_recipients_bounce_there(pair):
    hand_in(pair.them.port, BOB, [ALICE, "nosuch@home.example"], message("unknown"))
    pair.arrived("alice", b"X-Token: unknown")
    bounce = pair.arrived("bob", b"nosuch@home.example")[0]
    assert b"5.1.1" in bounce


def test_they_take_mail_past_a_handshake_that_fails(pair):
    """
    Debian's build offers STARTTLS and cannot do it: with OpenSSL 3 its keys stay in a process that is
    never asked.  What is offered and fails is followed by a try in the clear.
    """
    sent = message("clear", body=dotted_body())
    submit(pair.us.smtp_port, BOB, ANN, sent)
    raw = pair.them.wait_mail(b"X-Token: clear")[0]
    assert raw.endswith(sent.replace(b"\r\n", b"\n").partition(b"\n\n")[2])
    assert b"by peer.far.example (OpenSMTPD) with ESMTP id" in raw, raw[:1000]


def test_they_refuse_and_the_sender_is_told(pair):
    submit(pair.us.smtp_port, BOB, ["nobody@far.example", ANN], message("refused"))
    pair.them.wait_mail(b"X-Token: refused")
    bounce = pair.arrived("bob", b"nobody@far.example")[0]
    assert b"550" in bounce and ANN.encode() not in bounce.partition(b"message/delivery-status")[2][:1500]
