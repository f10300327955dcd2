"""An operator suspends destinations, and resumes them."""
import json
import time

import pytest

import logs
from peers import Slow
from server import settle
from talk import message, submit
from test_delivery import ALICE, RELAY, through
from waiting import until


def start(postrider, one, two):
    return postrider(extra=RELAY, routes=[
        through(one.port, domain="for one.example"),
        f"send mail through 127.0.0.2:{two.port} with tls never"]).start()


def test_nothing_is_sent_until_it_is_resumed_not_even_after_a_restart(postrider, sink):
    one, two = sink(), sink("127.0.0.2")
    server = start(postrider, one, two)
    server.queue("suspend", "127.0.0.1")
    found = submit(server.smtp_port, ALICE, "a@one.example", message("m"))
    submit(server.smtp_port, ALICE, "b@two.example", message("m"))
    two.wait_messages()
    server.queue("retry", "all")
    settle(0.5)
    assert one.messages == []
    assert "An operator suspended" in server.queue("show", found)
    assert [row["id"] for row in json.loads(
        server.queue("list", "--reason", "suspended", "--json"))["messages"]] == [found]
    [row] = until(lambda: len(rows := json.loads(server.queue("summary", "--json"))["destinations"]) == 1 and rows,
                  lambda: server.queue("summary"))
    assert row["state"] == "suspended" and row["reason"] == "suspended"
    [event] = server.wait_event("suspended")
    assert event["destination"] == "127.0.0.1" and event["who"]
    server.stop()
    server.start()
    settle(0.5)
    assert one.messages == []
    [row] = json.loads(server.queue("suspended", "--json"))["suspended"]
    assert row["destination"] == "127.0.0.1" and row["until"] is None
    server.queue("resume", "127.0.0.1")
    one.wait_messages()
    server.wait_queue_empty()
    assert "No destination" in server.queue("suspended")
    again = server.run("queue", "resume", "127.0.0.1")
    assert again.returncode == 65


def test_what_cannot_be_kept_is_said_once_until_it_can(postrider, sink):
    server = start(postrider, sink(), sink("127.0.0.2"))
    # A folder is in the way of the file that takes the place of the one before.
    in_the_way = server.spool / "suspensions.new"
    for round in (1, 2):
        in_the_way.mkdir()
        for verb in ("suspend", "resume"):
            assert server.run("queue", verb, "127.0.0.1").returncode != 0
        [*_, event] = server.wait_event("suspensions_not_kept", round)
        assert "may not be so after a restart" in event["text"]
        assert len(logs.select(server.events(), "suspensions_not_kept")) == round
        in_the_way.rmdir()
        server.queue("suspend", "127.0.0.2")
        server.queue("resume", "127.0.0.2")


def test_a_time_ends_it(postrider, sink):
    one, two = sink(), sink("127.0.0.2")
    server = start(postrider, one, two)
    began = time.monotonic()
    server.queue("suspend", "127.0.0.1", "--until", "2s")
    submit(server.smtp_port, ALICE, "a@one.example", message("m"))
    assert one.wait_messages()[0]["at"] - began > 2
    server.wait_event("resumed", destination="127.0.0.1")


@pytest.mark.parametrize("role", ["delivery", "queue"])
def test_what_is_tried_alone_after_a_death_waits_for_its_suspended_destination(
        postrider, sink, role):
    """And the others of the message do not wait for that."""
    one, two = sink(), sink("127.0.0.2")
    one.script["mail"] = [Slow(20, "250 2.1.0 Ok") for _ in range(2)]
    two.script["mail"] = [Slow(20, "250 2.1.0 Ok") for _ in range(2)]
    server = start(postrider, one, two)
    submit(server.smtp_port, ALICE, ["a@one.example", "b@two.example"], message("m"))
    # A queue that takes the place of one that died is careful with what it tries: twice, then.
    deaths = 2 if role == "queue" else 1
    for death in range(1, deaths + 1):
        until(lambda: one.sessions >= death and two.sessions >= death, "the sinks are asked")
        if death == deaths:
            server.queue("suspend", "127.0.0.1")
            one.script.clear()
            two.script.clear()
        server.kill_role(role)
    two.wait_messages()

    def reasons():
        return [to["reason"] for row in json.loads(server.queue("list", "--json"))["messages"]
                for to in row["recipients"]]

    until(lambda: reasons() == ["suspended"], lambda: server.queue("list"))
    settle(1)
    assert one.messages == [] and one.sessions == deaths
    server.queue("resume", "127.0.0.1")
    one.wait_messages()
    server.wait_queue_empty()


def test_a_backup_has_what_is_suspended(postrider, sink):
    one, two = sink(), sink("127.0.0.2")
    server = start(postrider, one, two)
    server.queue("suspend", "127.0.0.1")
    submit(server.smtp_port, ALICE, "a@one.example", message("m"))
    copy = server.directory / "copy"
    assert server.run("spool", "backup", str(copy)).returncode == 0
    server.stop()
    restored = server.run("spool", "restore", str(copy), "--may-deliver-again", "--set-aside")
    assert restored.returncode == 0, restored
    server.start()
    settle(0.5)
    assert one.messages == []
    [row] = json.loads(server.queue("suspended", "--json"))["suspended"]
    assert row["destination"] == "127.0.0.1"
    server.queue("resume", "127.0.0.1")
    one.wait_messages()
