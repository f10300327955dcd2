"""The addresses that mail leaves from, and reverse-paths with the recipient in them."""
import datetime
import json
import signal
import smtplib
import ssl

import pytest

import logs
from server import PASSWORD
from talk import Talk, message, submit
from test_delivery import ALICE, RELAY, through
from waiting import same_day, until

NEWS = "list@news.example"


def start(postrider, far, *statements):
    return postrider(extra=[*RELAY, *statements], routes=[through(far.port)], retry="1 h").start()


def test_mail_leaves_from_the_addresses_of_its_pool(postrider, sink):
    far = sink()
    server = start(postrider, far,
                   "send from 127.0.0.21, 127.0.0.22",
                   "send from 127.0.0.31 as news.home.example for senders news.example, .news.example",
                   "delivery { idle connections none }")
    for number in range(24):
        submit(server.smtp_port, ALICE, f"a{number}@far.example", message(f"m{number}"))
    far.wait_messages(24)
    assert set(far.peers) == {"127.0.0.21", "127.0.0.22"}
    assert {c for c in far.commands if c.startswith("EHLO")} == {"EHLO mail.home.example"}
    relayed = server.wait_event("relayed", 24)
    assert {event["source"] for event in relayed} == set(far.peers)
    for sender in (NEWS, "x@a.news.example"):
        submit(server.smtp_port, sender, "ann@far.example", message(sender))
    far.wait_messages(26)
    assert far.peers[24:] == ["127.0.0.31"] * 2
    assert far.commands.count("EHLO news.home.example") == 2


def test_a_connection_is_kept_for_its_own_address_only(postrider, sink):
    far = sink()
    server = start(postrider, far, "send from 127.0.0.21",
                   "send from 127.0.0.31 as news.home.example for senders news.example")
    for sender in (ALICE, NEWS, ALICE, NEWS, ALICE):
        # Once it has been told, the connection is free for the next.
        server.wait_event(logs.RELAYED, id=submit(server.smtp_port, sender, "ann@far.example", message(sender)))
    assert sorted(far.peers) == ["127.0.0.21", "127.0.0.31"]


def test_an_address_that_is_not_ours_is_said(postrider, sink):
    far = sink()
    server = start(postrider, far, "send from 192.0.2.77")
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("m"))
    [event] = server.wait_event(logs.DEFERRED, id=found)
    assert "192.0.2.77" in event["text"], event
    assert "from 192.0.2.77, as mail.home.example" in server.run("trace", found).stdout.decode()
    assert far.sessions == 0


def test_each_recipient_has_its_own_reverse_path(postrider, sink):
    far = sink()
    server = start(postrider, far, "verp for news.example")
    rcpts = [f"a{number}@far.example" for number in range(3)]
    submit(server.smtp_port, NEWS, rcpts, message("news"))
    submit(server.smtp_port, ALICE, rcpts, message("letter"))
    far.wait_messages(4)
    server.wait_queue_empty()
    got = sorted((m["mail"].partition(">")[0], sorted(m["rcpts"])) for m in far.messages)
    assert got == [("FROM:<alice@home.example", rcpts)] + [
        (f"FROM:<list+a{number}=far.example@news.example", [f"a{number}@far.example"])
        for number in range(3)]


def test_a_bounce_says_whom_it_is_about(postrider):
    server = postrider(extra=["verp for home.example with delimiters -=", "detail separator -"]).start()
    submit(server.smtp_port, "", "alice-ann=far.example@home.example", message("bounce"))
    [event] = server.wait_event("delivered")
    assert event["about"] == "ann@far.example" and event["mailbox"] == "alice", event


def test_what_the_configuration_says_is_shown(postrider, sink):
    server = start(postrider, sink(), "send from 127.0.0.21, [::1] as a.example weight 2",
                   'verp for news.example with delimiters "-#"')
    shown = json.loads(server.run("config", "show", "--json").stdout)
    assert [row["address"] for row in shown["send_from"]] == ["127.0.0.21", "::1"], shown
    assert shown["verp_for"] == [{"senders": "news.example", "delimiters": "-#"}]


