#!/usr/bin/env python3
"""A queue of many messages for a destination that does not answer.

    bench/dead.py [--messages N] [--size BYTES] [--sessions N] [--restarts N]

Fills the queue, then says: accepts per second in each tenth of it, disk and memory per message,
seconds from start to accepting with all of them there, and of the first page of "queue list" (50).
Bounded: stops where less than 5 GB of disk would be left, or after --seconds.  One line of JSON at
the end; the spool is removed."""
import argparse
import json
import sys
import time

import lab

DISK_RESERVE = 5 << 30


def fill(server, arguments):
    """Accepts per second in each part, and how many there are."""
    parts, total, end = [], 0, time.monotonic() + arguments.seconds
    step = arguments.messages // arguments.parts
    while total < arguments.messages and time.monotonic() < end:
        if lab.free_disk() < DISK_RESERVE + step * arguments.size * 2:
            lab.say("not enough disk for more")
            break
        result = lab.load(step, arguments.sessions, arguments.size, reuse=True,
                          seconds=max(1, end - time.monotonic()))
        total += result["ok"]
        parts.append(round(result["rate"], 1))
        lab.say(f"{total} queued, {parts[-1]}/s")
        if result["failed"]:
            lab.say(f"{result['failed']} failed:\n{server.log_tail()}")
            break
    return parts, total


def first_page(server):
    seconds, text = min(server.run("queue", "list", "--limit", "50") for _ in range(3))
    if "\n" not in text:
        lab.say(text)
    return round(seconds * 1000, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000000)
    parser.add_argument("--parts", type=int, default=10)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1800)
    arguments = parser.parse_args()
    lab.own_network()
    server = lab.Server("dead", more="queue { messages 100000000 }")
    server.start()
    parts, total = fill(server, arguments)
    disk = lab.disk_of(server.folder / "spool")
    record = {
        "test": "dead", "messages": total, "size": arguments.size, "accept_per_s": parts,
        "last_to_first": round(parts[-1] / parts[0], 3) if parts else None,
        "disk_per_message": round(disk / max(1, total)),
        "queue_bytes_per_message": round(server.rss_kb()["queue"] * 1024 / max(1, total)),
        "first_page_ms": first_page(server), "start_s": [], "start_cpu_s": [],
        "first_page_after_start_ms": []}
    for _ in range(arguments.restarts):
        server.stop()
        record["start_s"].append(round(server.start(), 2))
        record["start_cpu_s"].append(round(sum(server.cpu_ns().values()) / 1e9, 2))
        result = lab.load(1, 1, arguments.size, seconds=60)
        if not result["ok"]:
            sys.exit("nothing is accepted after the start:\n" + server.log_tail())
        record["first_page_after_start_ms"].append(first_page(server))
        record["pss_mb"] = {role: round(kb / 1024, 1) for role, kb in server.rss_kb().items()}
    print(json.dumps(record))


main()
