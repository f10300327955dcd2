"""An operator sends waiting mail another way, and back."""
import json

import logs
from peers import Held
from server import settle
from talk import message, submit
from test_delivery import ALICE, RELAY, through
from waiting import until


def start(postrider, *sinks, retry="1 h", domains=("one.example", "two.example")):
    return postrider(extra=RELAY, retry=retry, routes=[
        f"send mail for {domain} through {far.host}:{far.port} with tls never"
        for domain, far in zip(domains, sinks)]).start()


def rcpts(server, *more):
    """Of all that waits: address and destination."""
    found = json.loads(server.queue("list", "--json", *more))["messages"]
    return {to["address"]: to["destination"] for row in found for to in row["recipients"]}


def test_what_waits_goes_another_way_over_restarts_and_crashes(postrider, sink):
    one, two, other = sink(), sink("127.0.0.2"), sink("127.0.0.3")
    one.always["rcpt"] = two.always["rcpt"] = "450 4.2.1 Not now"
    server = start(postrider, one, two)
    both = submit(server.smtp_port, ALICE, ["a@one.example", "b@two.example"], message("both"))
    submit(server.smtp_port, ALICE, "c@two.example", message("c"))
    server.wait_event(logs.DEFERRED, 3)
    server.queue("hold", "all")
    way = f"127.0.0.3:{other.port}"
    said = server.queue("reroute", "all", "via", way, "--for", "127.0.0.2")
    assert "2 recipients of 2 messages go that way now" in said
    assert "Nothing that waits" in server.queue("reroute", "all", "via", way, "--for", "127.0.0.2")
    wanted = {"a@one.example": f"host:127.0.0.1:{one.port}", "b@two.example": f"via:{way}",
              "c@two.example": f"via:{way}"}
    assert rcpts(server) == wanted
    server.kill_role("queue")
    until(lambda: server.run("queue", "list").returncode == 0, lambda: server.log_tail())
    assert rcpts(server) == wanted
    server.stop()
    server.start()
    assert rcpts(server) == wanted
    assert f"via {way} " in server.queue("summary")
    [event] = server.wait_event("rerouted", id=both)
    assert event["via"] == way and event["recipients"] == "1" and event["who"], event
    # Back, by the name of where it goes as usual or of where it goes now.
    back = json.loads(server.queue("reroute", "all", "normal", "--for", "127.0.0.2", "--json"))
    assert back == {"count": 2, "recipients": 2, "under_way": 0}
    wanted["b@two.example"] = wanted["c@two.example"] = f"host:127.0.0.2:{two.port}"
    assert rcpts(server) == wanted
    server.stop()
    server.start()
    assert rcpts(server) == wanted
    # And each arrives once, by its way.
    server.queue("reroute", both, "via", way)
    server.queue("release", "all")
    other.wait_messages()
    two.always.clear()
    server.queue("retry", "all")
    two.wait_messages()
    server.wait_queue_empty()
    settle(0.3)
    assert [sorted(m["rcpts"]) for m in other.messages] == [["a@one.example", "b@two.example"]]
    assert [m["rcpts"] for m in two.messages] == [["c@two.example"]]
    assert one.messages == []


def test_by_sender_and_age(postrider, sink):
    one, other = sink(), sink("127.0.0.3")
    one.always["rcpt"] = "450 4.2.1 Not now"
    server = start(postrider, one)
    for sender in ("ann@Home.example", "bob@home.example", "eve@far.example"):
        submit(server.smtp_port, sender, f"{sender[:3]}@one.example", message(sender[:3]))
    server.wait_event(logs.DEFERRED, 3)
    way = f"127.0.0.3:{other.port}"
    assert "Nothing" in server.queue("reroute", "all", "via", way, "--older", "1h")
    assert "1 recipient of 1 message goes" in server.queue(
        "reroute", "all", "via", way, "--from", "eve@far.example")
    # What waited for its time does not on its new way.
    assert other.wait_messages()[0]["rcpts"] == ["eve@one.example"]
    assert "2 recipients" in server.queue("reroute", "all", "via", way, "--from", "@home.example")
    other.wait_messages(3)
    server.wait_queue_empty()


def test_what_is_under_way_ends_as_it_is(postrider, sink):
    one, other = sink(), sink("127.0.0.3")
    one.script["dot"] = [held := Held("250 2.0.0 Taken")]
    server = start(postrider, one)
    submit(server.smtp_port, ALICE, "a@one.example", message("m"))
    until(lambda: "DATA" in one.commands, "the sink has the message")
    said = server.queue("reroute", "all", "via", f"127.0.0.3:{other.port}")
    assert "1 recipient was being tried" in said, said
    held.let_go()
    one.wait_messages()
    server.wait_queue_empty()
    settle(0.3)
    assert len(one.messages) == 1 and other.messages == []


def test_a_server_of_the_configuration_keeps_its_credential(postrider, sink, certificate):
    one = sink()
    one.always["rcpt"] = "450 4.2.1 Not now"
    other = sink("127.0.0.3", login=("me", "secret"))
    server = postrider(extra=[*RELAY, ], retry="1 h", routes=[
        through(one.port, domain="for one.example"),
        f"send mail for else.example through 127.0.0.3:{other.port} with tls never as relay"])
    server.extra.append(f"credentials from {server.directory}/credentials")
    (server.directory / "credentials").write_text("relay: me secret\n")
    server.start()
    submit(server.smtp_port, ALICE, "a@one.example", message("m"))
    server.wait_event(logs.DEFERRED)
    server.queue("reroute", "all", "via", f"127.0.0.3:{other.port}")
    assert other.wait_messages()[0]["login"] == "me"
