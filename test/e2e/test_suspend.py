"""An operator suspends destinations, and resumes them."""
import json

import logs
from server import settle
from talk import message, submit
from test_delivery import ALICE, RELAY, through


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
    [row] = json.loads(server.queue("summary", "--json"))["destinations"]
    assert row["state"] == "suspended" and row["reason"] == "suspended"
    [event] = logs.select(server.events(), "suspended")
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


def test_a_time_ends_it(postrider, sink):
    one, two = sink(), sink("127.0.0.2")
    server = start(postrider, one, two)
    server.queue("suspend", "127.0.0.1", "--until", "2s")
    submit(server.smtp_port, ALICE, "a@one.example", message("m"))
    assert one.messages == []
    one.wait_messages()
    server.wait_event("resumed", destination="127.0.0.1")
