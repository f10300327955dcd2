"""kill -9 at any moment: whatever was answered 250 arrives."""
import re
import shutil
import signal
import subprocess
import time

import pytest

import logs
from load import Load
from server import IS_ROOT, settle
from talk import Talk, message, submit
from waiting import until

ROLES = ["reception", "queue", "delivery", "mailbox", "lookup", "resolver", "fetcher", "keyring",
         "admin"]
TOKEN = re.compile(rb"^X-Token: (\S+)", re.M)


def tokens(messages):
    return [TOKEN.search(text)[1].decode() for text in messages]


def relaying(postrider, far, **options):
    return postrider(extra=["relay for 127.0.0.0/8", "limits { messages per session unlimited }"],
                     routes=[f"send mail through 127.0.0.1:{far.port} with tls never"], **options)


def assert_nothing_lost(server, far, load):
    """Every promise is kept at both destinations, and the queue drains."""
    def missing():
        return (set(load.promised) - set(tokens(server.maildir("alice"))),
                set(load.promised) - set(tokens(m["data"] for m in list(far.messages))))

    until(lambda: missing() == (set(), set()),
          lambda: f"lost of {len(load.promised)}: {[sorted(m)[:5] for m in missing()]}\n"
          + server.log_tail(), 60)
    server.wait_queue_empty(60)
    sent = set(load.promised) | set(load.doubtful)
    assert set(tokens(server.maildir("alice"))) <= sent, "a message from nowhere"


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_role_loses_nothing(postrider, sink, role):
    far = sink()
    server = relaying(postrider, far).start()
    load = Load(server.smtp_port)
    load.wait_promised(30)
    for _ in range(2):
        pids = server.kill_role(role)
        until(lambda: set(server.role_pids(role)) - set(pids), f"{role} was not started again")
        load.wait_promised(20)
    load.end()
    assert_nothing_lost(server, far, load)
    died = logs.select(server.events(), logs.ROLE_DIED)
    assert len(died) >= 2, server.log_tail()
    assert any(role in str(event) for event in died)


def test_killing_all_at_once_loses_nothing(postrider, sink):
    far = sink()
    server = relaying(postrider, far).start()
    promised, doubtful = [], []
    for _ in range(4):
        load = Load(server.smtp_port)
        load.wait_promised(25)
        server.kill_everything()
        load.end()
        promised += load.promised
        doubtful += load.doubtful
        server.start()
    load.promised, load.doubtful = promised, doubtful
    assert_nothing_lost(server, far, load)


def test_large_messages_survive_as_well(postrider, sink):
    far = sink()
    server = relaying(postrider, far).start()
    load = Load(server.smtp_port, clients=2, body=("y" * 76 + "\r\n") * 1000)  # 1.5 MB each
    load.wait_promised(6)
    server.kill_everything()
    load.end()
    server.start()
    assert_nothing_lost(server, far, load)
    for text in server.maildir("alice"):
        assert len(text) > 77 * 20 * 1000, "cut short"


def test_supervisor_killed_alone_takes_its_roles_along(postrider):
    server = postrider().start()
    pids = server.role_pids()
    assert len(pids) >= len(ROLES)
    server.process.kill()
    server.process.wait()
    server.wait_gone(pids)
    server.start()
    submit(server.smtp_port, "ann@client.example", "alice@home.example", message("again"))
    server.wait_mail("alice")


def start_seconds(server):
    """How long a start takes says how busy the machine is; a start waits for more than a stop."""
    started = time.monotonic()
    server.start()
    return 3 * (time.monotonic() - started)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_within_a_second(postrider, sink, how):
    far = sink()
    server = relaying(postrider, far)
    within = 1.5 + start_seconds(server)
    held = [Talk(server.smtp_port) for _ in range(5)]
    load = Load(server.smtp_port)
    load.wait_promised(20)
    started = time.monotonic()
    assert server.stop(how) == 0
    assert time.monotonic() - started < within
    load.end()
    for talk in held:
        assert talk.is_closed()
    server.start()
    assert_nothing_lost(server, far, load)


def test_an_idle_server_stops_within_a_second(postrider):
    server = postrider()
    within = 1 + start_seconds(server)
    started = time.monotonic()
    assert server.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < within


def test_a_role_that_dies_again_and_again_is_not_restarted_in_a_loop(postrider):
    server = postrider().start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for pid in server.role_pids("lookup"):
            server.kill(pid)
        settle(0.02)
    died = logs.select(server.events(), logs.ROLE_DIED)
    assert 1 <= len(died) < 60, f"{len(died)} deaths in 3 s: no back-off"
    until(lambda: server.role_pids("lookup"), "lookup stays away")

    def taken():
        """It may be there, and not yet ready, or not yet known to reception."""
        try:
            return submit(server.smtp_port, "ann@client.example", "alice@home.example", message("after"))
        except AssertionError:
            return None

    until(taken, server.log_tail)
    server.wait_mail("alice")


