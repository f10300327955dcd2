"""OpenSMTPD, as the other side."""
import shutil
import subprocess
import tempfile
from pathlib import Path

from peers import IS_ROOT, ROOT, as_root, is_greeting
from waiting import free_port, until

PLACE = ROOT / "build/peers/opensmtpd/usr"
USERS = ("opensmtpd", "opensmtpq", "keeper")
FIRST_UID = 64900

CONFIG = """\
pki peer cert "{run}/cert"
pki peer key "{run}/key"
table everyone {{ "@" = "keeper" }}
smtp max-message-size 100M
listen on 127.0.0.1 port {port} tls pki peer hostname peer.far.example
action "keep" maildir "{run}/mail" virtual <everyone>
action "to_us" relay host "smtp+tls://{host}:{hop_port}" tls no-verify
match from any for domain "far.example" rcpt-to "nobody@far.example" reject
match from any for domain "far.example" action "keep"
match from any for domain "home.example" action "to_us"
"""

# Its paths and users are compiled in.  It finds them in a mount namespace of its own; the machine has
# neither.
SCRIPT = """\
run=$1
chown root:root "$run/spool/smtpd" "$run/smtpd" "$run/smtpd.conf" "$run/key"
chown {keeper} "$run/mail"
mount --bind "$run/libexec" /usr/libexec
mount --bind "$run/spool" /var/spool
mount --bind "$run/run" /run
mount --bind "$run/lib" /var/lib
mount --bind "$run/passwd" /etc/passwd
mount --bind "$run/group" /etc/group
exec "$run/smtpd" -d -f "$run/smtpd.conf"
"""


def missing():
    """What it lacks here, or None."""
    if not IS_ROOT and as_root("true").returncode != 0:
        return "OpenSMTPD starts as root only, and sudo asks for a password"
    if as_root("unshare", "-m", "--propagation", "private", "true").returncode != 0:
        return "OpenSMTPD needs a mount namespace of its own, which is not to be had here"
    return None


class OpenSmtpd:
    """
    An OpenSMTPD that keeps all mail for far.example in one Maildir, refuses "nobody@far.example", and
    sends mail for home.example to next_hop, under TLS only.  It is unpacked, not installed (tools/setup).
    """

    def __init__(self, certificate, next_hop):
        assert PLACE.exists(), f"{PLACE} is missing: tools/setup test unpacks it"
        self.directory = Path(tempfile.mkdtemp(prefix="os-", dir="/var/tmp"))
        self.directory.chmod(0o755)
        self.certificate, self.next_hop = certificate, next_hop
        self.port = free_port()

    def write_files(self):
        run = self.directory
        for name in ("spool/smtpd", "run", "lib/opensmtpd/empty", "mail"):
            (run / name).mkdir(parents=True)
        (run / "spool/smtpd").chmod(0o711)
        shutil.copytree(PLACE / "libexec", run / "libexec")
        shutil.copy(PLACE / "sbin/smtpd", run / "smtpd")
        for name, path in zip(("cert", "key"), self.certificate):
            shutil.copy(path, run / name)
        for name, row in (("passwd", "{0}:x:{1}:{1}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n"),
                          ("group", "{0}:x:{1}:\n")):
            (run / name).write_text(Path("/etc", name).read_text() + "".join(
                row.format(user, FIRST_UID + i) for i, user in enumerate(USERS)))
        (run / "smtpd.conf").write_text(CONFIG.format(
            run=run, port=self.port, host=self.next_hop[0],
            hop_port=self.next_hop[1]))
        for name in ("smtpd.conf", "key"):
            (run / name).chmod(0o600)

    def start(self):
        self.write_files()
        script = SCRIPT.format(keeper=FIRST_UID + USERS.index("keeper"))
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*([] if IS_ROOT else ["sudo", "-n"]), "unshare", "-m", "--propagation", "private",
                 "sh", "-ec", script, "sh", str(self.directory)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: is_greeting("127.0.0.1", self.port),
              lambda: "OpenSMTPD greets nobody:\n" + self.log())
        return self

    def stop(self):
        as_root("kill", str(self.process.pid))
        self.process.wait(20)
        as_root("rm", "-rf", str(self.directory))

    def log(self):
        return (self.directory / "log").read_text(errors="replace")[-5000:]

    def maildir(self):
        return [p.read_bytes() for p in sorted((self.directory / "mail/new").glob("*"))]

    def wait_mail(self, token, count=1):
        """The messages that have the token in them."""
        def found():
            return [raw for raw in self.maildir() if token in raw]

        return until(lambda: len(found()) >= count and found(),
                     lambda: f"{count} with {token} at OpenSMTPD:\n{self.log()}", 40)
