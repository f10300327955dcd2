"""Messages that end the process that handles them, and messages that cannot be read."""
import json
import os
from pathlib import Path

import pytest

import logs
from server import PROGRAM, settle
from talk import message, submit
from waiting import until

ALICE = "alice@home.example"
SET_ASIDE = "set_aside"
POISON = "this-text-is-poison"
CRASH = Path(PROGRAM).resolve().parent / "test" / "crash_on.so"

pytestmark = pytest.mark.skipif(
    not CRASH.exists() or b"__asan_init" in Path(PROGRAM).read_bytes(),
    reason="needs build/test/crash_on.so and a build without sanitizers")


@pytest.fixture
def poisonous(monkeypatch):
    """Roles of this name end when they write the text; see test/preload/crash_on.c."""

    def arm(role):
        monkeypatch.setenv("LD_PRELOAD", str(CRASH))
        monkeypatch.setenv("POSTRIDER_TEST_CRASH", f"{role}:{POISON}")

    def disarm():
        monkeypatch.delenv("LD_PRELOAD")
        monkeypatch.delenv("POSTRIDER_TEST_CRASH")

    arm.off = disarm
    return arm


def make(postrider, far, extra=()):
    return postrider(extra=["relay for 127.0.0.0/8", "delivery processes 1", *extra],
                     routes=[f"send mail through 127.0.0.1:{far.port} with tls never"])


def tokens(bodies):
    """The tokens of the messages, each once."""
    return {line.split()[1] for body in bodies for line in body.decode().splitlines()
            if line.startswith("X-Token: ")}


def arrived(server, far, role):
    if role == "mailbox":
        return tokens(server.maildir("alice"))
    return tokens(bytes(m["data"]) for m in list(far.messages))


def wait_arrived(server, far, role, wanted):
    until(lambda: arrived(server, far, role) >= wanted,
          lambda: f"missing {wanted - arrived(server, far, role)}:\n{server.log_tail()}", 40)


def only_row(server):
    rows = server.queue_rows()
    assert len(rows) == 1, rows
    return rows[0]


@pytest.mark.parametrize("role", ["delivery", "mailbox"])
def test_a_deadly_message_is_set_aside_and_the_rest_goes_on(postrider, sink, poisonous, role):
    far = sink()
    poisonous(role)
    server = make(postrider, far).start()
    to = ALICE if role == "mailbox" else "ann@far.example"
    innocent = {f"before{n}" for n in range(3)}
    for token in sorted(innocent):
        submit(server.smtp_port, "ann@client.example", to, message(token))
    bad = submit(server.smtp_port, "ann@client.example", to, message("bad", POISON))
    for number in range(5):
        innocent.add(f"after{number}")
        submit(server.smtp_port, "ann@client.example", to, message(f"after{number}"))
    aside = server.wait_event(SET_ASIDE, id=bad, seconds=30)[0]
    assert "ended 3 times" in aside["text"] and role in aside["text"], aside
    wait_arrived(server, far, role, innocent)
    assert {e["id"] for e in logs.select(server.events(), SET_ASIDE)} == {bad}
    # What an operator sees.
    row = only_row(server)
    assert row["id"] == bad and row["aside"] and "ended 3 times" in row["aside_text"]
    assert row["recipients"][0]["reason"] == "aside"
    text = server.queue("show", bad)
    assert "set aside" in text and f"postrider queue release {bad}" in text, text
    assert bad in server.queue("list", "--reason", "aside")
    assert bad not in server.queue("list", "--reason", "time,down,held")
    # It stays so over a restart; once the mistake is mended it can go.
    server.stop()
    poisonous.off()
    server.start()
    settle(0.5)
    assert only_row(server)["aside"]
    server.queue("release", bad)
    wait_arrived(server, far, role, innocent | {"bad"})
    server.wait_queue_empty()


def test_what_is_released_and_still_deadly_is_set_aside_again(postrider, sink, poisonous):
    far = sink()
    poisonous("delivery")
    server = make(postrider, far, ["queue { crashes per message 1 }"]).start()
    bad = submit(server.smtp_port, ALICE, "ann@far.example", message("bad", POISON))
    server.wait_event(SET_ASIDE, id=bad)
    server.queue("release", bad)
    server.wait_event(SET_ASIDE, 2, id=bad)
    server.queue("delete", bad)
    server.wait_event(logs.DELETED, id=bad)
    assert server.queue_ids() == []


def test_a_message_that_ends_the_queue_is_found(postrider, sink, poisonous):
    far = sink()
    server = make(postrider, far, ["hold all mail"]).start()
    innocent = {f"m{n}" for n in range(8)}
    for token in sorted(innocent):
        submit(server.smtp_port, ALICE, "ann@far.example", message(token))
    bad = submit(server.smtp_port, ALICE, "ann@far.example", message("bad", POISON))
    server.stop()
    server.extra = [line for line in server.extra if line != "hold all mail"]
    poisonous("queue")
    server.start(wait=False)
    aside = server.wait_event(SET_ASIDE, id=bad, seconds=60)[0]
    assert "the queue's process ended" in aside["text"], aside
    wait_arrived(server, far, "delivery", innocent)
    assert {e["id"] for e in logs.select(server.events(), SET_ASIDE)} == {bad}
    until(lambda: json.loads(server.queue("list", "--json"))["total"] == 1,
          lambda: server.log_tail())
    assert only_row(server)["aside"]
    # New mail goes through, also past a message that waits like this.
    submit(server.smtp_port, ALICE, "ann@far.example", message("new"))
    wait_arrived(server, far, "delivery", {"new"})


def test_a_message_that_cannot_be_read_is_set_aside(postrider, sink):
    far = sink()
    server = make(postrider, far, ["hold all mail"]).start()
    wanted = {f"m{n}" for n in range(5)}
    for token in sorted(wanted):
        submit(server.smtp_port, ALICE, "ann@far.example", message(token))
    bad = submit(server.smtp_port, ALICE, "ann@far.example", message("bad", "soon-damaged"))
    # What was just accepted is still in memory, and need not be read.
    server.stop()
    server.start()
    for path in server.spool.rglob("*"):
        if not path.is_file():
            continue
        at = path.read_bytes().find(b"soon-damaged")
        if at >= 0:
            with open(path, "r+b") as file:
                os.pwrite(file.fileno(), b"S", at)
    server.queue("release", "all")
    wait_arrived(server, far, "delivery", wanted)
    aside = server.wait_event(SET_ASIDE, id=bad)[0]
    assert "cannot be read" in aside["text"], aside
    row = only_row(server)
    assert row["id"] == bad and row["aside"]
    server.queue("delete", bad)
    server.wait_queue_empty()
