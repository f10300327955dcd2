"""Postfix's smtp-sink, whose faults are somebody else's than ours: it answers as it is told, or goes."""
import socket
import subprocess

import pytest

import logs
from conftest import makes
from server import IS_ROOT
from talk import message, submit
from test_delivery import ALICE, RELAY, through
from waiting import PATIENCE_S, free_port, until

ANN = "ann@far.example"


class SmtpSink:
    """One at a port, with options; what it says of its sessions (-v) is in said."""

    def __init__(self, *options, port=None):
        self.port = port or free_port()
        self.options = ["-u", "nobody", *options] if IS_ROOT else options
        self.said = ""

    def start(self):
        self.process = subprocess.Popen(["smtp-sink", "-v", *self.options, f"127.0.0.1:{self.port}", "100"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until(self.listens, "smtp-sink takes no connection")
        return self

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE_S).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.said += self.process.communicate(timeout=PATIENCE_S)[0]
        return self.said


smtp_sink = makes(SmtpSink)


def start(postrider, far, *extra, retry="1 h"):
    return postrider(extra=[*RELAY, *extra], routes=[through(far.port)], retry=retry).start()


# Its option, what it says in the place of each reply, and what a client may make of it.
REFUSED = {"-r": (logs.DEFERRED, "450", "4.3.0"), "-f": (logs.BOUNCED, "500", "5.3.0")}


@pytest.mark.parametrize("command", ["mail", "rcpt", "data", "."])
@pytest.mark.parametrize("option", REFUSED)
def test_it_refuses(postrider, smtp_sink, option, command):
    far = smtp_sink(option, command)
    server = start(postrider, far)
    found = submit(server.smtp_port, ALICE, ANN, message("refused"))
    name, code, status = REFUSED[option]
    event = server.wait_event(name, id=found)[0]
    assert (event["code"], event["status"]) == (code, status) and "command failed" in event["text"], event
    if name == logs.BOUNCED:
        assert b"Status: 5.3.0" in server.wait_mail("alice")[0]
    else:
        assert server.queue_ids() == [found]


@pytest.mark.parametrize("command", ["connect", "ehlo", "mail", "rcpt", "data", "."])
@pytest.mark.parametrize("option", ["-q", "-Q"])
def test_it_goes_without_a_word_or_with_421(postrider, smtp_sink, option, command):
    """The mail waits; where it is gone after the message, nobody can know who has it."""
    far = smtp_sink(option, command)
    server = start(postrider, far)
    found = submit(server.smtp_port, ALICE, ANN, message("gone"))
    event = server.wait_event(logs.DEFERRED, id=found)[0]
    assert option == "-q" or event["code"] == "421", event
    assert server.queue_ids() == [found]
    assert bool(logs.select(server.events(), "in_doubt", id=found)) == ((option, command) == ("-q", ".")), event
    assert not server.maildir("alice")
    # One that stays takes it.
    far.stop()
    smtp_sink(port=far.port)
    server.queue("retry", found)
    server.wait_event(logs.RELAYED, id=found)


def test_it_is_slow_and_all_arrives(postrider, smtp_sink):
    far = smtp_sink("-W", ".:1", "-w", "1")
    server = start(postrider, far)
    for number in range(4):
        submit(server.smtp_port, ALICE, f"a{number}@far.example", message("slow"))
    assert len(server.wait_event(logs.RELAYED, 4)) == 4
    assert not logs.select(server.events(), logs.DEFERRED)
    server.wait_queue_empty()
    assert far.stop().count("MAIL FROM") == 4


def test_it_aborts_in_the_middle_of_the_message(postrider, smtp_sink):
    """It says 550 and reads no more, while we still send: that is the verdict, and no lost connection."""
    far = smtp_sink("-A", "0")
    server = start(postrider, far)
    found = submit(server.smtp_port, ALICE, ANN, message("aborted", body=("x" * 70 + "\r\n") * 100000))
    event = server.wait_event(logs.BOUNCED, id=found)[0]
    assert event["code"] == "550", event
    assert b"Action: failed" in server.wait_mail("alice")[0]
    assert not logs.select(server.events(), "in_doubt")


@pytest.mark.parametrize("options, lacks", [(["-e"], "EHLO"), (["-p"], "PIPELINING"), (["-8"], "8BITMIME"),
                                            (["-E"], "ENHANCEDSTATUSCODES"), (["-P"], "a greeting in order")],
                         ids=["-e", "-p", "-8", "-E", "-P"])
def test_it_lacks_what_others_offer(postrider, smtp_sink, options, lacks):
    far = smtp_sink(*options)
    server = start(postrider, far)
    for number in range(3):
        found = submit(server.smtp_port, ALICE, f"a{number}@far.example", message("plain"))
        server.wait_event(logs.RELAYED, id=found)
    assert far.stop().count("MAIL FROM") == 3, lacks


def test_it_takes_so_many_sessions_and_no_more(postrider, smtp_sink):
    """-m: beyond them it accepts none, and we wait for our turn without a failure."""
    far = smtp_sink("-m", "2", "-W", ".:1")
    server = start(postrider, far)
    for number in range(4):
        submit(server.smtp_port, ALICE, f"a{number}@far.example", message("turns"))
    server.wait_event(logs.RELAYED, 4)
    server.wait_queue_empty()
