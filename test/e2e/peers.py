"""The other side: a real Postfix, a real name server, and a server that fails as told."""
import base64
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from waiting import PATIENCE_S, free_port, until

IS_ROOT = os.geteuid() == 0
ROOT = Path(__file__).resolve().parents[2]
EXIM = ROOT / "build/peers/exim4-daemon-light/usr/sbin/exim4"
PEER_MESSAGE_BYTES_MAX = 100 << 20
POSTFIX_MASTER = Path("/usr/share/postfix/master.cf.dist")


def as_root(*command, **options):
    """Fails, too, where root is needed and there is no sudo."""
    command = [*([] if IS_ROOT else ["sudo", "-n"]), *command]
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    except OSError as error:
        if IS_ROOT:
            raise
        return subprocess.CompletedProcess(command, 127, str(error))


def is_greeting(host, port):
    try:
        with socket.create_connection((host, port), 5) as connection:
            connection.settimeout(5)
            greeted = connection.recv(500).startswith(b"220")
            connection.sendall(b"QUIT\r\n")
            return greeted
    except OSError:
        return False


class Postfix:
    """
    A Postfix with everything of its own below a temporary directory.  It keeps all mail for
    far.example in one Maildir, refuses "nobody@far.example" for good and "later@far.example" for
    now, and sends mail for home.example to next_hop (host, port), if there is one.  settings are
    further lines of main.cf.
    """

    def __init__(self, certificate=None, host="127.0.0.1", port=None, next_hop=None, **settings):
        # Postfix limits the length of what it puts into socket names; keep the path short.
        self.directory = Path(tempfile.mkdtemp(prefix="pf-", dir="/var/tmp"))
        self.directory.chmod(0o755)
        self.host, self.port = host, port or free_port(host)
        self.certificate = certificate
        self.next_hop = next_hop
        self.settings = settings

    def write_files(self):
        run = self.directory
        etc = run / "etc"
        etc.mkdir()
        lines = {
            "compatibility_level": "3.6",
            "queue_directory": run / "spool",
            "data_directory": run / "data",
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "myhostname": "peer.far.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "all",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "maillog_file": run / "log/mail",
            "maillog_file_prefixes": run / "log",
            "smtp_host_lookup": "native",
            "smtp_dns_support_level": "disabled",
            "smtp_tls_security_level": "may",
            "smtputf8_enable": "yes",
            "transport_maps": f"texthash:{etc}/transport",
            "virtual_mailbox_domains": "far.example",
            "virtual_mailbox_base": run / "mail",
            "virtual_mailbox_maps": "static:inbox/",
            "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{self.uid()}",
            "virtual_gid_maps": f"static:{self.uid()}",
            "smtpd_recipient_restrictions":
                f"check_recipient_access texthash:{etc}/access, permit_mynetworks, reject",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "queue_run_delay": "1s",
            "message_size_limit": PEER_MESSAGE_BYTES_MAX,
            "virtual_mailbox_limit": PEER_MESSAGE_BYTES_MAX,
            **self.settings,
        }
        if self.certificate:
            lines["smtpd_tls_chain_files"] = f"{self.certificate[1]}, {self.certificate[0]}"
            lines["smtpd_tls_security_level"] = "may"
            lines["smtpd_tls_received_header"] = "yes"
        (etc / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in lines.items()))
        (etc / "access").write_text("nobody@far.example 550 5.1.1 Nobody of that name\n"
                                    "later@far.example 450 4.2.1 Come again\n")
        hop = self.next_hop
        (etc / "transport").write_text(f"home.example smtp:[{hop[0]}]:{hop[1]}\n" if hop else "")
        (etc / "master.cf").write_text(self.master_text())
        for name in ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d"):
            source = Path("/etc/postfix", name)
            if source.is_dir():
                shutil.copytree(source, etc / name)
            elif source.exists():
                shutil.copy(source, etc / name)

    def uid(self):
        return 65534 if IS_ROOT else os.getuid()

    def master_text(self):
        """Debian's services, none of them in a chroot, listening where the test wants."""
        rows = []
        for line in POSTFIX_MASTER.read_text().splitlines():
            fields = line.split()
            if len(fields) >= 8 and not line.startswith(("#", " ", "\t")):
                fields[4] = "n"
                if fields[0] == "smtp" and fields[1] == "inet":
                    fields[0] = f"{self.host}:{self.port}"
                line = " ".join(fields)
            rows.append(line)
        return "\n".join(rows) + "\n"

    def start(self):
        self.write_files()
        script = ('cd "$1" && mkdir -p spool data log mail && chown postfix data && '
                  'chown "$2" mail && chown -R root etc && postfix -c "$1/etc" start')
        result = as_root("sh", "-c", script, "sh", str(self.directory), str(self.uid()))
        assert result.returncode == 0, f"Postfix does not start:\n{result.stdout}\n{self.log()}"
        until(lambda: is_greeting(self.host, self.port), lambda: "Postfix greets nobody:\n" + self.log())
        return self

    def stop(self):
        etc = str(self.directory / "etc")
        as_root("postfix", "-c", etc, "stop")
        until(lambda: as_root("postfix", "-c", etc, "status").returncode != 0, "Postfix still runs")
        if IS_ROOT:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            as_root("rm", "-rf", str(self.directory))

    def log(self):
        path = self.directory / "log/mail"
        return path.read_text(errors="replace")[-5000:] if path.exists() else "(no log)"

    def maildir(self):
        return [p.read_bytes() for p in sorted((self.directory / "mail/inbox/new").glob("*"))]

    def wait_mail(self, count=1, seconds=PATIENCE_S):
        return until(lambda: len(found := self.maildir()) >= count and found,
                     lambda: f"{count} messages at Postfix, only {len(self.maildir())}:\n{self.log()}",
                     seconds)


