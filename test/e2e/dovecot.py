"""A Dovecot of the test's own, of which only the authentication service matters."""
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from server import IS_ROOT, make_directory, process_rows
from waiting import PATIENCE_S, free_port, until

PROGRAM = "/usr/sbin/dovecot"


class Dovecot:
    """
    users: logins and passwords.  The socket is self.socket, also while nobody listens there.
    delay: how late Dovecot tells failures by itself.
    """

    def __init__(self, users, mechanisms="plain login", delay="0"):
        self.directory = make_directory()
        self.users, self.mechanisms, self.delay = users, mechanisms, delay
        self.socket = self.directory / "auth"
        self.users_file = "users"
        self.process = None

    def config(self):
        me = pwd.getpwuid(os.geteuid()).pw_name
        users = "" if IS_ROOT else f"default_internal_user = {me}\ndefault_login_user = {me}\n"
        return f"""
protocols =
ssl = no
base_dir = {self.directory}/run
state_dir = {self.directory}/run
log_path = {self.directory}/log
auth_verbose = yes
auth_debug = yes
auth_mechanisms = {self.mechanisms}
auth_failure_delay = {self.delay} secs
{users}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.directory}/{self.users_file}
}}
service auth {{
  chroot =
  unix_listener {self.socket} {{
    mode = 0600
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

    def write_users(self):
        path = self.directory / self.users_file
        path.write_text("".join(f"{k}:{v}::::::\n" for k, v in self.users.items()))
        path.chmod(0o644)

    def start(self):
        assert Path(PROGRAM).exists(), "dovecot is missing: tools/setup test"
        self.write_users()
        (self.directory / "dovecot.conf").write_text(self.config())
        self.process = subprocess.Popen([PROGRAM, "-F", "-c", str(self.directory / "dovecot.conf")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.directory / "error", "wb"))
        until(lambda: self.socket.exists() or self.failed(), "Dovecot's socket")
        return self

    def failed(self):
        assert self.process.poll() is None, (self.directory / "error").read_text() + self.log()
        return False

    def log(self):
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def auth_pids(self):
        return [pid for pid, parent, arguments in process_rows()
                if parent == self.process.pid and "auth" in arguments]

    def kill_auth(self, how=signal.SIGKILL):
        for pid in self.auth_pids():
            os.kill(pid, how)

    def end(self, whole=True):
        """
        Dovecot ends; start() starts it again.  The process that knows passwords does so only when its
        last connection ends; whole: at once.
        """
        left = self.auth_pids() if self.process else []
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        self.socket.unlink(missing_ok=True)
        for pid in left if whole else []:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return left

    def stop(self):
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)


class DovecotLmtp(Dovecot):
    """
    A Dovecot that keeps mailboxes behind LMTP: on the socket self.socket, on port self.port.
    users: logins, whose Maildirs are in self.mail; quota: how much each may hold.
    """

    def __init__(self, users, quota=None):
        super().__init__(dict.fromkeys(users, "x"))
        self.socket = self.directory / "lmtp"
        self.mail = self.directory / "mail"
        self.mail.mkdir()
        self.mail.chmod(0o777)
        self.quota, self.port = quota, free_port()

    def config(self):
        me = pwd.getpwuid(os.geteuid()).pw_name
        owner = pwd.getpwnam("mail") if IS_ROOT else pwd.getpwuid(os.geteuid())
        users = "" if IS_ROOT else f"default_internal_user = {me}\ndefault_login_user = {me}\n"
        plugin = f"plugin {{\n  quota = maildir:User\n  quota_rule = *:storage={self.quota}\n}}" \
            if self.quota else ""
        return f"""
protocols = lmtp
ssl = no
base_dir = {self.directory}/run
state_dir = {self.directory}/run
log_path = {self.directory}/log
mail_location = maildir:{self.mail}/%u
first_valid_uid = 1
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
auth_verbose = yes
mail_plugins = {"quota" if self.quota else ""}
{users}
{plugin}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.directory}/{self.users_file}
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {self.directory}/{self.users_file}
  default_fields = uid={owner.pw_uid} gid={owner.pw_gid} home={self.mail}/%u
}}
service lmtp {{
  chroot =
  unix_listener {self.socket} {{
    mode = 0600
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

    def messages(self, user, folder=""):
        return [path.read_bytes() for path in sorted((self.mail / user / folder / "new").glob("*"))]
