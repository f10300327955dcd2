"""The addresses that mail leaves from, and reverse-paths with the recipient in them."""
import json

import logs
from server import settle
from talk import message, submit
from test_delivery import ALICE, RELAY, through

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
        count = len(far.messages)
        submit(server.smtp_port, sender, "ann@far.example", message(sender))
        far.wait_messages(count + 1)
        settle(0.1)
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