EXIM_CONFIG = """\
spool_directory = {run}/spool
log_file_path = {run}/log/%s
pid_file_path = {run}/exim.pid
primary_hostname = peer.far.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
exim_path = {run}/exim
deliver_drop_privilege = true
message_size_limit = 100M
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
{tls}
keep_environment =
host_lookup =
rfc1413_hosts =
smtp_accept_max_per_connection = 1000
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = accept_all

begin acl
accept_all:
  deny recipients = nobody@far.example
    message = Nobody of that name
  defer recipients = later@far.example
    message = Come again
  accept

begin routers
keep:
  driver = accept
  domains = far.example
  transport = keep
to_us:
  driver = manualroute
  domains = home.example
  transport = to_us
  route_data = {host}
  self = send

begin transports
keep:
  driver = appendfile
  directory = {run}/mail
  maildir_format
  return_path_add
to_us:
  driver = smtp
  port = {hop_port}
  allow_localhost
  hosts_try_chunking = *
  hosts_try_dane =
  tls_verify_hosts =
  tls_try_verify_hosts =
  {settings}

begin retry
* * F,1h,1s
"""


class Exim:
    """
    An Exim that takes all mail but for "nobody@far.example" and "later@far.example", keeps that for
    far.example in one Maildir and sends that for home.example to next_hop.  It is unpacked, not installed
    (tools/setup): Debian has one mail server at a time.  settings are lines of the transport.
    """

    def __init__(self, next_hop, certificate=None, **settings):
        assert EXIM.exists(), f"{EXIM} is missing: tools/setup test unpacks it"
        self.directory = Path(tempfile.mkdtemp(prefix="ex-", dir="/var/tmp"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self.next_hop, self.certificate = next_hop, certificate
        self.settings = settings

    def start(self):
        run = self.directory
        for name in ("spool", "log", "mail"):
            (run / name).mkdir()
        shutil.copy(EXIM, run / "exim")  # where its user may reach it
        tls = "tls_advertise_hosts ="
        if self.certificate:
            for name, path in zip(("cert", "key"), self.certificate):
                shutil.copy(path, run / name)
            tls = f"tls_advertise_hosts = *\ntls_certificate = {run}/cert\ntls_privatekey = {run}/key"
        (run / "config").write_text(EXIM_CONFIG.format(
            run=run, port=self.port, tls=tls, host=self.next_hop[0], hop_port=self.next_hop[1],
            settings="\n  ".join(f"{k} = {v}" for k, v in self.settings.items())))
        script = 'chown -R Debian-exim "$1" && chown root "$1/config" "$1/exim" && "$1/exim" -C "$1/config" -bd -q1s'
        result = as_root("sh", "-c", script, "sh", str(run))
        assert result.returncode == 0, f"Exim does not start:\n{result.stdout}\n{self.log()}"
        until(lambda: is_greeting("127.0.0.1", self.port), lambda: "Exim greets nobody:\n" + self.log())
        return self

    def pids(self):
        """Its daemon and whoever delivers, known by the program, which is this test's own."""
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    if os.readlink(f"/proc/{entry.name}/exe").startswith(str(self.directory)):
                        found.append(entry.name)
                except OSError:
                    continue
        return found

    def stop(self):
        def gone():
            pids = self.pids()
            if pids:
                as_root("kill", "-9", *pids)
            return not pids

        until(gone, "Exim still runs")
        as_root("rm", "-rf", str(self.directory))

    def maildir(self):
        return [p.read_bytes() for p in sorted((self.directory / "mail/new").glob("*"))]

    def wait_mail(self, count=1):
        return until(lambda: len(found := self.maildir()) >= count and found,
                     lambda: f"{count} messages at Exim, only {len(self.maildir())}:\n{self.log()}")

    def log(self):
        texts = [f"{p.name}: {p.read_text(errors='replace')[-3000:]}"
                 for p in sorted((self.directory / "log").glob("*"))]
        return "\n".join(texts) or "(no log)"


class Wire:
    """
    Passes connections on to a port and keeps what clients said: said[n] is what the n-th connection
    sent, pieces[n] the same as it came, read by read.
    """

    def __init__(self, port):
        self.to_port = port
        self.said, self.pieces, self.answered = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.stopping = False

    def start(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def stop(self):
        self.stopping = True
        self.listener.close()

    def accept(self):
        while not self.stopping:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to_port))
            self.said.append(bytearray())
            self.answered.append(bytearray())
            self.pieces.append([])
            number = len(self.said) - 1
            threading.Thread(target=self.pump, args=(client, server, number), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, None, number), daemon=True).start()

    def pump(self, source, target, number, answered=None):
        try:
            while piece := source.recv(1 << 16):
                if number is None:
                    self.answered[answered] += piece
                else:
                    self.said[number] += piece
                    self.pieces[number].append(piece)
                target.sendall(piece)
        except OSError:
            pass
        try:  # Exim closes its half with the QUIT, and waits for what it is owed.
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def all_said(self):
        return b"".join(map(bytes, self.said))

    def one_piece_with(self, *texts):
        """Whether all of the texts came in one piece."""
        return any(all(text in piece for text in texts) for pieces in self.pieces for piece in pieces)


