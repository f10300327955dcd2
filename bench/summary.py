#!/usr/bin/env python3
"""What "postrider queue summary" costs with very much mail waiting.

    bench/summary.py [--n N] [--domains N] [--size BYTES] [--rate N] [--seconds N]

Fills the queue with N (1,000,000) messages for --domains (200) destinations that do not answer.
Then says how long "queue summary", the same as JSON, "queue why" of one of them and the first page
of "queue list" take, how much memory these programs need, how much more the server's roles have at
most (kilobytes), and how long clients wait for the 250 at --rate (200) messages a second without
and while summaries are asked for one after the other.  Stops where less than 5 GB of disk would be
left.  One line of JSON."""
import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import lab

DISK_RESERVE = 5 << 30
COMMANDS = {"summary": ["queue", "summary"], "summary_json": ["queue", "summary", "--json"],
            "why": ["queue", "why", "d1.test"], "list": ["queue", "list", "--limit", "50"]}


def most_kb(server):
    """The most memory that each role ever had."""
    found = {}
    for role, pids in server.roles().items():
        texts = (Path(f"/proc/{pid}/status").read_text() for pid in pids)
        found[role] = sum(int(re.search(r"^VmHWM:\s+(\d+)", text, re.M)[1]) for text in texts)
    return found


def ask(server, words):
    """Seconds, kilobytes of the program at most, lines of its answer."""
    begun = time.monotonic()
    process = subprocess.Popen([lab.PROGRAM, *words, "--config", str(server.config)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{words}: {text.decode(errors='replace')[-500:]}")
    return time.monotonic() - begun, used.ru_maxrss, text.count(b"\n")


def accept(server, arguments, asking):
    """Percentiles of the wait for the 250, and how many summaries were answered meanwhile."""
    over, asked = threading.Event(), []

    def repeat():
        while not over.is_set():
            asked.append(ask(server, COMMANDS["summary"])[0])

    thread = threading.Thread(target=repeat)
    if asking:
        thread.start()
    result = lab.load(int(arguments.rate * arguments.seconds), 50, arguments.size,
                      rate=arguments.rate, domains=arguments.domains)
    over.set()
    if asking:
        thread.join()
    return {"p50_ms": result["reply_p50_ms"], "p99_ms": result["reply_p99_ms"],
            "max_ms": result["reply_max_ms"], "failed": result["failed"], "summaries": len(asked)}


def fill(server, arguments):
    total = 0
    while total < arguments.n:
        step = min(max(1, arguments.n // 10), arguments.n - total)
        if lab.free_disk() < DISK_RESERVE + step * arguments.size * 2:
            lab.say("not enough disk for more")
            break
        result = lab.load(step, 50, arguments.size, reuse=True, domains=arguments.domains)
        total += result["ok"]
        lab.say(f"{total} queued, {result['rate']:.0f}/s")
        if result["failed"]:
            sys.exit(f"{result['failed']} failed:\n{server.log_tail()}")
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=1000000)
    parser.add_argument("--domains", type=int, default=200)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=15)
    arguments = parser.parse_args()
    lab.own_network()
    server = lab.Server("dead", more="queue { messages 100000000 }")
    server.start()
    record = {"test": "summary", "messages": fill(server, arguments), "domains": arguments.domains}
    before, record["program_kb"] = most_kb(server), {}
    for name, words in COMMANDS.items():
        took = [ask(server, words) for _ in range(5)]
        record[f"{name}_ms"] = [round(seconds * 1000, 1) for seconds, _, _ in took]
        record["program_kb"][name] = max(kb for _, kb, _ in took)
        record[f"{name}_lines"] = took[0][2]
    after = most_kb(server)
    record["more_kb"] = {role: after[role] - before[role] for role in after}
    record["queue_mb"] = round(server.rss_kb()["queue"] / 1024, 1)
    record["accept"] = accept(server, arguments, False)
    record["accept_beside_summaries"] = accept(server, arguments, True)
    print(json.dumps(record))


main()
