"""What other servers say is heeded: who waits for it, for how long, and that operators see why."""
import json

import logs
from server import settle
from talk import message, submit
from test_delivery import ALICE, RELAY, through

GMAIL = ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from "
         "your IP address. To protect our users from spam, mail sent from your IP address has "
         "been temporarily rate limited.")
OUTLOOK = "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)"
BLOCKED = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"
CROWDED = "421 4.7.0 far.example Error: too many connections from 127.0.0.1"


def start(postrider, far, **options):
    return postrider(extra=RELAY, routes=[through(far.port)], **options).start()


def test_a_provider_that_wants_less_is_left_alone_with_all_its_domains(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=RELAY, dns_port=dns().port, retry="1 h").start()
    # Which servers a domain has is known from its mail.
    submit(server.smtp_port, ALICE, "a@spare.example", message("known"))
    submit(server.smtp_port, ALICE, "a@far.example", message("known"))
    far.wait_messages(2)
    far.always["mail"] = OUTLOOK
    first = submit(server.smtp_port, ALICE, "b@far.example", message("busy"))
    event = server.wait_event("backoff")[0]
    assert event["reason"] == "rate-limited" and event["kind"] == "slow", event
    assert 50000 < int(event["pause_ms"]) <= 60000 and event["code"] == "451", event
    waits = submit(server.smtp_port, ALICE, "c@far.example", message("waits"))
    shares = submit(server.smtp_port, ALICE, "d@spare.example", message("waits too"))
    far.always.clear()
    settle(0.5)
    assert len(far.messages) == 2, far.messages
    shown = server.queue("show", waits)
    assert "asked for less mail" in shown and "rate-limited, slow-down" in shown, shown
    found = json.loads(server.queue("list", "--reason", "pause", "--json"))["messages"]
    assert {row["id"] for row in found} == {waits, shares}
    assert "Microsoft" in found[0]["recipients"][0]["rule"], found
    rows = json.loads(server.queue("summary", "--json"))["destinations"]
    assert {row["state"] for row in rows} == {"paused"} and len(rows) == 2, rows
    assert server.wait_event(logs.DEFERRED, id=first)[0]["reason"] == "rate-limited"
    [why] = json.loads(server.queue("why", "spare.example", "--json"))["destinations"]
    assert why["state"] == "paused" and why["ready"] == 1 and why["code"] == 451, why
    assert why["asked"]["kind"] == "slow" and why["asked"]["site"] == "mx.far.example", why
    assert "Server busy" in server.queue("why", "far.example")
    # An operator may try all the same.
    server.queue("retry", shares)
    far.wait_messages(3)
    assert server.wait_event("backoff_over")


def test_a_smart_host_is_left_alone(postrider, sink):
    far = sink()
    far.script["banner"] = [GMAIL]
    server = start(postrider, far)
    submit(server.smtp_port, ALICE, "a@far.example", message("limited"))
    event = server.wait_event("backoff")[0]
    assert event["destination"].startswith("host:") and event["provider"] == "Gmail", event
    second = submit(server.smtp_port, ALICE, "b@far.example", message("waits"))
    settle(2)
    assert far.messages == [] and far.sessions == 1
    server.queue("retry", second)
    far.wait_messages(2)


def test_whoever_blocks_us_is_left_alone_longer_and_the_rest_is_not_lost(postrider, sink):
    far = sink()
    far.script["mail"] = [BLOCKED]
    server = start(postrider, far)
    first = submit(server.smtp_port, ALICE, "a@far.example", message("blocked"))
    event = server.wait_event("backoff")[0]
    assert event["kind"] == "pause" and int(event["pause_ms"]) > 1700000, event
    server.wait_event(logs.BOUNCED, id=first)
    second = submit(server.smtp_port, ALICE, "b@far.example", message("kept"))
    settle(0.5)
    events = server.events()
    assert not logs.of_message(events, second)[1:], events


def test_too_many_connections_shrink_the_window(postrider, sink):
    far = sink()
    far.script["banner"] = [CROWDED]
    server = start(postrider, far, retry="200 ms")
    submit(server.smtp_port, ALICE, "a@far.example", message("crowded"))
    event = server.wait_event("backoff")[0]
    assert event["kind"] == "connections" and event["connections"] == "1", event


def test_what_is_greylisted_comes_back_when_it_was_told_to(postrider, sink):
    far = sink()
    grey = "450 4.2.0 Recipient address rejected: Greylisted for {} seconds"
    far.script["rcpt"] = [grey.format(1), "250 2.1.5 Ok", grey.format(600)]
    server = start(postrider, far, retry="1 h")
    found = submit(server.smtp_port, ALICE, "a@far.example", message("grey"))
    event = server.wait_event(logs.DEFERRED, id=found)[0]
    assert event["reason"] == "greylisted" and int(event["retry_ms"]) <= 3000, event
    far.wait_messages(1)
    found = submit(server.smtp_port, ALICE, "a@far.example", message("greyer"))
    server.wait_event(logs.DEFERRED, id=found)
    assert "greylisted" in server.queue("show", found)
    # Nobody else waits for it.
    submit(server.smtp_port, ALICE, "b@far.example", message("other"))
    far.wait_messages(2)
    assert not logs.select(server.events(), "backoff")


def test_a_full_mailbox_is_its_owners(postrider, sink):
    far = sink()
    far.script["rcpt"] = ["452 4.2.2 The email account that you tried to reach is over quota"]
    server = start(postrider, far, retry="1 h")
    submit(server.smtp_port, ALICE, "a@far.example", message("full"))
    assert server.wait_event(logs.DEFERRED)[0]["reason"] == "mailbox-full"
    submit(server.smtp_port, ALICE, "b@far.example", message("other"))
    far.wait_messages(1)
    assert not logs.select(server.events(), "backoff")


def test_why_a_destination_is_slow_and_when_it_will_be_empty(postrider, sink):
    far = sink()
    server = postrider(extra=[*RELAY, "destination 127.0.0.1 { rate 60 per 1 m }"],
                       routes=[through(far.port)]).start()
    for number in range(60):
        submit(server.smtp_port, ALICE, f"a{number}@far.example", message("many"))
    far.wait_messages(8)
    [why] = json.loads(server.queue("why", "127.0.0.1", "--json"))["destinations"]
    assert why["reason"] == "rate" and why["interval_ms"] == 1000, why
    assert why["limit"].startswith("rate 60 per 1 m, in destination"), why
    assert why["left"] >= 7 and why["empty"] and why["asked"] is None, why
    assert 0 < why["ready"] <= why["recipients"] <= 52, why
    text = server.queue("why", "127.0.0.1")
    assert "only so many messages in a time" in text and "empty       about" in text, text
    assert "no mail waits for it" in server.queue("why", "other.example")


def test_words_need_not_be_heeded(postrider, sink):
    far = sink()
    far.script["mail"] = [OUTLOOK]
    server = postrider(extra=[*RELAY, "queue { heed replies no }"], routes=[through(far.port)],
                       retry="300 ms").start()
    submit(server.smtp_port, ALICE, "a@far.example", message("busy"))
    far.wait_messages(1)
    assert not logs.select(server.events(), "backoff")
