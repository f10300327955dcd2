#!/usr/bin/env python3
"""Fresh mail for one destination while very much waits for another one that is slow.

    bench/beside.py [--n N] [--slow N] [--delay-ms N] [--rate N] [--fresh N] [--others N] [--senders]
                    [--dead N] [--peers NAMES]

Fills the queue with N (100,000) messages for --slow (1) destinations whose server takes --delay-ms
(1000) for each reply.  Then, while these wait, sends --fresh (600) messages at --rate (20) a second
to --others (1) destinations whose server answers at once, and says how long each took from the
beginning of its connection to us until it was there.  --senders: each message that waits has a
sender of its own, so that none of them counts as bulk mail.  --dead N: and as many other
destinations do not answer at all, each with one message that waits.  A line of JSON for each
peer."""
import argparse
import json
import socket
import time

import lab
import lab_postfix

OTHERS_FIRST, DEAD_FIRST, DEAD_PORT = 101, 201, 2527


def silence():
    """A port that answers nobody at any address of this host: its queue of connections is full."""
    sockets = [socket.socket() for _ in range(5)]
    sockets[0].bind(("0.0.0.0", DEAD_PORT))
    sockets[0].listen(0)
    for one in sockets[1:]:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", DEAD_PORT))
    return sockets


def measure(name, arguments):
    peer = (lab_postfix.Postfix() if name == "postfix" else
            lab.Server("relay", more="queue { messages 100000000 }", routes="".join(
                f"send mail for d{DEAD_FIRST + i}.test through 127.2.{i // 250}.{i % 250 + 1}:"
                f"{DEAD_PORT} with tls never\n" for i in range(arguments.dead))))
    silent = silence()
    slow = lab.LateSink(delay_ms=arguments.delay_ms)
    quick = [lab.LateSink(address=f"127.0.1.{OTHERS_FIRST + i}") for i in range(arguments.others)]
    peer.start()
    filled = lab.load(arguments.n, 50, arguments.size, reuse=True, domains=arguments.slow,
                      stamped=arguments.senders)
    if arguments.dead:
        lab.load(arguments.dead, 50, arguments.size, reuse=True, domains=arguments.dead,
                 first=DEAD_FIRST, stamped=arguments.senders)
    lab.say(f"{name}: {filled['ok']} filled, {filled['rate']:.0f}/s")
    before, begun = sum(peer.cpu_ns().values()), time.monotonic()
    fresh = lab.load(arguments.fresh, 50, arguments.size, domains=arguments.others,
                     first=OTHERS_FIRST, rate=arguments.rate, stamped=True)
    cpu = (sum(peer.cpu_ns().values()) - before) / 1e6
    end = time.monotonic() + arguments.seconds
    while sum(sink.read()["taken"] for sink in quick) < fresh["ok"] and time.monotonic() < end:
        time.sleep(0.02)
    seen, behind = [sink.stop() for sink in quick], slow.stop()
    record = {
        "test": "beside", "peer": name, "waiting": filled["ok"] - behind["taken"],
        "fill_per_s": filled["rate"], "slow_destinations": arguments.slow,
        "dead_destinations": arguments.dead,
        "slow_taken": behind["taken"], "slow_connections": behind["open_most"],
        "sent": fresh["ok"], "arrived": sum(one["taken"] for one in seen),
        "accepted_p99_ms": fresh["whole_p99_ms"],
        "arrived_p50_ms": max(one["p50_ms"] for one in seen),
        "arrived_p99_ms": max(one["p99_ms"] for one in seen),
        "arrived_max_ms": max(one["max_ms"] for one in seen),
        "cpu_ms_per_s": round(cpu / max(0.01, fresh["seconds"]), 1)}
    peer.clean_up()
    for one in silent:
        one.close()
    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=100000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--slow", type=int, default=1, help="slow destinations, at most 100")
    parser.add_argument("--delay-ms", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--fresh", type=int, default=600)
    parser.add_argument("--others", type=int, default=1, help="other destinations, at most 100")
    parser.add_argument("--senders", action="store_true")
    parser.add_argument("--dead", type=int, default=0, help="not for Postfix")
    parser.add_argument("--peers", default="postrider")
    parser.add_argument("--seconds", type=float, default=60, help="to wait for the last at most")
    arguments = parser.parse_args()
    lab.own_network()
    for name in arguments.peers.split(","):
        print(json.dumps(measure(name, arguments)), flush=True)


main()
