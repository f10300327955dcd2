"""Waiting for a fact instead of for a time."""
import os
import random
import socket
import time
from pathlib import Path

# Slower builds (sanitizers) and busy machines wait longer for the same facts.
PATIENCE_S = 40.0

# Below the range that the kernel gives to clients; each process of pytest has a part of its own.
PORT_MIN, PORT_MAX = 12000, 31999
given_ports = set()


def until(fact, what, seconds=PATIENCE_S):
    """Calls fact() until it gives something true, and gives that; fails with what after a time."""
    end = time.monotonic() + seconds
    while True:
        result = fact()
        if result:
            return result
        if time.monotonic() > end:
            what = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def port_range():
    """(first, how many) of this process of pytest."""
    lowest_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    last = min(PORT_MAX, lowest_of_clients - 1)
    if last < PORT_MIN + 2000:
        last = PORT_MAX  # nothing is left below it: chance has to do
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    parts = max(part + 1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    size = (last - PORT_MIN + 1) // parts
    return PORT_MIN + part * size, size


def free_port(host="127.0.0.1"):
    """A port that nobody has, neither for TCP nor for UDP."""
    first, size = port_range()
    while True:
        port = first + random.randrange(size)
        if port in given_ports:
            continue
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            try:
                stream.bind((host, port))
                datagram.bind((host, port))
            except OSError:
                continue
        given_ports.add(port)
        return port


def has_ipv6():
    """Whether this machine has the loopback address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def same_day(seconds=120):
    """Returns where the day of UTC goes on for that long: shortly before midnight, after it."""
    left = 86400 - time.time() % 86400
    if left < seconds:
        time.sleep(left + 1)
