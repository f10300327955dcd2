#!/usr/bin/python3
"""Power cuts under load, on a real file system; is every message that was answered 250 still there?

    test/powercut/powercut.py [--cuts N] [--seed N] [--break] [--keep DIR] [--program PATH] [--disk-in DIR]

The server has its spool and its Maildirs on an ext4 that is made for this.  While clients send, the
file system is shut down as by a power cut (EXT4_IOC_SHUTDOWN without a flush of the journal), the
server is killed, the file system is mounted again, which replays its journal, and the server
started on what is left.  Then each message that was promised must be delivered or wait.

--break preloads a library in which fdatasync and fsync do nothing: losses must then be found, or
this test is worth nothing.

The last line sums up.  Exit status: 0 all is well; 1 not; 77 this machine cannot do it.
"""
import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE)]

CUTS_PER_DISK = 10
DISK_MEGABYTES = 2048
SESSIONS = 16
LOAD_S_MAX = 1.5
DRAIN_S_MAX = 180
SKIPPED = 77


class Failed(Exception):
    pass


class Mailbox:
    """A Maildir's messages by token; each file is read once, but looked for each time."""

    def __init__(self, path):
        self.path, self.known, self.broken = path, {}, set()

    def count(self):
        tokens, names = collections.Counter(), set()
        for folder in ("new", "cur"):
            directory = self.path / folder
            names.update(directory.iterdir() if directory.exists() else ())
        for path in names:
            if path not in self.known:
                self.known[path] = read_message(path.read_bytes())
                if self.known[path] is None:
                    self.broken.add(path.name)
            tokens[self.known[path]] += 1
        return tokens

    def forget(self):
        """Reads all of it again: what was whole once may not be after a cut."""
        self.known.clear()


class Remote:
    """What a remote server took, by token: it has power all the time."""

    def __init__(self, sink):
        self.sink, self.tokens, self.broken = sink, collections.Counter(), set()

    def count(self):
        messages, self.sink.messages = self.sink.messages, []
        for message in messages:
            token = read_message(message["data"])
            if token is None:
                self.broken.add(message["mail"])
            self.tokens[token] += 1
        return self.tokens

    def forget(self):
        pass


