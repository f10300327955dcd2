#!/usr/bin/env python3
"""
Idle connections: what each costs in all processes of the server, and in the kernel.

Plain connections have said EHLO and wait; TLS ones have done their handshake first.  Runs on
the loopback; the limit of open files must be above the number of connections.
"""
import argparse
import json
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORT, TLS_PORT = 2525, 2465


def pss_kb(pids):
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def slab_kb():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Slab:"):
            return int(line.split()[1])
    return 0


def children(pid):
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def read_reply(one):
    text = b""
    while not (text.endswith(b"\r\n") and text.rsplit(b"\r\n", 2)[-2][3:4] == b" "):
        more = one.recv(4096)
        if not more:
            raise SystemExit(f"the server closed after {text!r}")
        text += more
    return text


def connect(count, tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    found = []
    for number in range(count):
        source = (f"127.{1 + number // 20000}.1.1", 0)
        one = socket.create_connection(("127.0.0.1", TLS_PORT if tls else PORT), 30, source)
        if tls:
            one = context.wrap_socket(one)
        read_reply(one)
        one.sendall(b"EHLO idle.example\r\n")
        read_reply(one)
        found.append(one)
    return found


def configure(folder):
    (folder / "mailboxes").write_text("alice@home.example: alice\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-subj", "/CN=mail.home.example", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
    (folder / "postrider.conf").write_text(f"""
hostname mail.home.example
listen smtp on 127.0.0.1:{PORT}
listen submissions on 127.0.0.1:{TLS_PORT}
certificate {folder}/cert.pem key {folder}/key.pem
accept mail for home.example
mailboxes from {folder}/mailboxes
passwords from {folder}/passwords
deliver to maildir {folder}/mail
spool {folder}/spool
control socket {folder}/control
ask dns at 127.0.0.1:9
refuse null mx senders no
queue {{ segment size 4 MB; disk reserve 1 MB }}
limits {{ sessions 100000; sessions per host 1000000; sessions per network 1000000
connection rate per host unlimited; connection rate per network unlimited; command timeout 1 h }}
""")
    (folder / "passwords").write_text("")


def wait_ready(process):
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", PORT), 1) as one:
                read_reply(one)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not answer")


def measure(pids, count, tls):
    before, slab = pss_kb(pids), slab_kb()
    start = time.monotonic()
    held = connect(count, tls)
    took = time.monotonic() - start
    time.sleep(1.5)
    print(json.dumps({
        "test": "idle-tls" if tls else "idle", "connections": count,
        "kb_per_connection": round((pss_kb(pids) - before) / count, 2),
        "kernel_slab_kb_per_connection": round((slab_kb() - slab) / count, 2),
        "pss_before_kb": before, "seconds": round(took, 1)}), flush=True)
    for one in held:
        one.close()
    time.sleep(1.5)


def with_server(program, count, tls):
    with tempfile.TemporaryDirectory(prefix="postrider-idle-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        configure(folder)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([program, "serve", "--config", folder / "postrider.conf"],
                                       stdout=log, stderr=log)
        try:
            wait_ready(process)
            measure(children(process.pid), count, tls)
        except SystemExit:
            sys.stderr.write((folder / "log").read_text()[-3000:])
            raise
        finally:
            process.terminate()
            process.wait(20)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(Path(__file__).parent.parent / "build/postrider"))
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--tls-connections", type=int, default=2000)
    options = parser.parse_args()
    most = max(options.connections, options.tls_connections) + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < most:
        raise SystemExit(f"needs {most} open files, may have {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # A server of its own for each, so that none is measured in memory that another left.
    with_server(options.program, options.connections, False)
    with_server(options.program, options.tls_connections, True)


if __name__ == "__main__":
    main()
