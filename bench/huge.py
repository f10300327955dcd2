#!/usr/bin/env python3
"""Ten million queued messages: how long the server takes to start, and how much memory.

    bench/huge.py [--messages N] [--size BYTES] [--seconds N] [--restarts N]

The server accepts one message for a destination that does not answer and is stopped; spool_fill
puts copies of it, with bodies of --size (200) bytes, by the spool's own interface.  Then the server
is started: once from the log alone, and again from the checkpoint that it has made.  Needs about
700 bytes of disk for each message, and as much again for what the server writes beside it; refuses
where 5 GB would not be left.  One line of JSON; the spool is removed."""
import argparse
import json
import os
import subprocess
import sys
import time

import lab

DISK_RESERVE, BYTES_BESIDE = 5 << 30, 1200


def started(server, arguments):
    """Starts, accepts one, and says how long that took and what it holds."""
    begun = time.monotonic()
    greeted = server.start(arguments.seconds)
    result = lab.load(1, 1, 200, seconds=60)
    found = {"greets_s": round(greeted, 2), "accepts_s": round(time.monotonic() - begun, 2),
             "cpu_s": round(sum(server.cpu_ns().values()) / 1e9, 2), "ok": result["ok"] == 1,
             "pss_mb": {role: round(kb / 1024, 1) for role, kb in server.rss_kb().items()}}
    found["pss_mb_all"] = round(sum(found["pss_mb"].values()), 1)
    seconds, _ = min(server.run("queue", "list", "--limit", "50") for _ in range(3))
    found["first_page_ms"] = round(seconds * 1000, 1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=10000000)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=900, help="that a start may take")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--settle", type=float, default=10, help="seconds before each stop")
    arguments = parser.parse_args()
    lab.own_network()
    need = arguments.messages * (arguments.size + BYTES_BESIDE)
    if lab.free_disk() < DISK_RESERVE + need:
        sys.exit(f"needs {need >> 30} GB of disk and {DISK_RESERVE >> 30} GB to be left; "
                 f"{lab.free_disk() >> 30} GB are free")
    server = lab.Server("dead", more="queue { messages 100000000 }")
    server.start()
    assert lab.load(1, 1, 200)["ok"] == 1
    time.sleep(1)
    server.stop()
    spool = server.folder / "spool"
    begun = time.monotonic()
    subprocess.run([lab.ROOT / "build/bench/spool_fill", spool, str(arguments.messages),
                    str(arguments.size)], check=True)
    owner = spool.stat()
    for folder, _, names in os.walk(spool):
        for name in names:
            os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid)
    record = {"test": "huge", "messages": arguments.messages, "size": arguments.size,
              "filled_s": round(time.monotonic() - begun, 1)}
    lab.say(f"filled in {record['filled_s']} s, {lab.disk_of(spool) >> 20} MB")
    record["from_log"] = started(server, arguments)
    lab.say(json.dumps(record["from_log"]))
    record["from_checkpoint"] = []
    for _ in range(arguments.restarts):
        time.sleep(arguments.settle)
        server.stop()
        record["from_checkpoint"].append(started(server, arguments))
        lab.say(json.dumps(record["from_checkpoint"][-1]))
    record["disk_mb"] = lab.disk_of(spool) >> 20
    print(json.dumps(record))


main()
