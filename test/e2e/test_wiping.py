"""After AUTH no process of the server still has the password in its memory."""
import re
import secrets
import subprocess
from pathlib import Path

import pytest

from conftest import makes
from dovecot import Dovecot
from server import HOSTNAME, IS_ROOT
from talk import Talk
from test_auth import code, plain
from waiting import until

dovecot = makes(Dovecot)
# What a sanitizer keeps about memory has its place in terabytes; no role of ours has so much.
SHADOW_BYTES = 1 << 32
ROLES = ("reception", "keyring", "lookup", "queue", "delivery")

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root may read the memory of the roles")


def memory(pid):
    """All that a process can write to."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            start, size = int(start, 16), int(end, 16) - int(start, 16)
            if not rights.startswith("rw") or "[vv" in line or size > SHADOW_BYTES:
                continue
            try:
                mem.seek(start)
                found.append(mem.read(size))
            except (OSError, ValueError, OverflowError):
                pass
    return b"".join(found)


def who_has(server, *texts, roles=ROLES):
    found = set()
    for role in roles:
        for pid in server.role_pids(role):
            bytes_of = memory(pid)
            if role == "reception":
                assert HOSTNAME.encode() in bytes_of, "nothing can be read"
            found |= {role for text in texts if text in bytes_of}
    return found


def until_forgotten(server, *texts):
    until(lambda: not who_has(server, *texts),
          lambda: f"still there: {[(text, who_has(server, text)) for text in texts]}")


class Secret:
    """A password, and what of it stands in base64 whatever is before it."""

    def __init__(self):
        self.text = secrets.token_hex(24)

    def forms(self, *said):
        forms = [self.text.encode(), self.text[3:40].encode()]
        for line in said:
            forms.append(line[24:-4].encode())
        return forms


@pytest.fixture(params=["table", "dovecot"])
def world(request, postrider, dovecot):
    secret = Secret()
    if request.param == "table":
        server = postrider(passwords={"alice": secret.text}).start()
    else:
        server = postrider(passwords=None)
        server.extra = [f"authenticate with dovecot {dovecot({'alice': secret.text}).socket}"]
        server.start().wait_event("dovecot_ready")
    return server, secret


def test_a_password_is_forgotten(world):
    server, secret = world
    line = plain("alice", secret.text)
    alone = code(secret.text)
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.expect(f"AUTH PLAIN {line}", 235)
        # The session goes on, and its process has nothing left of it.
        until_forgotten(server, *secret.forms(line))
        talk.expect("NOOP", 250)
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.expect("AUTH LOGIN", 334)
        talk.expect(code("alice"), 334)
        talk.expect(alone, 235)
    until_forgotten(server, *secret.forms(alone))


def test_a_password_that_is_not_whole_is_found_and_forgotten(world):
    """Shows that the test can find one: half of a line is kept until there is the rest."""
    server, secret = world
    line = plain("alice", secret.text)
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.send(f"AUTH PLAIN {line}")
        until(lambda: who_has(server, *secret.forms(line)) == {"reception"}, "it in reception")
        talk.send("\r\n")
        assert talk.reply().code == 235
    until_forgotten(server, *secret.forms(line))


def test_a_private_key_is_in_the_keyring_alone(postrider):
    """Not in the process that speaks TLS, not in that which read the configuration."""
    server = postrider().start()
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        pem = Path(server.key).read_text()
        # SEC1 in PKCS 8: the number, of which the memory of OpenSSL has the words in its own order.
        text = subprocess.run(["openssl", "pkey", "-in", server.key, "-noout", "-text"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        number = bytes.fromhex("".join(text.split("priv:")[1].split("pub:")[0].split()).replace(":", ""))[-32:]
        lines = [line.encode() for line in pem.splitlines()[1:3]]
        forms = [number, number[::-1], *lines]
        assert who_has(server, number, number[::-1], roles=("keyring",)) == {"keyring"}, "the test finds none"
        others = [role for role in (*ROLES, "mailbox", "resolver", "fetcher", "admin") if role != "keyring"]
        assert not who_has(server, *forms, roles=others)
        assert not any(form in memory(server.process.pid) for form in forms), "the supervisor has it"


def test_wrong_passwords_are_forgotten(world):
    server, _ = world
    wrong = Secret()
    line = plain("alice", wrong.text)
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.expect(f"AUTH PLAIN {line}", 535)
        talk.expect(f"AUTH PLAIN !{wrong.text}", 501)
    until_forgotten(server, *wrong.forms(line))
