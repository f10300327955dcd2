"""A Postrider of the test's own: configuration, tables, ports and processes."""
import copy
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import logs
from talk import Closed, Talk
from waiting import PATIENCE_S, free_port, until

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("POSTRIDER_PROGRAM") or str(ROOT / "build/postrider")
IS_ROOT = os.geteuid() == 0
HOSTNAME = "mail.home.example"
PASSWORD = "correct horse battery staple"

CONFIG_ERROR = 78  # EX_CONFIG
USAGE_ERROR = 64  # EX_USAGE


@functools.cache
def password_hash(password):
    """crypt(3) by perl, which Debian always has; the password goes over a pipe."""
    found = subprocess.run(
        ["perl", "-e", 'local $/; print crypt(<STDIN>, q($y$j75$postridertests000000))'],
        input=password, text=True, check=True, stdout=subprocess.PIPE).stdout
    assert found.startswith("$y$"), found
    return found


def make_directory():
    """A directory that the roles' users may walk through; pytest's own they may not."""
    path = Path(tempfile.mkdtemp(prefix="postrider-test-"))
    path.chmod(0o755)
    return path


def make_certificate(directory):
    """(certificate, key) of one that signs itself, for every name used here."""
    paths = directory / "cert.pem", directory / "key.pem"
    names = f"DNS:{HOSTNAME},DNS:localhost,DNS:*.far.example,IP:127.0.0.1"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={HOSTNAME}",
                    "-addext", f"subjectAltName={names}", "-keyout", str(paths[1]),
                    "-out", str(paths[0])], check=True, stderr=subprocess.DEVNULL)
    os.chmod(paths[1], 0o600)
    return tuple(map(str, paths))