@pytest.mark.skipif(not IS_ROOT, reason="only root can give roles users of their own")
def test_roles_have_users_of_their_own(server):
    for role in ROLES:
        for pid in server.role_pids(role):
            with open(f"/proc/{pid}/status") as status:
                fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
            assert "0" not in fields["Uid"].split(), f"{role} runs as root"
            assert fields.get("NoNewPrivs", "1") == "1", role
            assert int(fields["CapEff"], 16) == 0, role


def segments(server):
    """The spool's files that hold something, largest first."""
    files = [p for p in server.spool.rglob("*") if p.is_file() and p.stat().st_size > 64]
    assert files, list(server.spool.rglob("*"))
    return sorted(files, key=lambda path: -path.stat().st_size)


def test_a_damaged_message_does_not_take_its_neighbours_along(postrider):
    server = postrider(extra=["hold all mail"]).start()
    for number in range(3):
        submit(server.smtp_port, "ann@client.example", "alice@home.example",
               message(f"damage{number}", body=f"MARK{number}" * 30 + "\r\n"))
    server.kill_everything()
    hurt = 0
    for path in segments(server):
        data = bytearray(path.read_bytes())
        at = data.find(b"MARK1")
        if at >= 0:
            data[at] ^= 1
            path.write_bytes(data)  # in place: the owner stays
            hurt += 1
    assert hurt == 1
    server.extra = []
    server.start()
    server.queue("release", "all")
    found = server.wait_mail("alice", 2)
    settle(0.5)
    assert sorted(tokens(server.maildir("alice"))) == ["damage0", "damage2"]
    assert not any(b"LARK1" in text for text in found)
    assert "damaged" in server.log_text() or "corrupt" in server.log_text(), server.log_tail()


def test_a_spool_of_a_newer_version_is_refused_and_left_alone(postrider):
    """The format's version stands in the head of each segment; docs/spool-format.md says where."""
    server = postrider(extra=["hold all mail"]).start()
    submit(server.smtp_port, "ann@client.example", "alice@home.example", message("newer"))
    server.stop()
    changed = 0
    for path in segments(server):
        data = bytearray(path.read_bytes())
        if make_newer(data):
            path.write_bytes(data)
            changed += 1
    assert changed, "no segment found"
    before = {p: p.read_bytes() for p in segments(server)}
    server.launch()
    assert server.process.wait(60) != 0
    assert "newer" in server.log_text(), server.log_tail()
    assert {p: p.read_bytes() for p in segments(server)} == before


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def make_newer(data):
    """Raises the version in both copies of a segment's head; True where there is one."""
    found = False
    for at in (0, 4096):
        head = data[at:at + 64]
        if head[:8] != b"PRspool\n":
            continue
        head[12:16] = bytes(4)
        crc = crc32c(head).to_bytes(4, "little")
        assert crc == bytes(data[at + 12:at + 16]), "this test has the checksum wrong"
        head[8:12] = (int.from_bytes(head[8:12], "little") + 1).to_bytes(4, "little")
        head[12:16] = crc32c(head).to_bytes(4, "little")
        data[at:at + 64] = head
        found = True
    return found


def test_torn_tails_of_every_length_recover(postrider):
    """What a power cut leaves: the last record cut off anywhere."""
    server = postrider(extra=["hold all mail"]).start()
    first = submit(server.smtp_port, "ann@client.example", "alice@home.example", message("first"))
    last = submit(server.smtp_port, "ann@client.example", "alice@home.example",
                  message("last", body="THE-LAST-BODY\r\n"))
    server.kill_everything()
    [path] = [p for p in segments(server) if b"THE-LAST-BODY" in p.read_bytes()]
    whole = path.read_bytes()
    at = whole.index(b"THE-LAST-BODY")
    saved = server.directory / "saved"
    subprocess.run(["cp", "-a", server.spool, saved], check=True)
    for cut in (at - 200, at - 1, at, at + 5, at + 12):
        shutil.rmtree(server.spool)
        subprocess.run(["cp", "-a", saved, server.spool], check=True)
        # Written in place: the file keeps its owner.
        with open(path, "r+b") as file:
            file.seek(cut)
            file.write(bytes(len(whole) - cut))
        server.start()
        assert server.queue_ids() == [first], (cut, first, last)
        server.kill_everything()