class Round:
    """Some cuts on one file system, and in the end everything is let go and counted."""

    def __init__(self, run, number):
        self.run, self.number = run, number
        self.chance = random.Random(f"{run.seed}-{number}")
        self.promised, self.doubtful, self.refused, self.lost = {}, set(), {}, set()
        self.disk = Disk(DISK_MEGABYTES, run.options.disk_in)
        self.sink = Sink()
        self.dead_port = free_port()
        self.server = Postrider(
            run.certificate, storage=self.disk.path, retry="1 s", env=run.env,
            segment_size=self.chance.choice(["1 MB", "4 MB", "16 MB"]),
            extra=["relay for 127.0.0.0/8", "limits { messages per session unlimited }"],
            routes=[f"send mail for dead.example through 127.0.0.1:{self.dead_port} with tls never",
                    f"send mail through 127.0.0.1:{self.sink.port} with tls never"])
        self.places = {name: Mailbox(self.disk.path / "mail" / name) for name in ("alice", "bob")}
        self.places["far"] = Remote(self.sink)

    def missing(self):
        """token → places where it is not yet."""
        counts = {name: place.count() for name, place in self.places.items()}
        found = {}
        for token, (_, places) in self.promised.items():
            absent = {p for p in places if p not in counts or counts[p][token] == 0}
            if absent and token not in self.lost:
                found[token] = absent
        return found

    def drain(self):
        """Until all has arrived but what the dead server should have; what cannot arrive any more is lost."""
        end = time.monotonic() + DRAIN_S_MAX
        while True:
            waiting = set(self.server.queue_ids())
            missing = self.missing()  # looked at later: what left the queue has arrived
            for token in [t for t in missing if self.promised[t][0] not in waiting]:
                if not self.is_shown(token):
                    self.lose(token, missing.pop(token))
            open_count = sum(1 for absent in missing.values() if absent - {"dead"} or "dead" in self.places)
            if open_count == 0:
                return
            if time.monotonic() > end:
                raise Failed(f"{open_count} messages do not leave the queue:\n{self.server.log_tail()}")
            time.sleep(0.1)

    def is_shown(self, token):
        """A list is made page by page while the queue changes: asks for the one message."""
        found = self.server.run("queue", "show", self.promised[token][0])
        if found.returncode == 0:
            say(f"queue list left out {self.promised[token][0]}, which queue show has")
            self.run.left_out += 1
        return found.returncode == 0

    def lose(self, token, absent):
        self.lost.add(token)
        self.run.lost += 1
        say(f"LOST {token}, queue id {self.promised[token][0]}: not at {', '.join(sorted(absent))}")

    def cut(self):
        """Load, power cut, start; gives how many promises it was about."""
        load = Mixed(self.server.smtp_port, f"{self.number}.{self.run.cuts}",
                     self.chance.random(), SESSIONS)
        try:
            end = time.monotonic() + 30
            while len(load.promised) < 10:
                if time.monotonic() > end:
                    raise Failed(f"hardly anything is accepted:\n{self.server.log_tail()}")
                time.sleep(0.005)
            time.sleep(self.chance.uniform(0, LOAD_S_MAX))
            # With the power the network goes.  A sync that the cut meets on its way may come
            # back as done (the kernel finds no transaction to wait for), and be lost.
            load.freeze()
            self.disk.cut()
            time.sleep(self.chance.choice([0, 0, 0.05]))
        finally:
            self.server.kill_everything()
            load.end()
        self.disk.unmount()
        if self.run.options.keep:
            subprocess.run(["cp", "--sparse=always", self.disk.image, Path(
                self.run.options.keep, f"image.{self.run.cuts}")], check=True)
        self.disk.mount()
        self.check_spool()
        self.promised.update(load.promised)
        self.doubtful |= load.doubtful
        self.refused.update(load.refused)
        self.server.start()
        return len(load.promised)

    def check_spool(self):
        """What a power cut leaves is no damage: "postrider spool check" must say so, too."""
        found = self.server.run("spool", "check", timeout=120)
        if found.returncode != 0 and not self.run.options.break_it:
            raise Failed(f"spool check ends with {found.returncode}:\n{found.stdout.decode()}"
                         f"{found.stderr.decode()}")

    def audit(self):
        """The ledger against the queue, and against what the clients were promised."""
        found = self.server.run("audit", "--json", timeout=120)
        if self.run.options.break_it:
            return
        if found.returncode != 0:
            raise Failed(f"audit ends with {found.returncode}:\n{found.stdout.decode()}"
                         f"{found.stderr.decode()}")
        said = json.loads(found.stdout)
        accepted = said["accepted"]["messages"]
        if accepted < len(self.promised):
            raise Failed(f"the ledger has {accepted} accepted messages, the clients "
                         f"{len(self.promised)}")

    def act(self):
        """An operator's hand, so that such changes are in the log too."""
        ids = [self.promised[t][0] for t, a in self.missing().items() if a == {"dead"}]
        for found in self.chance.sample(ids, min(4, len(ids))):
            self.server.run("queue", self.chance.choice(["hold", "retry", "release"]), found)

    def count_duplicates(self):
        for name, place in self.places.items():
            kind = "mailboxes" if isinstance(place, Mailbox) else "remote servers"
            self.run.duplicates[kind] += sum(n - 1 for n in place.count().values() if n > 1)

    def finish(self):
        """The dead server lives again, all holds end: everything must arrive, and nothing else."""
        dead = Sink(port=self.dead_port)
        try:
            self.places["dead"] = Remote(dead)
            self.server.queue("release", "all")
            self.server.queue("retry", "all")
            for place in self.places.values():
                place.forget()
            self.drain()
            self.server.wait_queue_empty(DRAIN_S_MAX)
        finally:
            dead.stop()
        # A write that failed may have reached the disk all the same: a 451 is no promise, either way.
        known = set(self.promised) | self.doubtful | set(self.refused)
        came = set()
        for name, place in self.places.items():
            strange = [token for token in place.count() if token and token not in known]
            if strange:
                raise Failed(f"at {name} came what nobody sent: {strange[:5]}")
            came |= set(place.count())
            if place.broken:
                self.run.broken += len(place.broken)
                say(f"BROKEN at {name}: {sorted(map(str, place.broken))[:5]}")
        self.count_duplicates()
        refused = {self.refused[token] for token in came & set(self.refused)}
        self.run.refused += len(came & set(self.refused))
        if not all(reply.startswith("451 ") for reply in refused):
            raise Failed(f"came although refused: {refused}")
        self.audit()
        self.server.stop()
        self.check_spool()
        self.audit()
        self.disk.unmount()
        self.disk.check()
        say(f"disk {self.number}: {len(self.promised)} promised, {len(self.lost)} lost; drained")

    def end(self, failed):
        try:
            self.server.clean_up(failed)
        finally:
            self.sink.stop()
            self.disk.remove()


