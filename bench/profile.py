#!/usr/bin/env python3
"""Where the time of a message goes: system calls and CPU by role, for accept and relay.

    bench/profile.py [sink-new] [sink-reused] [new] [reused] [relay] [relay200] [--messages N] [--sessions N] [--size N]
                     [--perf FOLDER]

Needs root and perf.  Counts with tracepoints, which cost little, so the figures of CPU are a
little too high.  --perf keeps a CPU profile of each run (perf.data) in the folder."""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lab

CALLS = """accept accept4 alarm close connect epoll_ctl epoll_wait epoll_pwait fallocate fcntl fdatasync futex
getpeername getrandom getsockname getsockopt ioctl mmap munmap madvise brk openat poll pread64 pwrite64
pwritev pwritev2 read readv recvfrom recvmsg sendmsg sendto setsockopt shutdown socket write writev
clock_gettime timerfd_settime eventfd2 unlink rename""".split()


class Counter:
    """perf stat for the processes of one role."""

    def __init__(self, pids):
        self.file = tempfile.NamedTemporaryFile(mode="r")
        events = ["raw_syscalls:sys_enter", "context-switches",
                  *(f"syscalls:sys_enter_{call}" for call in CALLS if has_event(call))]
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", self.file.name, "-e", ",".join(events),
             "-p", ",".join(map(str, pids))], stdin=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        counts = {}
        for line in self.file.read().splitlines():
            fields = line.split(",")
            if len(fields) > 2 and fields[0].isdigit():
                counts[fields[2].removeprefix("syscalls:sys_enter_")] = int(fields[0])
        return counts


def has_event(call):
    return os.path.exists(f"/sys/kernel/tracing/events/syscalls/sys_enter_{call}")


def perf_record(server, folder, name):
    pids = [str(p) for pids in server.roles().values() for p in pids]
    return subprocess.Popen(
        ["perf", "record", "-q", "-F", "2999", "-g", "-o", str(Path(folder) / f"{name}.data"),
         "-p", ",".join(pids)], stdin=subprocess.DEVNULL)


def measure_sink(name, arguments):
    """The same load on smtp-sink, which keeps nothing: the bound."""
    sink = lab.Sink(lab.PORT)
    common = dict(sessions=arguments.sessions, size=arguments.size, reuse=name == "sink-reused")
    lab.load(500, **common)
    counter = Counter([sink.process.pid])
    time.sleep(1)
    before, user = lab.cpu_ns_of(sink.process.pid), lab.user_s_of(sink.process.pid)
    result = lab.load(arguments.messages, **common)
    after = lab.cpu_ns_of(sink.process.pid)
    user = (lab.user_s_of(sink.process.pid) - user) * 1000 / arguments.messages
    report(name, arguments.messages, result, {"sink": before}, {"sink": after}, {"sink": user},
           {"sink": counter.stop()})
    sink.stop()


def measure(name, arguments):
    relay = name.startswith("relay")
    server = lab.Server("relay" if relay else "hold")
    sink = lab.Sink() if relay else None
    server.start()
    common = dict(sessions=10 if relay else arguments.sessions, size=arguments.size,
                  reuse=name == "reused", domains=200 if name == "relay200" else 1)
    lab.load(500, **common)
    if sink:
        sink.wait(500)
    counters = {role: Counter(pids) for role, pids in server.roles().items()
                if role in ("reception", "queue", "delivery", "lookup")}
    recorder = perf_record(server, arguments.perf, name) if arguments.perf else None
    subprocess.run(["sleep", "1"])
    before, user = server.cpu_ns(), server.user_s()
    begun = time.monotonic()
    result = lab.load(arguments.messages, **common)
    if sink:
        sink.wait(500 + arguments.messages)
        result["relayed"] = arguments.messages / (time.monotonic() - begun)
    after, user_after = server.cpu_ns(), server.user_s()
    user = {role: (user_after[role] - user[role]) * 1000 / arguments.messages for role in user}
    if recorder:
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
    counts = {role: counter.stop() for role, counter in counters.items()}
    report(name, arguments.messages, result, before, after, user, counts)
    server.clean_up()
    if sink:
        sink.stop()


def report(name, messages, result, before, after, user, counts):
    cpu = {role: (after[role] - before[role]) / messages / 1e6 for role in after}
    print(f"== {name}: {result['rate']:.0f}/s accepted, "
          + (f"{result['relayed']:.0f}/s relayed, " if "relayed" in result else "") + f"server CPU {sum(cpu.values()):.4f} ms a message: "
          + ", ".join(f"{role} {ms:.4f} ({user[role]:.3f} in user space)"
                      for role, ms in cpu.items() if ms >= 0.001))
    for role, calls in counts.items():
        total = calls.pop("raw_syscalls:sys_enter", 0)
        rest = sorted(calls.items(), key=lambda pair: -pair[1])
        words = ", ".join(f"{call} {n / messages:.2f}" for call, n in rest if n / messages >= 0.005)
        print(f"   {role}: {total / messages:.2f} system calls a message: {words}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="*", default=[], help="see above")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--perf")
    arguments = parser.parse_args()
    lab.own_network()
    for name in arguments.runs or ["sink-new", "sink-reused", "new", "reused", "relay", "relay200"]:
        (measure_sink if name.startswith("sink") else measure)(name, arguments)


main()
