"""Connections to other servers are used for one message after another, as long as that serves."""
import json
import re
import signal
import subprocess
import time

import pytest

import logs
from peers import DROP, Sink
from server import IS_ROOT
from talk import Talk, message, submit
from test_delivery import ALICE, RELAY, through
from waiting import free_port, until

ANN = "ann@far.example"
ONE_PROCESS = [*RELAY, "delivery processes 1"]


def pass_on(server, far, count=1, to=ANN):
    """Sends messages one after the other, each once the one before has left; gives their ids."""
    ids = []
    for _ in range(count):
        ids.append(submit(server.smtp_port, ALICE, to, message("next")))
        server.wait_event(logs.RELAYED, id=ids[-1])
    return ids


def never(server, name):
    assert logs.select(server.events(), name) == []


def sessions_of(far):
    return [m["session"] for m in far.messages]


def start(postrider, far, delivery="", more="with tls never", **options):
    return postrider(extra=[*ONE_PROCESS, f"delivery {{\n{delivery}\n}}"],
                     routes=[through(far.port, more)], **options).start()


def test_messages_follow_each_other_on_one_connection(postrider, sink):
    far = sink()
    server = start(postrider, far)
    pass_on(server, far, 5)
    assert sessions_of(far) == [1] * 5
    assert "RSET" not in far.commands and [c for c in far.commands if c.startswith("EHLO")] == [
        "EHLO mail.home.example"]
    never(server, "reconnect")


def test_commands_are_pipelined_where_that_is_offered(postrider, sink, wire):
    far = sink()
    line = wire(far.port)
    server = start(postrider, line)
    together = [b"MAIL FROM:<alice@home.example>", b"RCPT TO:<a@far.example>", b"RCPT TO:<b@far.example>",
                b"\r\nDATA\r\n"]
    found = submit(server.smtp_port, ALICE, ["a@far.example", "b@far.example"], message("piped"))
    server.wait_event(logs.RELAYED, 2, id=found)
    assert line.one_piece_with(*together), line.pieces
    far.extensions.remove("PIPELINING")
    far.messages_per_session = 1
    server.queue("suspend", "127.0.0.1")
    found = submit(server.smtp_port, ALICE, ["a@far.example", "b@far.example"], message("one by one"))
    until(lambda: server.queue_ids() == [found], "it waits")
    server.kill_role("delivery")
    server.queue("resume", "127.0.0.1")
    server.wait_event(logs.RELAYED, 2, id=found)
    assert len(line.pieces) == 2 and all(piece.count(b"\r\n") == 1 for piece in line.pieces[1]
                                         if b"FROM:" in piece or b"TO:" in piece), line.pieces[1]


def test_many_at_a_time_share_few_connections(postrider, sink):
    far = sink()
    server = postrider(extra=[*ONE_PROCESS, "queue { connections per destination 3 }"],
                       routes=[through(far.port)]).start()
    for number in range(30):
        submit(server.smtp_port, ALICE, f"u{number}@far.example", message(f"m{number}"))
    far.wait_messages(30)
    server.wait_queue_empty()
    assert far.sessions <= 3
    assert sorted(m["rcpts"][0] for m in far.messages) == sorted(
        f"u{number}@far.example" for number in range(30))


def test_a_connection_carries_so_many_messages_and_no_more(postrider, sink):
    far = sink()
    server = start(postrider, far, "messages per connection 2")
    pass_on(server, far, 5)
    assert sessions_of(far) == [1, 1, 2, 2, 3]
    until(lambda: far.commands.count("QUIT") == 2, "those that are full end with QUIT")


def test_connections_can_be_for_one_message_each(postrider, sink):
    far = sink()
    server = start(postrider, far, "idle connections none")
    pass_on(server, far, 3)
    assert sessions_of(far) == [1, 2, 3]
    until(lambda: far.commands.count("QUIT") == 3, "each ends with QUIT")


def test_no_more_connections_are_kept_than_configured(postrider, sink):
    one, two = sink(), sink()
    server = postrider(extra=[*ONE_PROCESS, "delivery { idle connections 1 }"],
                       routes=[through(one.port, domain="for one.example"), through(two.port)]).start()
    for far, to in ((one, "a@one.example"), (two, "a@two.example")) * 2:
        pass_on(server, far, to=to)
    assert sessions_of(one) == [1, 2] and sessions_of(two) == [1, 2]


def test_a_connection_that_waits_too_long_is_ended(postrider, sink):
    far = sink()
    server = start(postrider, far, "idle timeout 1 s")
    pass_on(server, far)
    until(lambda: "QUIT" in far.commands, "an idle connection ends with QUIT")
    assert time.monotonic() - far.messages[0]["at"] > 0.9
    pass_on(server, far)
    assert sessions_of(far) == [1, 2]


