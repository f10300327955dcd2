#!/usr/bin/env python3
"""How long a client waits for the 250 after the end of its message, at half the rate that the
server can do.

    bench/latency.py [--seconds N] [--sessions N] [--size BYTES] [--rate N]

Finds the maximum rate (new connections, as many sessions as given), then sends at half of it (or at
--rate) whether or not earlier messages are done, and says the percentiles.  One line of JSON."""
import argparse
import json

import lab


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rate", type=float)
    arguments = parser.parse_args()
    lab.own_network()
    server = lab.Server("hold")
    server.start()
    for reuse in (False, True):
        guess = lab.load(2000, arguments.sessions, arguments.size, reuse=reuse)["rate"]
        top = lab.load(int(guess * 5), arguments.sessions, arguments.size, reuse=reuse)["rate"]
        rate = arguments.rate or top / 2
        before = server.cpu_ns()
        # Sessions enough that a message which is due finds one.
        result = lab.load(max(100, int(rate * arguments.seconds)), 500, arguments.size, reuse=reuse,
                          rate=rate)
        cpu = sum(server.cpu_ns().values()) - sum(before.values())
        print(json.dumps({
            "test": "latency", "reuse": reuse, "size": arguments.size, "max_per_s": round(top),
            "at_per_s": round(rate), "reached_per_s": round(result["rate"]),
            "cpu_ms": round(cpu / 1e6 / max(1, result["ok"]), 3),
            **{key: value for key, value in result.items() if key.endswith("_ms")}}), flush=True)


main()