class Run:
    def __init__(self, options, directory):
        self.options, self.seed = options, options.seed
        self.certificate = make_certificate(directory)
        self.env, self.faults = {}, None
        if options.break_it:
            self.faults = Faults(directory)
            self.faults.set(sync_lies=1)
            self.env = self.faults.env
        self.cuts = self.messages = self.lost = self.broken = self.refused = self.left_out = 0
        self.duplicates = collections.Counter()

    def round(self, number):
        round_, failed = Round(self, number), True
        try:
            round_.server.start()
            for _ in range(min(CUTS_PER_DISK, self.options.cuts - self.cuts)):
                self.cuts += 1
                started = time.monotonic()
                promised = round_.cut()
                self.messages += promised
                round_.drain()
                round_.audit()
                round_.act()
                say(f"cut {self.cuts}: {promised} promised before it; all found or waiting after "
                    f"{time.monotonic() - started:.1f} s; lost until now {self.lost}")
                if self.lost and self.options.break_it:
                    break
            if not self.options.break_it:
                round_.finish()
            failed = self.lost > 0
        except BaseException as error:
            # Said here, as ending the round may fail in turn; also where a signal ends it.
            say(f"disk {number}, cut {self.cuts}, seed {self.seed}: {type(error).__name__}; "
                f"the end of the server's log:\n{round_.server.log_tail(60)}")
            raise
        finally:
            round_.end(failed and self.options.keep)

    def go(self):
        number = 0
        while self.cuts < self.options.cuts and not (self.options.break_it and self.lost):
            number += 1
            self.round(number)

    def sum_up(self):
        twice = " + ".join(f"{n} ({kind})" for kind, n in sorted(self.duplicates.items())) or 0
        return (f"{self.cuts} power cuts, {self.messages} messages promised, {self.lost} lost, "
                f"{self.broken} damaged; delivered twice: {twice}; delivered although answered 451: "
                f"{self.refused}; seed {self.seed}")


def say(text):
    print(text, flush=True)


def take_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--break", dest="break_it", action="store_true",
                        help="make syncs lie: losses must be found")
    parser.add_argument("--keep", metavar="DIR", help="keep the disk as each cut leaves it, and logs")
    parser.add_argument("--program", help="the postrider to test")
    parser.add_argument("--disk-in", help="where the disk's image is made")
    options = parser.parse_args()
    if options.program:
        os.environ["POSTRIDER_PROGRAM"] = os.path.abspath(options.program)
    return options


def stopped(number, _):
    raise SystemExit(128 + number)


def in_own_mounts():
    """Starts again where mounts are our own: however this ends, none is left."""
    if os.geteuid() == 0 and not os.environ.get("POSTRIDER_OWN_MOUNTS") and find_tool("unshare"):
        os.environ["POSTRIDER_OWN_MOUNTS"] = "1"
        os.execv(find_tool("unshare"), ["unshare", "--mount", "--propagation", "private",
                                        sys.executable, *sys.argv])


def main():
    reason = reason_to_skip()
    if reason:
        say(f"skipped: {reason}")
        return SKIPPED
    signal.signal(signal.SIGTERM, stopped)
    with tempfile.TemporaryDirectory(prefix="postrider-powercut-") as directory:
        os.chmod(directory, 0o755)
        run = Run(OPTIONS, Path(directory))
        try:
            run.go()
        except Exception:  # of any kind: none may go by without its reason and the seed
            say(f"{traceback.format_exc()}FAILED after {run.sum_up()}; --keep DIR keeps what there is")
            return 1
    say(run.sum_up())
    if OPTIONS.break_it:
        say("as it should be: syncs that lie lose mail" if run.lost else
            "this test finds nothing: syncs that lie lost no mail")
        return 0 if run.lost else 1
    return 1 if run.lost or run.broken else 0


if __name__ == "__main__":
    OPTIONS = take_arguments()
    # Only now, as they read the environment.
    from disk import Disk, find_tool, reason_to_skip
    from faults import Faults
    from mixed import Mixed, read_message
    from peers import Sink
    from server import Postrider, make_certificate
    from waiting import free_port

    in_own_mounts()
    sys.exit(main())