@pytest.mark.parametrize("reply", ["421 4.7.0 Enough for one connection", DROP,
                                   "452 4.5.3 Too many messages on this connection",
                                   b"nonsense\r\n"], ids=["421", "drop", "452", "nonsense"])
def test_a_host_that_has_had_enough_is_called_again(postrider, sink, reply):
    """What a kept connection says to MAIL is no verdict on the mail."""
    far = sink()
    far.script["mail"] = ["250 2.1.0 Ok", reply]
    server = start(postrider, far)
    pass_on(server, far, 3)
    assert sessions_of(far) == [1, 2, 2]
    never(server, logs.DEFERRED)
    assert len(logs.select(server.events(), "reconnect")) == 1
    assert len(far.messages) == 3


def test_the_same_replies_on_a_new_connection_are_the_verdict(postrider, sink):
    far = sink()
    far.script["mail"] = ["452 4.5.3 Not now"]
    server = start(postrider, far)
    found = submit(server.smtp_port, ALICE, ANN, message("later"))
    server.wait_event(logs.DEFERRED, id=found)
    server.wait_event(logs.RELAYED, id=found)
    never(server, "reconnect")


def test_a_connection_that_died_while_it_was_kept(postrider, sink):
    far = sink()
    far.messages_per_session = 1
    server = start(postrider, far, "idle timeout 5 min")
    pass_on(server, far, 4)
    assert sessions_of(far) == [1, 2, 3, 4]
    never(server, logs.DEFERRED)
    never(server, "try_failed")


def test_a_host_that_is_gone_is_noticed(postrider, sink):
    """The kept connection proves nothing: a new one that fails is the destination's failure."""
    far = sink()
    server = start(postrider, far, "idle timeout 5 min")
    pass_on(server, far)
    far.stop()
    found = submit(server.smtp_port, ALICE, ANN, message("gone"))
    deferred = server.wait_event(logs.DEFERRED, id=found)
    assert "cannot connect" in str(deferred)
    again = Sink(port=far.port)
    try:
        server.wait_event(logs.RELAYED, id=found)
    finally:
        again.stop()


def test_after_a_refused_recipient_the_session_is_reset(postrider, sink):
    far = sink()
    far.rcpt_replies["bad@far.example"] = "550 5.1.1 Nobody of that name"
    server = start(postrider, far)
    found = submit(server.smtp_port, ALICE, "bad@far.example", message("bad"))
    server.wait_event(logs.BOUNCED, id=found)
    pass_on(server, far, 2)
    assert sessions_of(far) == [1, 1] and far.commands.count("RSET") == 1


@pytest.mark.parametrize("stage", ["rcpt", "data", "dot"])
def test_later_faults_are_the_mails_as_on_a_new_connection(postrider, sink, stage):
    far = sink()
    ok = {"rcpt": "250 2.1.5 Ok", "data": "354 Go on", "dot": "250 2.0.0 Taken"}[stage]
    far.script[stage] = [ok, DROP]
    server = start(postrider, far)
    pass_on(server, far)
    found = submit(server.smtp_port, ALICE, ANN, message("lost"))
    server.wait_event(logs.DEFERRED, id=found)
    server.wait_event(logs.RELAYED, id=found)
    never(server, "reconnect")
    in_doubt = [e["id"] for e in logs.select(server.events(), "in_doubt")]
    assert in_doubt == ([found] if stage == "dot" else [])
    assert sessions_of(far) == ([1, 1, 2] if stage == "dot" else [1, 2])


def test_other_demands_go_by_other_connections(postrider, sink, certificate):
    far = sink(certificate=certificate)
    rules = {"a.example": "with tls never", "b.example": "with tls may", "c.example": "with tls required"}
    server = postrider(extra=ONE_PROCESS, routes=[
        through(far.port, more, domain=f"for {domain}") for domain, more in rules.items()]).start()
    for domain in [*rules, *rules]:
        pass_on(server, far, to=f"ann@{domain}")
    assert sessions_of(far) == [1, 2, 3, 1, 2, 3]
    assert [m["tls"] for m in far.messages] == [False, True, True] * 2


def test_tls_is_told_of_for_each_message(postrider, sink, certificate):
    far = sink(certificate=certificate)
    server = start(postrider, far, more="with tls required")
    pass_on(server, far, 3)
    assert sessions_of(far) == [1] * 3 and all(m["tls"] for m in far.messages)


