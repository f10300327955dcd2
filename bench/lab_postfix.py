"""A Postfix in the place of lab.Server, so that both are measured in one run."""
import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import lab

MASTER = Path("/usr/share/postfix/master.cf.dist")
ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")

# As shipped but for this.
MAIN = """compatibility_level = 3.6
queue_directory = {run}/spool
data_directory = {run}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydomain = test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = hash:{run}/etc/transport
default_transport = smtp:[127.0.0.1]:{port}
smtp_tls_security_level = none
smtp_host_lookup = native
maillog_file = {run}/log
maillog_file_prefixes = {run}
"""

# What raises its limits for mail to few, near hosts.
TUNED = """in_flow_delay = 0
smtpd_peername_lookup = no
default_process_limit = 200
smtp_destination_concurrency_limit = 50
initial_destination_concurrency = 20
smtp_connection_cache_destinations = $default_transport
smtp_connection_reuse_count_limit = 1000
"""


class Account:
    """CPU time of processes, those that are over included (a cgroup; None where there is none)."""

    def __init__(self):
        self.folder = None
        if (ACCOUNTS / "cpuacct.usage").exists():
            self.folder = ACCOUNTS / f"postrider-bench-{os.getpid()}"
            self.folder.mkdir(exist_ok=True)

    def join(self):
        if self.folder:
            (self.folder / "cgroup.procs").write_text("0")

    def cpu_ns(self):
        return int((self.folder / "cpuacct.usage").read_text()) if self.folder else None

    def close(self):
        for _ in range(100):
            try:
                if self.folder:
                    self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.05)


class Postfix:
    """Relays, as lab.Server with mode "relay" does."""

    def __init__(self, tuned=False):
        lab.WORK.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="pf-", dir=lab.WORK))
        self.folder.chmod(0o755)
        atexit.register(self.clean_up)
        self.account, self.running = Account(), False
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        (self.folder / "data").mkdir()
        (self.folder / "spool/etc").mkdir(parents=True)
        shutil.chown(self.folder / "data", "postfix")
        for name in ("hosts", "resolv.conf", "nsswitch.conf", "services", "localtime"):
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), self.folder / "spool/etc")
        for name in ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d"):
            source = Path("/etc/postfix", name)
            if source.is_dir():
                shutil.copytree(source, self.etc / name)
            elif source.exists():
                shutil.copy(source, self.etc / name)
        rows = (f"127.0.0.1:{lab.PORT} inet n - y - - smtpd" if row.split()[:2] == ["smtp", "inet"]
                else row for row in MASTER.read_text().splitlines())
        (self.etc / "master.cf").write_text("\n".join(rows) + "\n")
        (self.etc / "main.cf").write_text(
            MAIN.format(run=self.folder, port=lab.SINK_PORT) + (TUNED if tuned else ""))
        (self.etc / "transport").write_text("".join(
            f"d{i}.test smtp:[127.0.1.{i}]:{lab.SINK_PORT}\n" for i in range(1, 201)))
        subprocess.run(["postmap", "-c", self.etc, f"hash:{self.etc}/transport"], check=True)

    def start(self):
        subprocess.run(["postfix", "-c", self.etc, "start"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       preexec_fn=self.account.join)
        self.running = True
        lab.wait_greeting(lambda: "Postfix greets nobody:\n" + self.log_tail())

    def log_tail(self):
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"

    def cpu_ns(self):
        """As of lab.Server, though all in one."""
        used = self.account.cpu_ns()
        return {} if used is None else {"all": used}

    def stop(self):
        if self.running:
            self.running = False
            subprocess.run(["postfix", "-c", self.etc, "stop"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            self.account.close()

    def clean_up(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
