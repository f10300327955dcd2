"""Disks that fail, that are full, and that are somebody else's already."""
import json
from pathlib import Path

import pytest

import logs
from disk import SmallDisk, reason_to_skip
from faults import Faults
from server import settle
from talk import Talk, message, submit
from waiting import free_port, until

ALICE = "alice@home.example"
SENDER = "ann@client.example"


@pytest.fixture
def faulty(postrider):
    """A server that holds all mail, on a disk that fails as told; and three messages in it."""
    server = postrider(extra=["hold all mail"])
    server.faults = Faults(server.directory)
    server.env = server.faults.env
    server.start()
    server.ids = [submit(server.smtp_port, SENDER, ALICE, message(f"m{n}", body=f"TEXT{n}\r\n" * 20))
                  for n in range(3)]
    return server


def segment_of(server, text):
    """The segment's file that holds a text, and where."""
    [path] = [p for p in server.spool.glob("seg-*.log") if text in p.read_bytes()]
    return path, path.read_bytes().find(text)


def try_to_send(server, token):
    """(stage, reply) where a message is refused; ("dot", reply) of one that is not."""
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        for stage, command in (("mail", f"MAIL FROM:<{SENDER}>"), ("rcpt", f"RCPT TO:<{ALICE}>"),
                               ("data", "DATA")):
            reply = talk.ask(command)
            if reply.code not in (250, 354):
                return stage, reply
        talk.send(message(token) + b".\r\n")
        return "dot", talk.reply()


def tokens(server):
    return sorted(text.split(b"X-Token: ")[1].split(b"\r")[0].split(b"\n")[0].decode()
                  for text in server.maildir("alice"))


def test_a_failed_sync_stops_acceptance_for_good(faulty):
    log, _ = segment_of(faulty, b"TEXT0")
    inode = log.stat().st_ino
    faulty.faults.set(sync_inode=inode, watch_inode=inode, sync_fails=1)
    stage, reply = try_to_send(faulty, "lost")
    assert (stage, reply.code) == ("dot", 451), reply
    # The disk is well again, and what it says now is not believed.
    faulty.faults.set(sync_fails=0)
    [event] = faulty.wait_event("pressure")
    assert "could not be written" in event["text"]
    # A process of reception that has not heard of it yet has its message refused by the queue.
    def refused_at_mail():
        refusals = [try_to_send(faulty, "never") for _ in range(5)]
        assert {reply.code for _, reply in refusals} == {451}, refusals
        return {stage for stage, _ in refusals} == {"mail"}
    until(refused_at_mail, faulty.log_tail)
    assert faulty.faults.syncs_failed == 1
    # What is durable is still delivered, ...
    faulty.queue("release", "all")
    faulty.wait_mail("alice", 3)
    # ... and nothing more is written to the log, nor is it synced a second time.
    settle(0.5)
    assert faulty.faults.syncs_after_failure == 0
    assert faulty.faults.writes_after_failure == 0
    # A restart reads what the disk has.  The ends of the three were not recorded: they come again.
    faulty.stop()
    faulty.extra = []
    faulty.start()
    faulty.queue("release", "all")
    faulty.wait_queue_empty()
    assert set(tokens(faulty)) <= {"m0", "m1", "m2", "lost"}
    submit(faulty.smtp_port, SENDER, ALICE, message("after"))
    until(lambda: "after" in tokens(faulty), faulty.log_tail)


def test_many_at_once_learn_of_one_failed_sync(faulty):
    """Batches overlap: none of those under way may be answered 250."""
    log, _ = segment_of(faulty, b"TEXT0")
    faulty.faults.set(sync_inode=log.stat().st_ino, sync_fails=1)
    talks = [Talk(faulty.smtp_port) for _ in range(12)]
    for talk in talks:
        talk.ehlo()
        talk.start(SENDER, ALICE)
        talk.expect("DATA", 354)
    for number, talk in enumerate(talks):
        talk.send(message(f"n{number}") + b".\r\n")
    replies = [talk.reply() for talk in talks]
    assert {reply.code for reply in replies} == {451}, replies
    faulty.faults.set(sync_fails=0)
    assert try_to_send(faulty, "never")[1].code == 451
    for talk in talks:
        talk.close()


def test_a_large_body_that_cannot_be_synced_is_not_accepted(faulty):
    faulty.faults.set(sync_fails=1)
    with Talk(faulty.smtp_port, timeout=60) as talk:
        talk.ehlo()
        talk.start(SENDER, ALICE)
        reply = talk.data(message("large", body="0123456789abcdef\r\n" * 20000))
    assert reply.code == 451, reply
    faulty.faults.set(sync_fails=0)
    assert try_to_send(faulty, "never")[1].code == 451


def test_a_message_that_cannot_be_read_is_set_aside(faulty):
    path, at = segment_of(faulty, b"TEXT1")
    faulty.faults.set(read_inode=path.stat().st_ino, read_start=at, read_end=at + 10)
    faulty.extra = []
    faulty.stop()
    faulty.start()
    faulty.wait_mail("alice", 2)
    settle(0.5)
    assert tokens(faulty) == ["m0", "m2"]
    assert faulty.faults.reads_failed > 0
    assert faulty.queue_ids() == [faulty.ids[1]], "it is neither lost nor forgotten"
    # It is set aside, with a report, and not tried again and again.
    assert logs.select(faulty.events(), "spool_read_failed", id=faulty.ids[1]), faulty.log_tail()
    [aside] = faulty.wait_event("set_aside", id=faulty.ids[1])
    assert aside["text"]
    assert not logs.select(faulty.events(), "set_aside", id=faulty.ids[0])
    submit(faulty.smtp_port, SENDER, ALICE, message("new"))
    faulty.wait_mail("alice", 3)
    # The disk can be read again: an operator lets it go.
    faulty.faults.set(read_inode=0)
    faulty.queue("release", faulty.ids[1])
    faulty.wait_mail("alice", 4)
    assert tokens(faulty) == ["m0", "m1", "m2", "new"]
    faulty.wait_queue_empty()


