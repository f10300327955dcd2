#!/usr/bin/env python3
"""Relaying where the other side is far away or puts mail off, beside Postfix in the same run.

    bench/relay.py [plain] [latency] [deferrals] [--n N] [--domains 1,200] [--peers NAMES]
                   [--tunes default,tuned] [--seconds N] [--runs N]

Each of N (20,000) messages of 4 KB is accepted and sent on to sink.c, which answers at once (plain),
each command 200 ms later (latency), or puts off 5 % of the recipients when it first hears of them
(deferrals).  Measured is the time from the first connection of the client to the last message at the
sink, or, of those put off, to their 450; where that takes longer than --seconds, what came until
then.  A line of JSON for each run, then one with the ratios.  Tuned raises the connections per
destination to 50 for both; all else is as shipped."""
import argparse
import json
import statistics
import subprocess
import time

import lab
import lab_postfix

SCENES = {"plain": {}, "latency": {"delay_ms": 200}, "deferrals": {"percent": 5}}
TUNED = "queue { connections per destination 50; connections at first 50 }"


def make_peer(name, tune):
    if name == "postfix":
        return lab_postfix.Postfix(tune == "tuned")
    return lab.Server("relay", more=TUNED if tune == "tuned" else "")


def measure(name, tune, scene, domains, arguments):
    peer, sink = make_peer(name, tune), lab.LateSink(**SCENES[scene])
    peer.start()
    before, sink_before = sum(peer.cpu_ns().values()), sink.cpu_ns()
    begun = last = time.monotonic()
    client = subprocess.Popen(
        lab.load_command(arguments.n, 10, arguments.size, reuse=True, domains=domains,
                         seconds=arguments.seconds, numbered=True), stdout=subprocess.PIPE)
    done = 0
    while done < arguments.n and time.monotonic() - begun < arguments.seconds:
        seen = sink.read()
        if seen["taken"] + seen["deferred"] > done:
            done, last = seen["taken"] + seen["deferred"], time.monotonic()
        time.sleep(0.02)
    used = peer.cpu_ns()
    sink_used = sink.cpu_ns() - sink_before
    client.terminate()
    accepted = client.communicate()[0]
    seen = sink.stop()
    record = {
        "test": "relay", "scene": scene, "peer": name, "tune": tune, "domains": domains,
        "messages": done, "whole": done >= arguments.n, "seconds": round(last - begun, 2),
        "per_s": round(done / max(0.01, last - begun), 1),
        "accept_per_s": json.loads(accepted)["rate"] if accepted else None,
        "cpu_ms": round((sum(used.values()) - before) / 1e6 / max(1, done), 3) if used else None,
        "sink_cpu_ms": round(sink_used / 1e6 / max(1, done), 3),
        "deferred": seen["deferred"], "connections": seen["connections"],
        "open_most": seen["open_most"]}
    peer.clean_up()
    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", nargs="*", help=" ".join(SCENES))
    parser.add_argument("--n", type=int, default=20000, help="messages of a run")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--domains", default="1,200")
    parser.add_argument("--peers", default="postrider,postfix")
    parser.add_argument("--tunes", default="default")
    parser.add_argument("--seconds", type=float, default=120, help="of a run at most")
    parser.add_argument("--runs", type=int, default=1, help="of each, of which the ratio takes the median")
    arguments = parser.parse_args()
    lab.own_network()
    peers, ratios = arguments.peers.split(","), {}
    for scene in arguments.scenes or SCENES:
        for tune in arguments.tunes.split(","):
            for domains in map(int, arguments.domains.split(",")):
                rates = {peer: [] for peer in peers}
                for _ in range(arguments.runs):
                    for peer in peers:
                        record = measure(peer, tune, scene, domains, arguments)
                        rates[peer].append(record["per_s"])
                        print(json.dumps(record), flush=True)
                middle = {peer: statistics.median(found) for peer, found in rates.items()}
                if "postfix" in middle and "postrider" in middle:
                    ratios[f"{scene}, {tune}, {domains} domains"] = round(
                        middle["postrider"] / max(0.01, middle["postfix"]), 2)
    print(json.dumps({"test": "relay", "times_postfix": ratios}))


main()
