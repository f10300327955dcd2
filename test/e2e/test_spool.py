"""The commands for the files of the spool: check, dump, backup, restore."""
import json
import re
import shutil

import pytest

from load import Load
from server import USAGE_ERROR, program
from talk import message, submit
from waiting import until

ALICE = "alice@home.example"
SOUND, DAMAGED, FAILED, NO_SUCH_MESSAGE = 0, 1, 2, 65


@pytest.fixture
def held(postrider):
    """A server that holds all mail: small messages and a large one."""
    server = postrider(extra=["hold all mail", "relay for 127.0.0.0/8",
                              "limits { messages per session unlimited }"]).start()
    server.ids = [submit(server.smtp_port, "ann@client.example", ALICE,
                         message(f"m{n}", body=f"TEXT{n}\r\n" * (40000 if n == 2 else 5)))
                  for n in range(4)]
    return server


def check(server, *arguments, expect=SOUND):
    found = server.run("spool", "check", "--json", *arguments)
    assert found.returncode == expect, found
    return json.loads(found.stdout)


def snapshot(directory):
    """Every file with its bytes and its times."""
    return {p: (p.stat().st_mtime_ns, p.stat().st_ctime_ns, p.read_bytes() if p.is_file() else b"")
            for p in sorted(directory.rglob("*"))}


def test_a_sound_spool_is_sound_in_use_and_stopped(held):
    found = check(held)
    assert found["running"] and found["sound"] and found["messages"] == 4 and found["body_files"] == 1
    held.stop()
    before = snapshot(held.spool)
    found = check(held)
    assert not found["running"] and found["sound"] and found["messages"] == 4, found
    text = held.run("spool", "check").stdout.decode()
    assert "sound" in text and "4 messages" in text
    assert snapshot(held.spool) == before, "check has changed something"