def today():
    """For what is counted by day: a test that asks for it is over before midnight."""
    same_day()
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def sources(server):
    rows = json.loads(server.queue("sources", "--json"))["sources"]
    return {row["address"]: row for row in rows}


POOLS = ("send from 127.0.0.21", "send from 127.0.0.41 as news.home.example in pool News")
TO_NEWS = "X-Postrider-Pool: news\r\n"


def test_a_message_names_its_pool(postrider, sink):
    far = sink()
    server = start(postrider, far, *POOLS)
    server.queue("suspend", "127.0.0.1")
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("tagged", extra=TO_NEWS))
    other = submit(server.smtp_port, ALICE, "ann@far.example", message("plain"))
    rows = json.loads(server.queue("list", "--pool", "NEWS", "--json"))["messages"]
    assert [(row["id"], row["pool"]) for row in rows] == [(found, "news")]
    assert "pool" in server.queue("show", found) and "pool" not in server.queue("show", other)
    # It is in the envelope, and outlives whatever happens.
    server.kill_everything()
    server.launch()
    server.wait_ready()
    server.queue("resume", "127.0.0.1")
    far.wait_messages(2)
    relayed = {event["id"]: event["source"] for event in server.wait_event("relayed", 2)}
    assert relayed == {found: "127.0.0.41", other: "127.0.0.21"}
    assert sorted(far.peers) == ["127.0.0.21", "127.0.0.41"]
    assert far.commands.count("EHLO news.home.example") == 1
    for got in far.messages:
        assert b"Pool" not in got["data"] and got["data"].endswith(b"\r\n\r\nHello.\r\n"), got


def test_users_name_a_pool_too(postrider, sink):
    far = sink()
    server = postrider(extra=POOLS, routes=[through(far.port)]).start()
    context = ssl.create_default_context(cafile=server.certificate)
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions_port, context=context) as client:
        client.login("alice", PASSWORD)
        # A large one is on its way to the queue before its end.
        client.sendmail(ALICE, ["ann@far.example"], message(
            "user", sender=ALICE, extra=TO_NEWS + "Bcc: b@far.example\r\n", body="text\r\n" * 50000))
    [got] = far.wait_messages()
    assert far.peers == ["127.0.0.41"]
    assert b"Pool" not in got["data"] and b"Bcc" not in got["data"]
    assert got["data"].count(b"text\r\n") == 50000


@pytest.mark.parametrize("fields", [
    "X-Postrider-Pool: gone\r\n", "X-Postrider-Pool: news\r\nX-Postrider-Pool: news\r\n",
    "X-Postrider-Pool: " + "n" * 500 + "\r\n"])
def test_a_pool_that_is_not_there_is_refused(postrider, sink, fields):
    far = sink()
    server = start(postrider, far, *POOLS)
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start(ALICE, "ann@far.example")
        reply = talk.data(message("m", extra=fields))
        assert reply.code == 554 and "5.6.0" in reply.text and "X-Postrider-Pool" in reply.text
        assert "news" not in reply.text.lower()
        # The session goes on, and an empty name is none.
        talk.start(ALICE, "ann@far.example")
        assert talk.data(message("m", extra="X-Postrider-Pool:\r\n")).code == 250
    server.wait_event("pool_refused")
    far.wait_messages()
    assert far.peers == ["127.0.0.21"]


def test_what_strangers_say_of_pools_is_nothing(postrider, sink):
    server = postrider(extra=POOLS).start()
    submit(server.smtp_port, "x@far.example", "alice@home.example", message("m", extra=TO_NEWS))
    [got] = server.wait_mail("alice")
    assert b"X-Postrider-Pool: news\n" in got