ZONE = """\
$TTL 60
@            SOA  ns.example. hostmaster.example. 1 3600 600 86400 60
@            NS   ns
ns           A    127.0.0.1
far          MX   10 mx.far
mx.far       A    127.0.0.2
address-only A    127.0.0.2
null         MX   0 .
xn--bcher-kva MX  10 mx.far
backup       MX   10 dead.backup
backup       MX   20 mx.far
dead.backup  A    127.0.0.3
dangling     MX   10 nosuch.dangling
home         MX   10 mail.home
mail.home    A    127.0.0.1
alias        CNAME far
slow         MX   10 dead.slow
slow         MX   20 mx.far
slower       MX   10 dead.slow
slower       MX   20 mx.far
slowest      MX   10 dead.slow
dead.slow    A    127.0.0.4
two          MX   10 mx.two
mx.two       AAAA ::1
mx.two       A    127.0.0.2
loop         MX   10 mx.loop
loop         MX   20 mx.far
mx.loop      A    127.0.0.1
spare        MX   10 mx.far
spare        MX   20 mx.loop
"""


class Knot:
    """A name server on a port of its own."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="knot-"))
        self.port = free_port()

    def run(self, sections):
        """Starts it, with these sections of its configuration, the zones at the end."""
        run = self.directory
        (run / "knot.conf").write_text(
            f"server:\n    rundir: {run}\n    listen: 127.0.0.1@{self.port}\n"
            f"log:\n  - target: stderr\n    any: info\n"
            f"database:\n    storage: {run}/db\n{sections}")
        self.log_file = open(run / "log", "wb")
        self.process = subprocess.Popen(["/usr/sbin/knotd", "-c", str(run / "knot.conf")],
                                        stdout=self.log_file, stderr=self.log_file)

    def ask(self, name, edns=b""):
        """The answer to a question for the SOA of a zone; b"" where none comes."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
        question = (b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00" + bytes([bool(edns)]) + labels
                    + b"\x00\x00\x06\x00\x01" + edns)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.5)
            try:
                asking.sendto(question, ("127.0.0.1", self.port))
                return asking.recv(4096)
            except OSError:
                return b""

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        shutil.rmtree(self.directory, ignore_errors=True)