def process_rows():
    """(pid, parent, arguments) of every process, zombies left out."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            stat = Path(entry.path, "stat").read_text().rsplit(")", 1)[1].split()
            arguments = Path(entry.path, "cmdline").read_bytes().decode(errors="replace")
        except (OSError, IndexError):
            continue
        if stat[0] not in "ZX":
            yield int(entry.name), int(stat[1]), arguments.replace("\0", " ").strip()


class Postrider:
    """
    Not started until start().  What a test may change before that: the tables (mailboxes,
    aliases, passwords: dicts), extra (lines of configuration), routes (lines), dns_port; lmtp; storage,
    where spool and mail are; mail_storage, where mail is instead; segment_size, disk_reserve; env,
    beside the environment.
    """

    def __init__(self, certificate, **options):
        self.directory = make_directory()
        self.certificate, self.key = certificate
        self.smtp_port, self.submission_port, self.submissions_port = (
            free_port() for _ in range(3))
        self.domains = ["home.example"]
        self.mailboxes = {"alice@home.example": "alice", "bob@home.example": "bob"}
        self.aliases = {}
        self.passwords = {"alice": PASSWORD}
        self.retry = "200 ms"
        self.expire = "5 d"
        self.routes = []
        self.extra = []
        self.dns_port = None
        self.lmtp = None  # where mailboxes are instead of Maildirs
        self.storage = self.directory
        self.mail_storage = None
        self.segment_size = "4 MB"
        self.disk_reserve = "1 MB"
        self.env = {}
        self.wrapper = []  # a program, with its arguments, that runs the server
        self.process = None
        for name, value in options.items():
            assert hasattr(self, name), name
            setattr(self, name, copy.copy(value))

    # Files.

    @property
    def config(self):
        return self.directory / "postrider.conf"

    @property
    def spool(self):
        return Path(self.storage) / "spool"

    @property
    def mail(self):
        return Path(self.mail_storage or self.storage) / "mail"

    def config_text(self):
        owner = " as _postrider_mailbox" if IS_ROOT else ""
        # Port 9 has nobody: a test that asks a name server by mistake is told so soon.
        dns = self.dns_port or 9
        lines = [
            f"hostname {HOSTNAME}",
            f"listen smtp on 127.0.0.1:{self.smtp_port}",
            f"listen submission on 127.0.0.1:{self.submission_port}",
            f"listen submissions on 127.0.0.1:{self.submissions_port}",
            f"certificate {self.certificate} key {self.key}",
            f"accept mail for {', '.join(self.domains)}",
            f"mailboxes from {self.directory}/mailboxes",
            f"aliases from {self.directory}/aliases",
            *([f"passwords from {self.directory}/passwords"] if self.passwords is not None else []),
            f"deliver to lmtp {self.lmtp}" if self.lmtp else f"deliver to maildir {self.mail}{owner}",
            f"spool {self.spool}",
            f"control socket {self.directory}/control",
            f"ask dns at 127.0.0.1:{dns}",
            *([] if self.dns_port else ["refuse null mx senders no"]),
            *self.routes,
            f"queue {{\n\tretry after {self.retry}\n\texpire after {self.expire}\n"
            f"\tsegment size {self.segment_size}\n\tdisk reserve {self.disk_reserve}\n}}",
            *self.extra,
        ]
        return "\n".join(lines) + "\n"

    def write_files(self):
        def table(name, rows):
            (self.directory / name).write_text("".join(f"{k}: {v}\n" for k, v in rows.items()))

        table("mailboxes", self.mailboxes)
        table("aliases", self.aliases)
        if self.passwords is not None:
            table("passwords", {k: password_hash(v) for k, v in self.passwords.items()})
        self.config.write_text(self.config_text())

    # Processes.

    def launch(self):
        """Starts the process and does not wait for it."""
        self.log_file = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(
            [*self.wrapper, PROGRAM, "serve", "--config", str(self.config)], stdin=subprocess.DEVNULL,
            stdout=self.log_file, stderr=self.log_file, cwd=self.directory,
            env={**os.environ, **self.env})

    def start(self, wait=True):
        self.write_files()
        self.launch()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def greets():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"ended with {self.process.returncode} instead of serving:\n{self.log_tail()}")
            if "event=started" not in self.log_text() and '"event":"started"' not in self.log_text():
                return False
            try:
                with Talk(self.smtp_port) as talk:
                    return talk.greeting.code == 220
            except (OSError, Closed):
                return False

        until(greets, lambda: "no greeting:\n" + self.log_tail())

    def role_pids(self, role=None):
        """Processes of the roles (of one role), found by their parent and their arguments."""
        return [pid for pid, parent, arguments in process_rows()
                if self.process and parent == self.process.pid
                and (role is None or role in arguments)]

    def kill_role(self, role):
        pids = self.role_pids(role)
        assert pids, f"no process of {role}: {[r for r in process_rows() if r[1] == self.process.pid]}"
        for pid in pids:
            self.kill(pid)
        return pids

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def kill_everything(self):
        """All processes at once, as a power cut would."""
        pids = [self.process.pid, *self.role_pids()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.wait_gone(pids)

    def wait_gone(self, pids):
        def gone():
            return not {pid for pid, _, _ in process_rows()} & set(pids)

        until(gone, f"some of the processes {pids} are still there")

    def reload(self):
        """
        SIGHUP; gives the names of the events until it is done.  The roles hear of it one after the
        other: where the new configuration was taken, those whose places others took are gone.
        """
        seen, old = len(self.events()), self.role_pids("lookup") + self.role_pids("keyring")
        self.process.send_signal(signal.SIGHUP)

        def said():
            names = [event["event"] for event in self.events()[seen:]]
            return {"config_replaced", "config_kept"} & set(names) and names

        names = until(said, self.log_tail)
        if "config_replaced" in names:
            self.wait_gone(old)
        return names

    def stop(self, how=signal.SIGTERM, seconds=PATIENCE_S):
        """Ends the server and gives its exit status; none of its processes may be left."""
        if self.process is None:
            return None
        pids = [self.process.pid, *self.role_pids()]
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_everything()
            raise AssertionError(f"did not end within {seconds} s:\n{self.log_tail()}")
        self.wait_gone(pids)
        return status

    def clean_up(self, failed):
        """After a test: nothing is left running; a sanitizer's report fails the test."""
        try:
            self.stop()
            text = self.log_text()
            assert "Sanitizer" not in text and "runtime error:" not in text, text[-6000:]
            assert "event=bug" not in text, self.log_tail()
        finally:
            if self.process and self.process.poll() is None:
                self.kill_everything()
            if failed:
                print(f"--- the log of {self.config}:\n{self.log_tail(60)}")
            else:
                shutil.rmtree(self.directory, ignore_errors=True)

    # Log.

    def log_text(self):
        path = self.directory / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def events(self):
        return logs.events(self.log_text())

    def wait_event(self, name, count=1, seconds=PATIENCE_S, **wanted):
        return until(lambda: len(found := logs.select(self.events(), name, **wanted)) >= count and found,
                     lambda: f"{count} of event {name} {wanted}:\n{self.log_tail()}", seconds)

    # Mail.

    def maildir(self, mailbox):
        """The messages of a mailbox, as bytes, oldest first."""
        paths = []
        for folder in ("new", "cur"):
            paths += (self.mail / mailbox / folder).glob("*")
        return [path.read_bytes() for path in sorted(paths)]

    def wait_mail(self, mailbox, count=1, seconds=PATIENCE_S):
        return until(lambda: len(found := self.maildir(mailbox)) >= count and found,
                     lambda: f"{count} messages in {mailbox}, only {len(self.maildir(mailbox))}:\n"
                     + self.log_tail(), seconds)

    # The program as a command.

    def run(self, *arguments, input=None, config=True, timeout=60):
        command = [PROGRAM, *arguments]
        if config:
            command += ["--config", str(self.config)]
        return subprocess.run(command, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, cwd=self.directory)

    def queue(self, *arguments):
        """"postrider queue ..." that must succeed; gives what it printed."""
        result = self.run("queue", *arguments)
        assert result.returncode == 0, f"{arguments}: {result}"
        return result.stdout.decode()

    def queue_rows(self):
        """What waits, from "queue list --json"."""
        found = json.loads(self.queue("list", "--json"))
        if isinstance(found, dict):
            found = found["messages"]
        return found

    def queue_ids(self):
        return [row["id"] for row in self.queue_rows()]

    def wait_queue_empty(self, seconds=PATIENCE_S):
        until(lambda: not self.queue_ids(), lambda: f"the queue still has {self.queue('list')}", seconds)


def program(*arguments, input=None, timeout=60, environment=()):
    """Runs the program without any configuration, with some variables besides."""
    env = {k: v for k, v in os.environ.items() if k != "POSTRIDER_CONFIG"}
    env.update(environment)
    return subprocess.run([PROGRAM, *arguments], input=input, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, env=env)


def settle(seconds):
    """For what must not happen: there is no fact to wait for, so a little time has to do."""
    time.sleep(seconds)
