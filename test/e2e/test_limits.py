"""Limits and retry schedules of destinations, and what an operator is told of them."""
import json
import time

import logs
from server import settle
from talk import message, submit
from peers import Held
from waiting import until

ALICE = "alice@home.example"


def make(postrider, ports, extra=(), **options):
    """Each domain goes to a server of its own, by its address; the names are those of routes."""
    routes = [f"send mail for {domain} through {host}:{port} with tls never"
              for domain, (host, port) in ports.items()]
    return postrider(extra=["relay for 127.0.0.0/8", *extra], routes=routes, **options)


def rows_of(server, *arguments):
    return json.loads(server.queue("list", "--json", *arguments))["messages"]


def test_a_rate_is_kept(postrider, sink):
    far = sink()
    server = make(postrider, {"far.example": ("127.0.0.1", far.port)},
                  ["destination 127.0.0.1 { rate 4 per 2 s }"]).start()
    began = time.monotonic()
    for number in range(9):
        submit(server.smtp_port, ALICE, "ann@far.example", message(f"m{number}"))
    far.wait_messages(9)
    times = sorted(m["at"] - began for m in far.messages)
    # Never more than four in two seconds, whenever the first of them was begun.
    assert times[4] > 1.9 and times[8] > 3.9, times


def test_a_rate_is_told(postrider, sink):
    far = sink()
    server = make(postrider, {"far.example": ("127.0.0.1", far.port)},
                  ["destination 127.0.0.1 { rate 4 per 1 h }"]).start()
    for number in range(3):
        submit(server.smtp_port, ALICE, "ann@far.example", message(f"m{number}"))
    far.wait_messages(1)
    found = until(lambda: [r for row in rows_of(server, "--reason", "rate")
                           for r in row["recipients"]], lambda: server.log_tail())[0]
    assert found["limit"] == "rate 4 per 1 h, in destination 127.0.0.1", found
    assert found["next_try"] and "only so many messages" in found["why"], found
    summary = json.loads(server.queue("summary", "--json"))
    assert summary["destinations"][0]["state"] == "limited", summary
    assert "limited by rate 4 per 1 h" in server.queue("summary")
    assert len(far.messages) == 1, far.messages


def test_connections_are_limited(postrider, sink):
    far = sink()
    held = far.always["dot"] = Held("250 2.0.0 Taken")
    server = make(postrider, {"far.example": ("127.0.0.1", far.port)},
                  ["destination any { connections 1; connections at first 1 }"]).start()
    found = [submit(server.smtp_port, ALICE, "ann@far.example", message(f"m{n}")) for n in range(3)]
    waiting = until(lambda: rows_of(server, "--reason", "connections"), lambda: server.log_tail())
    assert waiting[0]["id"] in found
    rcpt = waiting[0]["recipients"][0]
    assert rcpt["limit"] == "connections 1, in destination any", rcpt
    assert rcpt["connections"] == 1 and rcpt["window"] == 1, rcpt
    held.let_go()
    far.wait_messages(3)
    assert far.open_most == 1


def test_a_schedule_of_its_own(postrider, sink):
    quick, slow = sink(host="127.0.0.1"), sink(host="127.0.0.2")
    for far in (quick, slow):
        far.always["rcpt"] = "450 4.2.1 Not now"
    server = make(postrider, {"quick.example": ("127.0.0.1", quick.port),
                              "slow.example": ("127.0.0.2", slow.port)},
                  ["destination 127.0.0.1 { retry after 200 ms; expire after 1 s; jitter 0 % }"],
                  retry="1 h").start()
    fast = submit(server.smtp_port, ALICE, "ann@quick.example", message("fast"))
    lazy = submit(server.smtp_port, ALICE, "ann@slow.example", message("lazy"))
    server.wait_event(logs.EXPIRED, id=fast)
    tries = logs.select(server.events(), logs.DEFERRED, id=fast)
    assert len(tries) >= 2 and {150 < int(t["retry_ms"]) <= 200 for t in tries} == {True}, tries
    only = server.wait_event(logs.DEFERRED, id=lazy)
    assert len(only) == 1 and 3000000 < int(only[0]["retry_ms"]) < 4000000, only
    row = rows_of(server, "--for", "127.0.0.2")[0]
    assert row["id"] == lazy
    rcpt = row["recipients"][0]
    assert rcpt["reason"] == "time" and rcpt["limit"] == "retry after 1 h, in queue", rcpt
    assert rcpt["code"] == 450 and rcpt["status"] == "4.2.1" and rcpt["tried"], rcpt
    text = server.queue("show", lazy)
    for part in ("The next try is due", "retry after 1 h, in queue", "4.2.1", "127.0.0.2"):
        assert part in text, (part, text)