class Dns(Knot):
    """Knot with the zone "example.", and more: {name: text}."""

    def __init__(self, zone=ZONE, more=()):
        super().__init__()
        self.zones = {"example.": zone, **dict(more)}

    def start(self):
        run = self.directory
        text = "zone:\n"
        for number, (name, zone) in enumerate(self.zones.items()):
            (run / f"{number}.zone").write_text(zone)
            text += (f"  - domain: {name}\n    file: {run}/{number}.zone\n"
                     "    zonefile-sync: -1\n    journal-content: none\n")
        self.run(text)
        until(self.answers, lambda: "no answer from knotd:\n" + (run / "log").read_text())
        return self

    def answers(self):
        answer = self.ask("example.")
        return answer[:2] == b"\x12\x34" and answer[3] & 15 == 0 and answer[7] > 0


class SignedDns(Knot):
    """
    Knot with zones {name: text} that it signs, but for those in plain.  anchor is a file with the keys of
    those that are below no other; of those in broken it has a wrong one, so that all their answers are
    forged to whoever believes it.
    """

    def __init__(self, zones, plain=(), broken=()):
        super().__init__()
        self.directory.chmod(0o755)
        self.zones, self.plain, self.broken = zones, plain, broken
        self.anchor = self.directory / "anchor"

    def start(self):
        run = self.directory
        (run / "db").mkdir()
        for number, (name, text) in enumerate(self.zones.items()):
            (run / f"{number}.zone").write_text(text)
        zones = "".join(
            f"  - domain: {name}\n    file: {run}/{number}.zone\n    zonefile-load: difference-no-serial\n"
            f"    zonefile-sync: -1\n    journal-content: all\n"
            + ("" if name in self.plain else "    dnssec-signing: on\n    dnssec-policy: test\n")
            for number, name in enumerate(self.zones))
        self.run(f"policy:\n  - id: test\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n"
                 f"zone:\n{zones}")
        for name in self.zones:
            until(lambda: self.is_ready(name),
                  lambda: f"knotd has not signed {name}:\n" + (run / "log").read_text())
        tops = [name for name in self.zones if name not in self.plain
                and not any(name.endswith("." + other) for other in self.zones)]
        self.anchor.write_text("".join(self.key_of(name) for name in tops))
        self.anchor.chmod(0o644)
        return self

    def key_of(self, name):
        """A DS record of the zone's key; a wrong one of a zone that is to be broken."""
        if name in self.broken:
            return f"{name} IN DS 1 13 2 {'0' * 64}\n"
        found = subprocess.run(["/usr/sbin/keymgr", "-c", str(self.directory / "knot.conf"), name, "ds"],
                               check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        tag, algorithm, kind, digest = found[2:6]
        return f"{name} IN DS {tag} {algorithm} {kind} {digest}\n"

    def is_ready(self, name):
        """Asks for the SOA, with its signature: there are two records then, where the zone is signed."""
        answer = self.ask(name, b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00")
        return len(answer) > 7 and answer[3] & 15 == 0 and answer[7] >= (1 if name in self.plain else 2)


class Mute:
    """A port that answers nobody, not even to say no: its queue of connections is full."""

    def __init__(self, host, port):
        self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.clients = []
        for _ in range(4):
            client = socket.socket(self.listener.family)
            client.setblocking(False)
            client.connect_ex((host, port))
            self.clients.append(client)

    def stop(self):
        for one in (*self.clients, self.listener):
            one.close()


DROP = object()  # close the connection instead of a reply


class Slow:
    """A reply after a time."""

    def __init__(self, seconds, reply):
        self.seconds, self.reply = seconds, reply


class Held:
    """A reply that waits until it is let go."""

    def __init__(self, reply):
        self.reply, self.gone = reply, threading.Event()

    def let_go(self):
        self.gone.set()


class Pieces:
    """Bytes, with a pause after each piece, or the wait for what the client says next; then the end."""

    def __init__(self, *pieces, pause=None):
        self.pieces, self.pause = pieces, pause


class Endless:
    """The same bytes for as long as anybody takes them."""

    def __init__(self, piece):
        self.piece = piece


def code_of(reply):
    """What a client that reads a reply to its end takes it for; 0: nothing."""
    if isinstance(reply, str):
        return int(reply[:3])
    return int(reply[:3]) if reply[:3].isdigit() and reply.endswith(b"\n") else 0


def has_left(connection):
    """Whether the client has closed it, though its session may not have noticed yet."""
    if connection.fileno() < 0:  # in the middle of a handshake
        return False
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


class Sink:
    """
    An SMTP server that does as it is told.  Stages: banner, ehlo, starttls, auth, mail, rcpt, data,
    dot, rset, quit.  script[stage] is a list of replies, used up in order; always[stage] is the
    reply from then on, if any.  A reply is text (lines of a multi-line reply separated by newlines),
    bytes (sent as they are), DROP, Slow, Held, Pieces, or Endless.  rcpt_replies[address] wins over both.

    With lmtp it speaks LMTP, on a Unix socket where path says so: verdicts[address] is the reply
    after the message, and a message's "taken" are those with a good one.
    """

    def __init__(self, host="127.0.0.1", port=0, certificate=None, login=None, extensions=(),
                 lmtp=False, path=None):
        self.script, self.always, self.rcpt_replies = {}, {}, {}
        self.lmtp, self.verdicts = lmtp, {}
        self.login, self.mechanisms = login, "PLAIN LOGIN"  # (name, password): AUTH is asked for
        self.messages_per_session = None  # after so many it closes, without a word
        self.extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", *extensions]
        self.messages = []  # dicts: mail, rcpts, data, tls, login, session, at
        self.commands = []
        self.sessions = 0
        self.peers = []  # the address of each session
        self.lock = threading.Lock()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen(128)
            self.host, self.port = str(path), 0
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.listener = socket.create_server((host, port), family=family, backlog=128)
            self.host, self.port = self.listener.getsockname()[:2]
        self.open = set()
        self.open_most = 0  # sessions at a time
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        # Waking accept() first: a closed descriptor alone does not end it.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.peers.append(peer[0] if peer else "")  # a Unix socket has none
                self.sessions += 1
                self.open.add(connection)
                self.open_most = max(self.open_most, sum(not has_left(one) for one in self.open))
                number = self.sessions
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection, number):
        session = SinkSession(self, connection, number)
        try:
            session.run()
        except (OSError, EOFError, ssl.SSLError):
            pass
        finally:
            with self.lock:
                self.open -= {connection, session.socket}
            session.socket.close()

    def reply_for(self, stage, default):
        with self.lock:
            waiting = self.script.get(stage)
            if waiting:
                return waiting.pop(0)
            return self.always.get(stage, default)

    def take(self, message):
        with self.lock:
            self.messages.append(message)

    def wait_messages(self, count=1, seconds=PATIENCE_S):
        return until(lambda: len(self.messages) >= count and list(self.messages),
                     lambda: f"{count} messages at the sink, only {len(self.messages)}; "
                     f"commands: {self.commands[-30:]}", seconds)


class SinkSession:
    def __init__(self, sink, connection, number):
        self.sink, self.socket, self.number, self.taken = sink, connection, number, 0
        self.file = connection.makefile("rb")
        self.tls, self.login = False, None
        self.reset()

    def reset(self):
        self.mail, self.rcpts = None, []

    def say(self, stage, default):
        """Sends the reply that is due; gives its code."""
        return self.send(self.sink.reply_for(stage, default))

    def send(self, reply):
        if isinstance(reply, Slow):
            time.sleep(reply.seconds)
            reply = reply.reply
        if isinstance(reply, Held):
            reply.gone.wait(2 * PATIENCE_S)
            reply = reply.reply
        if reply is DROP:
            raise EOFError
        if isinstance(reply, Endless):
            while True:
                self.socket.sendall(reply.piece * 1000)
        if isinstance(reply, Pieces):
            for piece in reply.pieces:
                self.socket.sendall(piece)
                if reply.pause is None:
                    self.socket.recv(1 << 16)
                else:
                    time.sleep(reply.pause)
            raise EOFError
        if isinstance(reply, bytes):
            self.socket.sendall(reply)
            return code_of(reply)
        lines = reply.split("\n")
        code = lines[0][:3]
        texts = [lines[0]] + [f"{code} {line}" for line in lines[1:]]
        texts = [t[:3] + "-" + t[4:] for t in texts[:-1]] + [texts[-1]]
        self.socket.sendall("".join(t + "\r\n" for t in texts).encode())
        return int(code)

    def run(self):
        self.say("banner", "220 sink.far.example ESMTP sink")
        while line := self.file.readline(100000):
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            with self.sink.lock:
                self.sink.commands.append(text)
            verb, _, argument = text.partition(" ")
            command = getattr(self, "on_" + verb.lower(), None)
            if command is None:
                self.send("500 5.5.1 What?")
            elif command(argument) is False:
                return

    def on_lhlo(self, argument):
        if not self.sink.lmtp:
            return self.send("500 5.5.1 What?") and None
        return self.on_ehlo(argument, True)

    def on_ehlo(self, _, lhlo=False):
        if self.sink.lmtp and not lhlo:
            self.send("500 5.5.1 LHLO")
            return
        self.reset()
        words = list(self.sink.extensions)
        if self.sink.context and not self.tls:
            words.append("STARTTLS")
        if self.sink.login and (self.tls or not self.sink.context):
            words.append(f"AUTH {self.sink.mechanisms}")
        self.say("ehlo", "\n".join(["250 sink.far.example", *words]))

    def on_helo(self, _):
        if self.sink.lmtp:
            self.send("500 5.5.1 LHLO")
            return
        self.reset()
        self.say("helo", "250 sink.far.example")

    def on_starttls(self, _):
        if self.say("starttls", "220 2.0.0 Go ahead") == 220:
            plain = self.socket
            self.socket = self.sink.context.wrap_socket(plain, server_side=True)
            with self.sink.lock:
                self.sink.open.discard(plain)
                self.sink.open.add(self.socket)
            self.file = self.socket.makefile("rb")
            self.tls = True
            self.reset()

    def on_auth(self, argument):
        mechanism, _, response = argument.partition(" ")
        if mechanism.upper() == "LOGIN":
            given = [response or self.challenge("VXNlcm5hbWU6"), self.challenge("UGFzc3dvcmQ6")]
            given = [base64.b64decode(text).decode() for text in given]
        else:
            response = response or self.challenge("")
            given = base64.b64decode(response).decode().split("\0")[1:]
        right = tuple(given) == self.sink.login
        default = "235 2.7.0 Welcome" if right else "535 5.7.8 Wrong"
        if self.say("auth", default) == 235:
            self.login = given[0]

    def challenge(self, text):
        self.send("334 " + text)
        return self.file.readline(10000).decode().strip()

    def on_mail(self, argument):
        if self.sink.login and not self.login:
            self.send("530 5.7.0 Authentication required")
        elif self.say("mail", "250 2.1.0 Ok") == 250:
            self.mail = argument

    def on_rcpt(self, argument):
        address = argument.partition("<")[2].partition(">")[0]
        if self.mail is None:
            self.send("503 5.5.1 MAIL first")
            return
        reply = self.sink.rcpt_replies.get(address)
        code = self.send(reply) if reply else self.say("rcpt", "250 2.1.5 Ok")
        if code == 250:
            self.rcpts.append(address)

    def on_data(self, _):
        if not self.rcpts:
            self.send("554 5.5.1 No valid recipients")
            return
        if self.say("data", "354 Go on") != 354:
            return
        body = bytearray()  # grows in place: messages may be large
        while (line := self.file.readline()) not in (b".\r\n", b""):
            body += line[1:] if line.startswith(b".") else line
        if not line:
            raise EOFError
        if self.sink.lmtp:
            self.judge(bytes(body))
            return
        reply = self.sink.reply_for("dot", "250 2.0.0 Taken")
        text = reply.reply if isinstance(reply, (Slow, Held)) else reply
        if isinstance(text, (str, bytes)) and code_of(text) // 100 == 2 or reply is DROP:
            self.sink.take({"mail": self.mail, "rcpts": self.rcpts, "data": bytes(body), "tls": self.tls,
                            "login": self.login, "session": self.number, "at": time.monotonic()})
        self.send(reply)
        self.reset()
        self.taken += 1
        if self.taken == self.sink.messages_per_session:
            raise EOFError

    def judge(self, body):
        taken = []
        message = {"mail": self.mail, "rcpts": self.rcpts, "data": body, "taken": taken,
                   "session": self.number}
        self.sink.take(message)
        for address in self.rcpts:
            reply = self.sink.verdicts.get(address, f"250 2.1.5 <{address}> Kept")
            if isinstance(reply, list):
                reply = reply.pop(0) if reply else f"250 2.1.5 <{address}> Kept"
            if isinstance(reply, str) and reply.startswith("2"):
                taken.append(address)
            self.send(reply)
        self.reset()

    def on_rset(self, _):
        self.reset()
        self.say("rset", "250 2.0.0 Ok")

    def on_noop(self, _):
        self.send("250 2.0.0 Ok")

    def on_quit(self, _):
        self.say("quit", "221 2.0.0 Bye")
        return False


class PolicyHost:
    """
    An HTTPS server of MTA-STS policies: texts[domain] is a policy, a status, or a place to be
    redirected to.  fetched has the domains in the order in which they were asked for.
    """

    def __init__(self, certificate, host, port=443):
        self.texts, self.fetched = {}, []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.headers.get("Host", "").removesuffix(f":{port}")
                domain = name.removeprefix("mta-sts.")
                peer.fetched.append(domain)
                text = peer.texts.get(domain, 404)
                if self.path != "/.well-known/mta-sts.txt":
                    text = 404
                self.send_response(text if isinstance(text, int) else 301 if text.startswith("https:") else 200)
                if isinstance(text, str) and text.startswith("https:"):
                    self.send_header("Location", text)
                self.end_headers()
                if isinstance(text, str):
                    self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((host, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