def test_a_second_server_refuses_the_spool(postrider):
    first = postrider(extra=["hold all mail"]).start()
    found = submit(first.smtp_port, SENDER, ALICE, message("one"))
    second = postrider(storage=first.storage)
    second.start(wait=False)
    assert second.process.wait(60) != 0
    assert "in use" in second.log_text() and "another server has it" in second.log_text()
    # The first has not noticed.
    assert first.queue_ids() == [found]
    submit(first.smtp_port, SENDER, ALICE, message("two"))
    first.stop()
    second.start()
    # Nothing holds it any more.
    second.wait_mail("alice", 2)
    second.wait_queue_empty()
    assert len(second.maildir("alice")) == 2


@pytest.fixture
def small_disk():
    reason = reason_to_skip(ext4=False)
    if reason:
        pytest.skip(f"no small disk: {reason}")
    with SmallDisk(24) as disk:
        yield disk


@pytest.fixture
def other_disk(small_disk):
    with SmallDisk(24) as disk:
        yield disk


def test_a_server_on_another_disk_is_not_ours(postrider, small_disk, other_disk):
    """Numbers of files are given anew on each disk: the same number there, as mostly, is another file."""
    servers = [postrider(storage=disk.path, segment_size="1 MB") for disk in (small_disk, other_disk)]
    try:
        for server in servers:
            server.start()
        locks = [Path(server.spool, "spool.lock").stat() for server in servers]
        assert locks[0].st_dev != locks[1].st_dev
        servers[1].stop()
        runs = [json.loads(server.run("spool", "check", "--json").stdout)["running"]
                for server in servers]
        assert runs == [True, False]
    finally:
        for server in servers:
            server.stop()


def test_a_full_disk_is_a_reply(postrider, small_disk):
    """452 at MAIL before anything is taken; what was taken is delivered, and then there is room."""
    server = postrider(extra=["hold all mail"], storage=small_disk.path, segment_size="1 MB",
                       disk_reserve="2 MB")
    server.mail_storage = server.directory
    try:
        server.start()
        taken = 0
        body = "0123456789abcdef" * 4 + "\r\n"
        for number in range(400):
            with Talk(server.smtp_port) as talk:
                talk.ehlo()
                reply = talk.ask(f"MAIL FROM:<{SENDER}>")
                if reply.code != 250:
                    break
                talk.expect(f"RCPT TO:<{ALICE}>", 250)
                last = talk.data(message(f"f{number}", body=body * (1000 if number % 2 else 5000)))
                # The one that finds the disk full is refused; those after it at MAIL.
                assert last.code in (250, 452), last
                taken += last.code == 250
        assert (reply.code, reply.status) == (452, "4.3.1"), reply
        assert taken > 20
        assert "full" in server.wait_event("pressure")[0]["text"]
        # State changes have their room: holds, deliveries and their ends.
        ids = server.queue_ids()
        assert len(ids) == taken
        server.queue("hold", ids[0])
        server.queue("release", "all")
        server.wait_mail("alice", taken, 60)
        server.wait_queue_empty()
        server.wait_event("pressure_over")
        # Each process of reception hears of it a moment after the log.
        until(lambda: try_to_send(server, "again")[1].code == 250, "mail is still refused")
        server.stop()
        assert server.run("spool", "check").returncode == 0
    finally:
        if server.process and server.process.poll() is None:
            server.kill_everything()


def test_a_bounce_of_what_cannot_be_read_is_set_aside(postrider):
    """Nobody can be told, since it cannot be read whom: so an operator is, and nothing is dropped."""
    closed = free_port()
    server = postrider(
        extra=["relay for 127.0.0.0/8", "hold all mail"], retry="1 h", expire="10 s",
        routes=[f"send mail for dead.example through 127.0.0.1:{closed} with tls never"])
    server.faults = Faults(server.directory)
    server.env = server.faults.env
    server.start()
    # More than the first connections take: the others fail without being read.
    ids = [submit(server.smtp_port, ALICE, f"joe{n}@dead.example", message(f"m{n}"))
           for n in range(40)]
    last = ids[-1]
    server.stop()
    server.extra = ["relay for 127.0.0.0/8"]
    path, at = segment_of(server, b"joe39@dead.example")
    server.faults.set(read_inode=path.stat().st_ino, read_start=at, read_end=at + 10)
    server.faults.set(read_inode=0)
    server.start()
    server.faults.set(read_inode=path.stat().st_ino)
    [aside] = server.wait_event("set_aside", id=last)
    assert "cannot be read" in aside["text"], aside
    [failed] = logs.select(server.events(), "spool_read_failed", id=last)
    assert "sender cannot be told" in failed["text"], "it was its bounce that needed it"
    assert not logs.select(server.events(), "bounce_dropped")
    assert last in server.queue_ids(), "it is neither lost nor forgotten"
    # The disk can be read again: it is released, fails again, and its sender is told.
    server.faults.set(read_inode=0)
    server.queue("release", last)
    until(lambda: any(b"joe39@dead.example" in mail for mail in server.maildir("alice")),
          server.log_tail)
    until(lambda: last not in server.queue_ids(), server.log_tail)
