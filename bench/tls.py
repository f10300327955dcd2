#!/usr/bin/python3
"""Memory of idle TLS sessions, and the CPU time of handshakes, by role.

    make bench-tls BENCH_FLAGS="--idle 1000 --handshakes 2000"

A client of Python's ssl connects to "submissions"; what the server's processes used is read from
/proc: PSS from smaps_rollup, CPU time from schedstat.  build/bench/tls_bench, run at the end, is
the same work in memory: what a signature and a handshake cost without any process between.
"""
import argparse
import contextlib
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/e2e"))

from server import Postrider, make_directory, process_rows  # noqa: E402


def make_certificate(directory, kind):
    paths = directory / "cert.pem", directory / "key.pem"
    how = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "p256" else ["rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *how, "-nodes", "-days", "30", "-subj",
                    "/CN=mail.home.example", "-keyout", paths[1], "-out", paths[0]],
                   check=True, stderr=subprocess.DEVNULL)
    return str(paths[0]), str(paths[1])


def roles(server):
    """{role: [pid]}, the supervisor too."""
    found = {"supervisor": [server.process.pid]}
    for pid, parent, arguments in process_rows():
        if parent == server.process.pid:
            found.setdefault(arguments.split()[2], []).append(pid)
    return found


def pss_kb(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def cpu_s(pids):
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e9


def connect(port, context, session=None):
    raw = socket.create_connection(("127.0.0.1", port), 30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = context.wrap_socket(raw, session=session)
    assert tls.recv(500).startswith(b"220 ")
    return tls


def idle(server, context, count):
    plain = context is None
    port = server.smtp_port if plain else server.submissions_port

    def one():
        if not plain:
            tls = connect(port, context)
        else:
            tls = socket.create_connection(("127.0.0.1", port), 30)
            tls.recv(500)
        tls.sendall(b"EHLO client.example\r\n")
        while not tls.recv(2000).split(b"\r\n")[-2].startswith(b"250 "):
            pass
        return tls

    kept = [one() for _ in range(20)]  # What is made once is not counted.
    before = {role: sum(map(pss_kb, pids)) for role, pids in roles(server).items()}
    kept += [one() for _ in range(count)]
    time.sleep(1)
    after = {role: sum(map(pss_kb, pids)) for role, pids in roles(server).items()}
    grown = {role: (after[role] - before[role]) / count for role in after}
    print(f"{'plain' if plain else context.maximum_version.name}, {count} idle sessions: "
          f"{sum(grown.values()):.1f} KB each in all processes "
          f"(reception {grown['reception']:.1f} KB)")
    for tls in kept:
        tls.close()


def handshakes(server, context, count, resumed):
    session = None
    if resumed:
        with connect(server.submissions_port, context) as tls:
            session = tls.session
    found = roles(server)
    before = {role: cpu_s(pids) for role, pids in found.items()}
    start = time.monotonic()
    for _ in range(count):
        with connect(server.submissions_port, context, session) as tls:
            assert tls.session_reused == resumed
            tls.sendall(b"QUIT\r\n")
            tls.recv(500)
    rate = count / (time.monotonic() - start)
    used = {role: (cpu_s(pids) - before[role]) / count * 1e3 for role, pids in found.items()}
    print(f"{'resumed' if resumed else 'full'} handshakes, {context.maximum_version.name}: "
          f"{sum(used.values()):.3f} ms server CPU each (reception {used['reception']:.3f}, "
          f"keyring {used['keyring']:.3f}); one client: {rate:.0f}/s")


def client(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    return context


@contextlib.contextmanager
def serving(options):
    directory = make_directory()
    server = Postrider(make_certificate(directory, options.key))
    server.passwords = {}
    server.extra = ["reception processes 1", "relay for 127.0.0.0/8",
                    "limits { sessions 20000; sessions per host 20000; sessions per network 20000",
                    "connection rate per host unlimited; connection rate per network unlimited }"]
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.directory)
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--handshakes", type=int, default=2000)
    parser.add_argument("--key", choices=("p256", "rsa"), default="p256")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    versions = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
    if options.handshakes:
        with serving(options) as server:
            for version in versions:
                handshakes(server, client(version), options.handshakes, False)
                handshakes(server, client(version), options.handshakes, True)
    # Each in a new server: memory that was used once would be used again.
    for version in (*versions, None) if options.idle else ():
        with serving(options) as server:
            idle(server, version and client(version), options.idle)
    if options.handshakes:
        subprocess.run([ROOT / "build/bench/tls_bench"], check=True)


if __name__ == "__main__":
    main()