def test_clear_text_after_a_failed_handshake_is_for_one_message(postrider, sink, certificate):
    far = sink(certificate=certificate)
    context, far.context = far.context, BrokenContext()
    server = start(postrider, far, more="with tls may")
    pass_on(server, far)
    far.context = context
    pass_on(server, far, 2)
    assert [m["tls"] for m in far.messages] == [False, True, True]
    assert sessions_of(far) == [2, 3, 3]


class BrokenContext:
    """Fails in the middle of the handshake."""

    def wrap_socket(self, connection, server_side):
        connection.recv(10000)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28")
        connection.recv(10000)
        raise EOFError


def test_credentials_are_not_shared(postrider, sink, certificate):
    far = sink(certificate=certificate, login=("shop", "secret"))
    server = postrider(extra=ONE_PROCESS, routes=[
        through(far.port, "with tls required as one", domain="for a.example"),
        through(far.port, "with tls required as two", domain="for b.example")])
    credentials = server.directory / "credentials"
    credentials.write_text("one: shop secret\ntwo: shop secret\n")
    credentials.chmod(0o600)
    server.extra.append(f"credentials from {credentials}")
    server.start()
    for domain in ("a.example", "b.example") * 2:
        pass_on(server, far, to=f"ann@{domain}")
    assert sessions_of(far) == [1, 2, 1, 2]


def looks_up(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ALICE}>", 250)
        return talk.ask(f"RCPT TO:<{ANN}>").code == 250


def test_a_reload_ends_kept_connections(postrider, sink):
    far = sink()
    server = start(postrider, far, "idle timeout 5 min")
    pass_on(server, far)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "QUIT" in far.commands, "QUIT after a reload")
    until(lambda: looks_up(server), "the new lookup answers")
    pass_on(server, far)
    assert sessions_of(far) == [1, 2]


def test_a_stop_says_goodbye(postrider, sink):
    far = sink()
    server = start(postrider, far, "idle timeout 5 min")
    pass_on(server, far)
    server.stop()
    until(lambda: "QUIT" in far.commands, "QUIT at the end")


def test_postfix_sees_one_connection(postrider, postfix):
    far = postfix()
    server = postrider(extra=ONE_PROCESS, routes=[through(far.port)]).start()
    pass_on(server, far, 4)
    far.wait_mail(4)

    def log():
        return (far.directory / "log/mail").read_text(errors="replace")

    # The test's own look at the greeting is another.
    until(lambda: len(re.findall(r"postfix/smtpd\[\d+\]: [0-9A-Za-z]+: client=", log())) == 4, far.log)
    log = log()
    assert len(re.findall(r"disconnect from .* mail=[1-9]", log)) <= 1
    ends = len(re.findall(r"disconnect from ", log))
    starts = len(re.findall(r"postfix/smtpd\[\d+\]: connect from ", log))
    assert starts - ends <= 1 and starts <= 3


def test_smtp_sink_takes_many_on_few(postrider):
    port = free_port()
    user = ["-u", "nobody"] if IS_ROOT else []
    process = subprocess.Popen(["smtp-sink", "-v", *user, f"127.0.0.1:{port}", "100"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        server = postrider(extra=ONE_PROCESS, routes=[through(port)]).start()
        pass_on(server, None, 20)
    finally:
        process.terminate()
    said = process.stdout.read()
    assert len(re.findall(r"connect \(", said)) == 1, said[:2000]
    assert said.count("MAIL FROM") == 20


def test_a_slow_server_leaves_room_for_others(postrider, sink, mute):
    """However many wait for a server that may have them all, mail for others goes at once."""
    silent_port, far = free_port(), sink("127.0.0.2")
    mute("127.0.0.1", silent_port)
    server = postrider(extra=[*ONE_PROCESS, "destination any { connections 1000",
                              "connections at first 1000", "recipients per transaction 1 }"],
                       routes=[through(silent_port, domain="for slow.example"),
                               f"send mail through 127.0.0.2:{far.port} with tls never"]).start()
    slow = [submit(server.smtp_port, ALICE, [f"u{n}@slow.example" for n in range(100)], message("slow"))
            for _ in range(7)]

    def standing():
        [row] = json.loads(server.queue("why", "127.0.0.1", "--json"))["destinations"]
        return row

    row = until(lambda: (row := standing())["recipients"] == 700 and row["connections"] == 512 and row, standing)
    # All that a process makes at a time, but for those that it keeps.
    assert row["reason"] == "full" and row["state"] == "limited" and row["connections"] == 512, row
    assert "as many deliveries under way as it makes at a time" in server.queue("why", "127.0.0.1")
    words = " ".join(server.queue("show", slow[-1]).split())
    assert "as many deliveries under way as it makes at a time" in words, words
    pass_on(server, far, 3)
    assert len(json.loads(server.queue("list", "--reason", "full", "--json"))["messages"]) > 0
