"""Domains with the same servers share what these may have: connections, rate, pauses."""
import json
import subprocess

import logs
from peers import Held
from server import PROGRAM
from talk import message, submit
from test_delivery import ALICE, RELAY
from waiting import until

OUTLOOK = "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)"
DOMAINS = ("a", "b", "c", "d")
ZONE = """\
$ORIGIN example.
$TTL 60
@ SOA ns hostmaster 1 60 60 600 60
@ NS ns
ns A 127.0.0.1
mx1.hoster A 127.0.0.2
mx2.hoster A 127.0.0.3
""" + "".join(f"{domain} MX 10 mx1.hoster.example.\n" for domain in DOMAINS) + """\
e MX 10 mx2.hoster.example.
"""


def start(postrider, dns, *lines, **options):
    return postrider(extra=[*RELAY, "delivery processes 1", *lines], dns_port=dns(ZONE).port,
                     retry="1 h", **options).start()


def learn(server, domains):
    """Which servers a domain has is known from its mail."""
    for domain in domains:
        found = submit(server.smtp_port, ALICE, f"known@{domain}.example", message("known"))
        server.wait_event(logs.RELAYED, id=found)


def why(server, domain):
    [row] = json.loads(server.queue("why", f"{domain}.example", "--json"))["destinations"]
    return row


def test_domains_of_one_host_share_its_connections(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = start(postrider, dns, "queue { connections per mx host 3 }")
    learn(server, DOMAINS)
    held = far.always["dot"] = Held("250 2.0.0 Taken")
    ids = [submit(server.smtp_port, ALICE, f"u{number}@{domain}.example", message("many"))
           for number in range(4) for domain in DOMAINS]
    until(lambda: why(server, "a")["site"]["connections"] == 3, lambda: why(server, "a"))
    rows = {domain: why(server, domain) for domain in DOMAINS}
    assert {row["reason"] for row in rows.values()} == {"site"}, rows
    assert {row["state"] for row in rows.values()} == {"limited"}, rows
    site = rows["a"]["site"]
    assert site["name"] == "mx1.hoster.example" and site["destinations"] == 4, site
    assert site["window"] == site["window_max"] == 3, site
    assert rows["a"]["limit"] == "connections per mx host 3, in queue", rows["a"]
    # No domain has more than its turn of them.
    assert sorted(row["connections"] for row in rows.values()) == [0, 1, 1, 1], rows
    text = server.queue("why", "b.example")
    assert "mx1.hoster.example: 3 connections in use by 4 domains, 3 allowed now, at most 3" in text, text
    waiting = json.loads(server.queue("list", "--reason", "site", "--json"))["messages"]
    assert len(waiting) == 13 and {m["id"] for m in waiting} < set(ids), waiting
    shown = server.queue("show", waiting[0]["id"])
    assert "mx1.hoster.example, which takes" in shown and "has 3 of 3" in shown, shown
    assert "limited by connections per mx host 3, in queue" in server.queue("summary")
    held.let_go()
    far.wait_messages(4 + len(ids))
    server.wait_queue_empty()
    assert far.open_most == 3, far.open_most


def test_what_a_provider_may_have_is_configured(postrider, dns, sink, port_25):
    """Two hosts are one provider here: a connection to one of them makes room for the other."""
    one, two = sink("127.0.0.2", port_25), sink("127.0.0.3", port_25)
    server = start(postrider, dns, "provider .hoster.example { connections 1; messages per connection 9",
                   "recipients per transaction 3 }", "delivery { idle timeout 5 m }",
                   "destination b.example { messages per connection 3 }")
    learn(server, ("a", "e", "a", "e"))
    assert why(server, "e")["site"]["name"] == ".hoster.example"
    until(lambda: len(one.open) + len(two.open) == 1, "of two that are known, one is kept")
    learn(server, ("e",))
    until(lambda: not one.open, "the host that is not in use is left")
    del one.messages[:]
    to = [f"u{number}@a.example" for number in range(7)]
    submit(server.smtp_port, ALICE, to, message("seven"))
    server.wait_queue_empty()
    assert sorted(len(m["rcpts"]) for m in one.messages) == [1, 3, 3], one.messages
    assert {m["session"] for m in one.messages} == {2}, one.messages
    for number in range(4):
        server.wait_event(logs.RELAYED,
                          id=submit(server.smtp_port, ALICE, f"u{number}@b.example", message("few")))
    # The fourth on that connection, and then a new one for three of b's own.
    assert [m["session"] for m in one.messages[3:]] == [2, 3, 3, 3], one.messages
    assert one.open_most == two.open_most == 1


def test_who_asked_for_less_is_left_alone_after_a_restart(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = start(postrider, dns)
    learn(server, ("a", "b"))
    far.always["mail"] = OUTLOOK
    submit(server.smtp_port, ALICE, "u@a.example", message("busy"))
    server.wait_event("backoff")
    waits = submit(server.smtp_port, ALICE, "u@b.example", message("waits"))
    until(lambda: why(server, "b")["state"] == "paused", "b waits as a does")
    server.stop()
    far.always.clear()
    server.start()
    assert server.wait_event("backoffs_kept")[0]["count"] == "1"
    row = why(server, "b")
    assert row["state"] == "paused" and row["site"]["name"] == "mx1.hoster.example", row
    assert row["asked"]["kind"] == "slow" and "Server busy" in row["reply"], row
    assert "asked for less mail" in server.queue("show", waits)
    assert len(far.messages) == 2, far.messages
    # An operator's word ends it, and that is kept too.
    server.queue("retry", waits)
    far.wait_messages(3)
    server.stop()
    # Damage is said, and does no harm.
    kept = server.spool / "backoffs"
    kept.write_bytes(kept.read_bytes() + b"row\tnonsense\n")
    server.start()
    assert server.wait_event("backoffs_damaged")[0]["error"] == "malformed"
    assert why(server, "b")["asked"] is None


def test_providers_are_listed_with_what_they_want(server):
    rows = json.loads(subprocess.run([PROGRAM, "providers", "--json"], check=True,
                                     stdout=subprocess.PIPE).stdout)["providers"]
    gmail = next(row for row in rows if row["name"] == "Gmail")
    assert gmail["connections"] > 0 and "https://" in gmail["source"] and gmail["date"], gmail
    text = subprocess.run([PROGRAM, "providers"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert all(f"{row['name']}\n" in text for row in rows)
