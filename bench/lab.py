"""What the benchmarks of this folder share: a network of their own, a server, a load, meters."""
import atexit
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAM = os.environ.get("POSTRIDER_PROGRAM") or str(ROOT / "build/postrider")
WORK = Path(os.environ.get("BENCH_WORK", "/var/tmp/postrider-bench-work"))
PORT, SINK_PORT = 2525, 2526


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def own_network():
    """Runs the program again in a network namespace where there is only loopback."""
    if os.geteuid() != 0:
        sys.exit("needs root (a network namespace of its own)")
    if not os.environ.get("LAB_NETWORK"):
        os.environ["LAB_NETWORK"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def built(name):
    """A C program of this folder, built where it is older than its source."""
    program, source = ROOT / f"build/bench-{name}", HERE / f"{name}.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-o", str(program),
                        str(source)], check=True)
    return str(program)


def load_command(messages, sessions=50, size=4096, reuse=False, domains=1, first=1, rate=0,
                 seconds=600, numbered=False, stamped=False):
    """load.c says what these are."""
    return [built("load"), "-m", str(messages), "-s", str(sessions), "-l", str(size),
            "-D", str(domains), "-f", str(first), "-r", str(rate), "-t", str(seconds),
            *(["-d"] if reuse else []), *(["-R"] if numbered else []),
            *(["-S"] if stamped else []), str(PORT)]


def load(messages, *arguments, **options):
    result = subprocess.run(load_command(messages, *arguments, **options),
                            stdout=subprocess.PIPE, text=True)
    if not result.stdout:
        sys.exit(f"the load failed with status {result.returncode}")
    return json.loads(result.stdout)


def free_disk(path=None):
    path = path or WORK
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def disk_of(path):
    """Bytes of blocks that the files below a path take."""
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(path) for name in names)


def wait_greeting(complaint, seconds=60, is_alive=lambda: True):
    """Until somebody greets at PORT; else ends the program with the complaint."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and is_alive():
        try:
            with socket.create_connection(("127.0.0.1", PORT), 2) as connection:
                connection.settimeout(seconds)
                if connection.recv(100).startswith(b"220"):
                    connection.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        time.sleep(0.005)
    sys.exit(complaint())


class Server:
    """A Postrider in a folder of its own; mode is hold, relay or dead (as bench/peers has them)."""

    def __init__(self, mode, more="", preload=None, routes=""):
        WORK.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="run-", dir=WORK))
        self.folder.chmod(0o755)
        atexit.register(self.clean_up)
        self.process, self.preload = None, preload
        self.config = self.folder / "postrider.conf"
        routes += "".join(
            f"send mail for d{i}.test through 127.0.1.{i}:{SINK_PORT} with tls never\n"
            for i in range(1, 201)) + f"send mail through 127.0.0.1:{SINK_PORT} with tls never\n"
        self.config.write_text(f"""hostname bench.test
listen smtp on 127.0.0.1:{PORT}
relay for 127.0.0.0/8
spool {self.folder}/spool
control socket {self.folder}/control
ask dns at 127.0.0.1:9
refuse null mx senders no
limits {{
sessions 100000
sessions per host 1000000
sessions per network 1000000
connection rate per host unlimited
connection rate per network unlimited
messages per session unlimited
commands per session unlimited
session timeout 1 d
command timeout 1 h
}}
{"hold all mail" if mode == "hold" else routes}
{more}
""")

    def start(self, seconds=600):
        """Starts it; seconds until it greets."""
        environment = dict(os.environ)
        if self.preload:
            environment.update(self.preload)
        begun = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--config", str(self.config)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, env=environment)
        wait_greeting(lambda: "the server does not start:\n" + self.log_tail(), seconds,
                      lambda: self.process.poll() is None)
        return time.monotonic() - begun

    def log_tail(self):
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def clean_up(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def roles(self):
        """{"queue": [pid], "delivery": [pid, pid], ...}"""
        found = {"supervisor": [self.process.pid]}
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in map(int, children.read_text().split()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if len(words) > 2 and words[1] == "role":
                found.setdefault(words[2], []).append(pid)
        return found

    def cpu_ns(self):
        """CPU time by role so far, all threads of all its processes."""
        return {role: sum(map(cpu_ns_of, pids)) for role, pids in self.roles().items()}

    def user_s(self):
        """CPU time outside of the kernel by role, in ticks of the kernel."""
        return {role: sum(map(user_s_of, pids)) for role, pids in self.roles().items()}

    def rss_kb(self):
        """Proportional memory (PSS) by role."""
        return {role: sum(map(pss_kb_of, pids)) for role, pids in self.roles().items()}

    def run(self, *words):
        begun = time.monotonic()
        result = subprocess.run([PROGRAM, *words, "--config", str(self.config)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return time.monotonic() - begun, result.stdout


def cpu_ns_of(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            pass
    return total


def user_s_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def pss_kb_of(pid):
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1])


class Sink:
    """smtp-sink, for all of 127/8; counts messages."""

    def __init__(self, port=SINK_PORT):
        self.counts = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["smtp-sink", "-c", "-u", "nobody", f"0.0.0.0:{port}", "1024"],
            stdout=self.counts, stderr=subprocess.DEVNULL)
        atexit.register(self.stop)
        time.sleep(0.3)

    def count(self):
        size = self.counts.seek(0, 2)
        self.counts.seek(max(0, size - 300))
        found = re.findall(rb"mesg=\s*(\d+)", self.counts.read())
        return int(found[-1]) if found else 0

    def wait(self, count, seconds=300):
        end = time.monotonic() + seconds
        while self.count() < count:
            if time.monotonic() > end:
                sys.exit(f"the sink has only {self.count()} of {count}")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


class LateSink:
    """sink.c: answers late, puts off some recipients, and says how long messages took to come."""

    def __init__(self, address="0.0.0.0", delay_ms=0, percent=0):
        self.file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [built("sink"), address, str(SINK_PORT), "-d", str(delay_ms), "-p", str(percent)],
            stdout=self.file)
        atexit.register(self.stop)
        while not self.read() and self.process.poll() is None:
            time.sleep(0.01)

    def read(self):
        self.file.seek(0)
        text = self.file.read()
        return json.loads(text) if text else None

    def cpu_ns(self):
        return cpu_ns_of(self.process.pid)

    def stop(self):
        """What it saw, with the percentiles."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        return self.read()