def test_a_new_address_sends_its_share_and_others_the_rest(postrider, sink):
    far = sink()
    server = start(postrider, far, "send from 127.0.0.51 weight 1000", "send from 127.0.0.52",
                   f"warm up 127.0.0.51 from {today()} with 4 a day at most 4",
                   "delivery { idle connections none }")
    rcpts = [f"a{number}@far.example" for number in range(9)]
    submit(server.smtp_port, ALICE, rcpts[:1], message("one"))
    far.wait_messages(1)
    # Each recipient counts, and those beyond the share go from elsewhere.
    submit(server.smtp_port, ALICE, rcpts[1:], message("many"))
    relayed = server.wait_event("relayed", 9)
    assert [event["source"] for event in relayed].count("127.0.0.51") == 4
    assert sorted(event["to"] for event in relayed) == rcpts
    server.wait_queue_empty()
    rows = sources(server)
    assert rows["127.0.0.51"]["used"] == 4 and rows["127.0.0.52"]["used"] == 5
    assert rows["127.0.0.51"]["warm_up"]["share"] == 4 and rows["127.0.0.51"]["warm_up"]["day"] == 1
    assert rows["127.0.0.52"]["warm_up"] is None
    assert "4 of 4 today" in server.queue("sources")


def test_what_no_address_may_send_waits(postrider, sink):
    far = sink()
    server = start(postrider, far, *POOLS, f"warm up 127.0.0.41 from {today()} with 2 a day at most 2")
    for number in range(2):
        submit(server.smtp_port, ALICE, "ann@far.example", message(f"m{number}", extra=TO_NEWS))
    far.wait_messages(2)
    server.wait_queue_empty()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("late", extra=TO_NEWS))
    [event] = server.wait_event("deferred", id=found)
    assert "the addresses of pool news have sent their share of today (2); it goes on" in event["text"]
    assert event["text"].endswith(" 00:00 UTC") and int(event["retry_ms"]) <= 24 * 3600 * 1000
    [row] = json.loads(server.queue("list", "--reason", "source", "--json"))["messages"]
    assert row["id"] == found and row["recipients"][0]["reason"] == "source"
    assert "No address that it may leave from can take it now" in server.queue("show", found)
    assert "sent their share of today" in server.queue("why", "127.0.0.1")
    assert "no address to send from now" in server.queue("summary")
    # Others go, and the count outlives a crash.
    submit(server.smtp_port, ALICE, "ann@far.example", message("other"))
    far.wait_messages(3)
    until(lambda: (server.spool / "sources").exists(), "the counts are written")
    server.kill_everything()
    server.launch()
    server.wait_ready()
    server.wait_event("deferred", 2, id=found)
    assert sources(server)["127.0.0.41"]["used"] == 2
    # A new configuration may let it go.
    server.extra[-1] = server.extra[-1].replace("at most 2", "until 2")
    server.write_files()
    server.process.send_signal(signal.SIGHUP)
    far.wait_messages(4)
    assert far.peers.count("127.0.0.41") >= 2 and server.wait_event("relayed", id=found)


def test_a_share_does_not_go_at_once(postrider, sink):
    far = sink()
    server = start(postrider, far, *POOLS, f"warm up 127.0.0.41 from {today()} with 40 a day at most 40")
    rcpts = [f"a{number}@far.example" for number in range(19)]
    submit(server.smtp_port, ALICE, rcpts, message("many", extra=TO_NEWS))
    far.wait_messages(1)
    server.wait_queue_empty()
    # Twenty go whatever the time of the day; the others each have a time of their own.
    found = submit(server.smtp_port, ALICE, ["b1@far.example", "b2@far.example"],
                   message("two", extra=TO_NEWS))
    [event] = server.wait_event("deferred", id=found)
    assert "of pool news have sent what may go by now of their share of today (40)" in event["text"]
    assert 0 < int(event["retry_ms"]) <= 3600 * 1000
    far.wait_messages(2)
    row = sources(server)["127.0.0.41"]
    assert row["used"] == 20 and row["warm_up"]["share"] == 40, row
    assert row["warm_up"]["free"] == 0 and row["warm_up"]["next_free"], row
    assert "  sent        20 of 40 today; the next may go " in server.queue("sources")
    assert "what may go by now of their share" in server.queue("why", "127.0.0.1")
    late = submit(server.smtp_port, ALICE, "c@far.example", message("late", extra=TO_NEWS))
    [later] = server.wait_event("deferred", id=late)
    assert int(later["retry_ms"]) >= int(event["retry_ms"]) - 1000, (event, later)


