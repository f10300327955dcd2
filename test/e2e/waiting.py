"""Waiting for a fact instead of for a time."""
import os
import random
import socket
import time

# Slower builds (sanitizers) and busy machines wait longer for the same facts.
PATIENCE_S = 20.0

# Below the range that the kernel gives to clients; each process of pytest has a part of its own.
PORT_MIN, PORT_MAX, PORT_PARTS = 12000, 31999, 10
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


def free_port(host="127.0.0.1"):
    """A port that nobody has."""
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_PARTS
    size = (PORT_MAX - PORT_MIN + 1) // PORT_PARTS
    while True:
        port = PORT_MIN + part * size + random.randrange(size)
        if port in given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        given_ports.add(port)
        return port
