"""SMTP by hand: every byte that is sent is the test's own."""
import re
import socket
import ssl

from waiting import PATIENCE_S


class Closed(Exception):
    """The server closed the connection where a reply was due."""


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[0][:3])
        self.text = "\n".join(line[4:] for line in lines)
        status = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?= )", lines[-1][4:] + " ")
        self.status = status[0] if status else ""

    def __repr__(self):
        return " / ".join(self.lines)


class Talk:
    """One connection.  The greeting has been read already, unless greeting=False."""

    def __init__(self, port, host="127.0.0.1", tls=False, greeting=True, timeout=PATIENCE_S, source=None):
        self.socket = socket.create_connection((host, port), timeout, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        if tls:
            self.start_tls()
        self.greeting = self.reply() if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname="mail.home.example")
        self.input = b""

    def send(self, data):
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # What the server said before it closed can still be read.

    def line(self):
        while b"\n" not in self.input:
            try:
                more = self.socket.recv(65536)
            except ConnectionError as error:
                raise Closed() from error
            if not more:
                raise Closed()
            self.input += more
        line, self.input = self.input.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a reply line without CR LF: {line!r}"
        return line[:-1].decode("utf-8", "backslashreplace")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        assert len({line[:3] for line in lines}) == 1, lines
        return Reply(lines)

    def ask(self, command):
        self.send(command if isinstance(command, bytes) else command + "\r\n")
        return self.reply()

    def expect(self, command, code):
        reply = self.ask(command)
        assert reply.code == code, f"{command!r}: {reply}"
        return reply

    def ehlo(self, name="client.example"):
        """EHLO, and the extensions offered: {"SIZE": "52428800", "PIPELINING": ""}."""
        reply = self.expect(f"EHLO {name}", 250)
        words = [line[4:].split(" ", 1) for line in reply.lines[1:]]
        return {word[0]: word[1] if len(word) > 1 else "" for word in words}

    def start(self, sender, *recipients):
        self.expect(f"MAIL FROM:<{sender}>", 250)
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", 250)

    def data(self, message):
        """DATA with the message (dots stuffed here); gives the last reply."""
        self.expect("DATA", 354)
        self.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return self.reply()

    def is_closed(self):
        """True once the server has closed; what it still said is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError):
            pass
        return True


def queue_id(reply):
    """The id of "queued as ID"."""
    match = re.search(r"queued as (\S+)", reply.text)
    assert reply.code == 250 and match, reply
    return match[1]


def message(token="", subject="A test", body="Hello.\r\n", sender="ann@client.example",
            to="alice@home.example", extra=""):
    """A plain message with CR LF lines; token tells it from others."""
    text = (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            f"Date: Tue, 24 Nov 2026 03:04:05 +0000\r\nMessage-ID: <{token or 'one'}@client.example>\r\n"
            f"X-Token: {token}\r\n{extra}\r\n{body}")
    return text.encode()


def submit(port, sender, recipients, content, **options):
    """Sends one message by hand and gives its queue id."""
    recipients = [recipients] if isinstance(recipients, str) else recipients
    with Talk(port, **options) as talk:
        talk.ehlo()
        talk.start(sender, *recipients)
        found = queue_id(talk.data(content))
        talk.expect("QUIT", 221)
    return found