SOA = "$TTL 60\n@ SOA ns hostmaster 1 60 60 600 60\n@ NS ns\nns A 127.0.0.1\n"
GMAIL = "$ORIGIN google.com.\n" + SOA + "mx A 127.0.0.2\n"
AT_GMAIL = ("$ORIGIN example.\n" + SOA + "mx A 127.0.0.2\na MX 10 mx.google.com.\n"
            "b MX 10 mx.google.com.\nc MX 10 mx.example.\n")


def test_a_provider_has_a_share_of_its_own(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    names = dns(AT_GMAIL, more={"google.com.": GMAIL})
    server = postrider(extra=[*RELAY, "send from 127.0.0.51",
                              f"warm up 127.0.0.51 from {today()} with 2 a day at most 2 to gmail"],
                       dns_port=names.port, retry="1 h").start()
    # Who serves a domain is known from the first answer.
    for domain in "ab":
        submit(server.smtp_port, ALICE, f"ann@{domain}.example", message(domain))
        server.wait_event("relayed", to=f"ann@{domain}.example")
    found = submit(server.smtp_port, ALICE, "ann@a.example", message("third"))
    [event] = server.wait_event("deferred", id=found)
    assert ("the addresses that mail leaves from have sent their share of today to Gmail (2)"
            in event["text"])
    submit(server.smtp_port, ALICE, "ann@c.example", message("other"))
    far.wait_messages(3)
    server.wait_event("relayed", 3)
    rows = json.loads(server.queue("sources", "--json"))["sources"]
    assert [(row["provider"], row["used"]) for row in rows] == [(None, 3), ("Gmail", 2)], rows
    assert "  to Gmail:\n  sent        2 of 2 today; the next may go " in server.queue("sources")


def test_an_address_before_its_day_sends_nothing(postrider, sink):
    far = sink()
    server = start(postrider, far, "send from 127.0.0.51 weight 1000", "send from 127.0.0.52",
                   "warm up 127.0.0.51 from 2999-01-01 with 4 a day")
    submit(server.smtp_port, ALICE, "ann@far.example", message("m"))
    far.wait_messages()
    assert far.peers == ["127.0.0.52"]
    assert "has not begun" in server.queue("sources")


def test_a_refusal_has_used_the_share(postrider, sink):
    far = sink()
    far.always["dot"] = "450 4.2.0 later"
    server = start(postrider, far, "send from 127.0.0.51",
                   f"warm up 127.0.0.51 from {today()} with 1 a day at most 1")
    submit(server.smtp_port, ALICE, "ann@far.example", message("m"))
    server.wait_event("deferred", code="450")
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("m"))
    [event] = server.wait_event("deferred", id=found)
    assert "the addresses that mail leaves from have sent their share of today (1)" in event["text"]


def test_an_address_that_is_not_ours_is_passed_over(postrider, sink):
    far = sink()
    server = start(postrider, far, "send from 192.0.2.77 weight 1000", "send from 127.0.0.61")
    for number in range(4):
        submit(server.smtp_port, ALICE, f"a{number}@far.example", message(f"m{number}"))
    far.wait_messages(4)
    server.wait_queue_empty()
    assert set(far.peers) == {"127.0.0.61"}
    [event] = server.wait_event("source_failed")
    assert event["source"] == "192.0.2.77"
    assert not logs.select(server.events(), "deferred")
    assert "does not have the address" in sources(server)["192.0.2.77"]["failed"]["error"]
    assert "cannot be used: 192.0.2.77" in server.queue("sources")
    # Nobody tried it again and again.
    attempts = json.loads(server.run("trace", "--json").stdout)["attempts"]
    assert len([a for a in attempts if "192.0.2.77" in json.dumps(a)]) <= 4, attempts
