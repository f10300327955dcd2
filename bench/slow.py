#!/usr/bin/env python3
"""Accepting where each sync takes longer.

    bench/slow.py [--ms N] [--sessions N] [--messages N] [--size BYTES]

Measures accepts per second with new connections, without and with a delay of --ms (5) milliseconds
in each fsync and fdatasync of the server (a library that is preloaded).  One line of JSON."""
import argparse
import json
import subprocess

import lab

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
static int slowly(const char *name, int fd) {
	const char *text = getenv("SLOW_SYNC_MS");
	long us = text ? (long)(strtod(text, 0) * 1000) : 0;
	struct timespec wait = {us / 1000000, us % 1000000 * 1000};
	int result = ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
	while (us && nanosleep(&wait, &wait)) {}
	return result;
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
"""


def library():
    path = lab.ROOT / "build/slow_sync.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), "-ldl"],
                   input=SOURCE, text=True, check=True)
    path.chmod(0o755)
    return str(path)


def rate(ms, arguments, preload):
    server = lab.Server("hold", preload={"LD_PRELOAD": preload, "SLOW_SYNC_MS": str(ms)})
    server.start()
    lab.load(1000, arguments.sessions, arguments.size)
    result = lab.load(arguments.messages, arguments.sessions, arguments.size)
    server.clean_up()
    return result["rate"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ms", type=float, default=5)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--messages", type=int, default=10000)
    parser.add_argument("--size", type=int, default=4096)
    arguments = parser.parse_args()
    lab.own_network()
    preload = library()
    plain, slow = rate(0, arguments, preload), rate(arguments.ms, arguments, preload)
    print(json.dumps({"test": "slow", "ms": arguments.ms, "sessions": arguments.sessions,
                      "plain_per_s": round(plain), "slow_per_s": round(slow),
                      "part": round(slow / plain, 3)}))


main()