def test_a_busy_spool_is_sound(postrider, sink):
    far = sink()
    server = postrider(extra=["relay for 127.0.0.0/8", "limits { messages per session unlimited }"],
                       segment_size="1 MB",
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls never"]).start()
    load = Load(server.smtp_port, body=("x" * 70 + "\r\n") * 40)
    load.wait_promised(30)
    for _ in range(5):
        assert check(server)["running"]
        load.wait_promised(20)
    load.end()


def test_damage_is_named_with_what_is_lost(held):
    held.kill_everything()
    [path] = [p for p in held.spool.glob("seg-*") if b"TEXT1" in p.read_bytes()]
    data = bytearray(path.read_bytes())
    data[data.find(b"TEXT1")] ^= 1
    path.write_bytes(data)
    found = check(held, expect=DAMAGED)
    assert found["damages"] == 1 and found["messages"] == 4  # the envelope is whole
    [problem] = [p for p in found["problems"] if p["damage"]]
    assert problem["id"] == held.ids[1] and problem["lost"] == "message" and problem["file"] == path.name
    text = held.run("spool", "check").stdout.decode()
    assert held.ids[1] in text and "message is lost" in text
    [body] = (held.spool / "body").iterdir()
    body.unlink()
    found = check(held, expect=DAMAGED)
    assert found["damages"] == 2
    assert {p["id"] for p in found["problems"] if p["lost"] == "message"} == {held.ids[1], held.ids[2]}


def test_what_is_no_spool_cannot_be_checked(tmp_path):
    assert program("spool", "check", str(tmp_path)).returncode == FAILED
    assert program("spool", "check", str(tmp_path / "nowhere")).returncode == FAILED
    assert program("spool", "chek", str(tmp_path)).returncode == USAGE_ERROR
    assert program("spool", "dump", "no-id!", "--spool", str(tmp_path)).returncode == USAGE_ERROR


def test_dump_shows_a_message_and_gives_its_body(held):
    for running in (True, False):
        text = held.run("spool", "dump", held.ids[0]).stdout.decode()
        for part in (held.ids[0], "ann@client.example", ALICE, "mailbox alice", "seg-", "127.0.0.1"):
            assert part in text, (part, text)
        for number in (0, 2):
            body = held.run("spool", "dump", held.ids[number], "--body").stdout
            assert body.count(b"TEXT%d\r\n" % number) == (40000 if number == 2 else 5)
            assert body.startswith(b"Received:") or b"X-Token: m" in body
        found = held.run("spool", "dump", "zzzzzz")
        assert found.returncode == NO_SUCH_MESSAGE and not found.stdout
        if running:
            held.stop()


def test_dump_tells_what_became_of_recipients(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 Come again"
    server = postrider(extra=["relay for 127.0.0.0/8"], retry="1 h",
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls never"]).start()
    found = submit(server.smtp_port, "ann@client.example", ["joe@far.example", ALICE], message("one"))
    server.wait_event("deferred")
    server.wait_mail("alice")

    def text():
        return server.run("spool", "dump", found).stdout.decode()

    until(lambda: "Come again" in text(), lambda: text())
    assert "deferred" in text() and "450" in text()
    until(lambda: re.search(r"recipient 1 (ended|delivered)", text()), lambda: text())


def test_a_backup_under_load_is_whole(held, postrider):
    """What waited when it began is in it, and nothing that nobody sent."""
    load = Load(held.smtp_port, body=("y" * 70 + "\r\n") * 100)
    load.wait_promised(20)
    before = set(load.promised)
    copy = held.directory / "copy"
    made = held.run("spool", "backup", str(copy), timeout=60)
    assert made.returncode == SOUND, made
    load.wait_promised(10)
    load.end()
    assert check(held, str(copy))["sound"]
    other = postrider(extra=["relay for 127.0.0.0/8"], routes=["send mail for far.example through 127.0.0.1:9"])
    other.write_files()
    restored = other.run("spool", "restore", str(copy), "--may-deliver-again")
    assert restored.returncode == SOUND, restored
    assert b"again" in restored.stdout
    other.start()

    def tokens():
        return {re.search(rb"X-Token: (\S+)", text)[1].decode() for text in other.maildir("alice")}

    before |= {f"m{n}" for n in range(4)}
    until(lambda: before <= tokens(), lambda: f"missing: {before - tokens()}\n{other.log_tail()}", 60)
    assert tokens() <= before | set(load.promised) | set(load.doubtful)
    # The ledger came along, up to the same moment.
    balance = other.run("audit", "--json")
    assert balance.returncode == 0, balance
    # No id of the time after the backup is given again.
    new = submit(other.smtp_port, "ann@client.example", ALICE, message("new"))
    assert new not in held.queue_ids()


def test_a_backup_is_not_made_over_anything(held):
    copy = held.directory / "copy"
    copy.mkdir()
    assert held.run("spool", "backup", str(copy)).returncode == FAILED


def test_restore_asks_before_it_repeats_or_replaces(held):
    copy = held.directory / "copy"
    assert held.run("spool", "backup", str(copy)).returncode == SOUND
    running = held.run("spool", "restore", str(copy), "--may-deliver-again", "--set-aside")
    assert running.returncode == FAILED and b"stop it" in running.stderr
    held.stop()
    before = snapshot(held.spool)
    full = held.run("spool", "restore", str(copy), "--may-deliver-again")
    assert full.returncode == FAILED and b"--set-aside" in full.stderr
    silent = held.run("spool", "restore", str(copy), str(held.directory / "new"))
    assert silent.returncode == USAGE_ERROR and b"second time" in silent.stderr
    assert snapshot(held.spool) == before and not (held.directory / "new").exists()
    (copy / "postrider-backup").rename(copy / "away")
    unfinished = held.run("spool", "restore", str(copy), "--may-deliver-again", "--set-aside")
    assert unfinished.returncode == FAILED and b"no backup" in unfinished.stderr
    (copy / "away").rename(copy / "postrider-backup")
    done = held.run("spool", "restore", str(copy), "--may-deliver-again", "--set-aside")
    assert done.returncode == SOUND, done
    [aside] = held.directory.glob("spool.before-restore-*")
    assert {p.relative_to(aside) for p in aside.rglob("*")} == {p.relative_to(held.spool) for p in before}
    assert held.spool.stat().st_uid == aside.stat().st_uid
    held.start()
    assert sorted(held.queue_ids()) == sorted(held.ids)


def test_a_damaged_backup_says_what_is_lost(held):
    held.stop()
    copy = held.directory / "copy"
    [path] = [p for p in held.spool.glob("seg-*") if b"TEXT1" in p.read_bytes()]
    data = bytearray(path.read_bytes())
    data[data.find(b"TEXT1")] ^= 1
    path.write_bytes(data)
    made = held.run("spool", "backup", str(copy))
    assert made.returncode == DAMAGED and held.ids[1].encode() in made.stderr
    shutil.rmtree(held.spool)
    restored = held.run("spool", "restore", str(copy), "--may-deliver-again")
    assert restored.returncode == DAMAGED and held.ids[1].encode() in restored.stderr
    held.extra = []
    held.start()
    held.queue("release", "all")
    held.wait_mail("alice", 3)
    assert not any(b"X-Token: m1\r" in text or b"UEXT1" in text for text in held.maildir("alice"))