def test_a_summary_says_who_is_down(postrider, sink):
    far = sink(host="127.0.0.2")
    port, up = far.port, sink()
    far.stop()
    server = make(postrider, {"down.example": ("127.0.0.2", port),
                              "up.example": ("127.0.0.1", up.port)}, retry="1 h").start()
    up.always["rcpt"] = "450 4.2.1 Not now"
    for number in range(4):
        submit(server.smtp_port, ALICE, f"u{number}@down.example", message(f"d{number}"))
    submit(server.smtp_port, ALICE, "ann@up.example", message("u"))
    server.wait_event(logs.DEFERRED, host="127.0.0.1[127.0.0.1]")

    def down():
        rows = json.loads(server.queue("summary", "--json"))
        return [r for r in rows["destinations"] if r["state"] == "down"] and rows

    found = until(down, lambda: server.queue("summary"))
    assert found["total"] == 2 and found["recipients"] == 5, found
    first, second = found["destinations"]
    assert first["destination"] == f"host:127.0.0.2:{port}" and first["recipients"] == 4, first
    assert first["failures"] >= 1 and first["next_try"] and first["oldest"], first
    assert second["state"] == "ok" and second["waiting"] == 1, second
    text = server.queue("summary", "--for", "127.0.0.2")
    assert "down, tried again in" in text and "1 destination, 4 recipients" in text, text
    rows = rows_of(server, "--reason", "down", "--for", "127.0.0.2")
    assert rows and all("could be reached" in r["recipients"][0]["why"] for r in rows), rows
    assert rows_of(server, "--reason", "down", "--for", "127.0.0.1") == []
    assert "None of" in server.queue("list", "--for", "nowhere.example")


def test_a_summary_counts_by_age_and_by_reason(postrider, sink):
    full, other, quiet = sink(host="127.0.0.1"), sink(host="127.0.0.2"), sink(host="127.0.0.3")
    full.always["rcpt"] = "452 4.2.2 Mailbox is full"
    other.always["rcpt"] = "450 4.9.9 Whatever"
    server = make(postrider, {"full.example": ("127.0.0.1", full.port),
                              "other.example": ("127.0.0.2", other.port),
                              "quiet.example": ("127.0.0.3", quiet.port)}, retry="1 h").start()
    server.queue("suspend", "127.0.0.3")
    for number in range(3):
        submit(server.smtp_port, ALICE, f"u{number}@full.example", message(f"f{number}"))
    submit(server.smtp_port, ALICE, ["a@other.example", "b@other.example"], message("o"))
    submit(server.smtp_port, ALICE, "a@quiet.example", message("q"))
    server.wait_event(logs.DEFERRED, 5)

    found = json.loads(server.queue("summary", "--json"))
    assert {r["name"]: r["recipients"] for r in found["reasons"]} == {
        "mailbox-full": 3, "4.9.9": 2, "suspended": 1}, found
    assert all(r["ages"]["5m"] == r["recipients"] for r in found["reasons"]), found
    assert [d["ages"]["5m"] for d in found["destinations"]] == [3, 2, 1], found
    assert found["other_destinations"] is None and found["other_reasons"] is None
    # The rest is summed up.
    first = json.loads(server.queue("summary", "--json", "--limit", "1"))
    assert first["count"] == 1 and first["total"] == 3, first
    assert first["other_destinations"]["recipients"] == 3, first
    some = json.loads(server.queue("summary", "--json", "--for", "127.0.0.2"))
    assert [r["name"] for r in some["reasons"]] == ["4.9.9"], some
    text = server.queue("summary", "--limit", "1")
    rows = {line.split("  ")[0].strip(): line.split() for line in text.splitlines()}
    assert rows["all others"][-7:] == ["3", "3", "-", "-", "-", "-", "-"], text
    assert rows["mailbox-full"][-7:] == ["3", "3", "-", "-", "-", "-", "-"], text


def test_a_reload_changes_limits(postrider, sink):
    far = sink()
    server = make(postrider, {"far.example": ("127.0.0.1", far.port)},
                  ["destination any { rate 1 per 1 h }"]).start()
    for number in range(3):
        submit(server.smtp_port, ALICE, "ann@far.example", message(f"m{number}"))
    far.wait_messages(1)
    settle(0.3)
    assert len(far.messages) == 1
    server.extra[-1] = "destination any { rate unlimited }"
    server.write_files()
    server.process.send_signal(1)
    far.wait_messages(3)
