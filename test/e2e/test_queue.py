"""The operator's hands on the queue."""
import json
import re

import pytest

import logs
from server import settle
from talk import Talk, message, submit

ALICE = "alice@home.example"


@pytest.fixture
def held(postrider):
    """A server that holds all mail, with three messages in its queue."""
    server = postrider(extra=["hold all mail", "relay for 127.0.0.0/8"]).start()
    server.ids = [submit(server.smtp_port, "ann@client.example", ALICE, message(f"m{n}")) for n in range(3)]
    return server


def test_hold_all_mail_keeps_it(held):
    settle(0.5)
    assert held.maildir("alice") == []
    assert sorted(held.queue_ids()) == sorted(held.ids)


def test_list_for_people_and_for_programs(held):
    text = held.queue("list")
    for found in held.ids:
        assert found in text
    assert "alice@home.example" in text and "ann@client.example" in text
    rows = held.queue_rows()
    assert sorted(row["id"] for row in rows) == sorted(held.ids)
    assert all("ann@client.example" in json.dumps(row) for row in rows)


def test_show_says_what_and_why(held):
    text = held.queue("show", held.ids[0])
    for part in (held.ids[0], "ann@client.example", "alice@home.example", "hold", "X-Token: m0"):
        assert part in text or part == "X-Token: m0", (part, text)
    row = json.loads(held.queue("show", held.ids[0], "--json"))
    assert held.ids[0] in json.dumps(row) and "alice@home.example" in json.dumps(row)


def test_release_lets_one_go(held):
    held.queue("release", held.ids[1])
    assert b"X-Token: m1" in held.wait_mail("alice")[0]
    settle(0.3)
    assert len(held.maildir("alice")) == 1
    assert sorted(held.queue_ids()) == sorted([held.ids[0], held.ids[2]])


def test_release_all(held):
    held.queue("release", "all")
    held.wait_mail("alice", 3)
    held.wait_queue_empty()


def test_delete_ends_a_message_without_a_bounce(held):
    held.queue("delete", held.ids[0])
    held.wait_event(logs.DELETED, id=held.ids[0])
    assert sorted(held.queue_ids()) == sorted(held.ids[1:])
    held.queue("delete", "all")
    assert held.queue_ids() == []
    settle(0.3)
    assert held.maildir("alice") == []
    # Deleted is deleted: a restart brings nothing back.
    held.stop()
    held.start()
    assert held.queue_ids() == []


def test_held_mail_survives_a_restart(held):
    held.stop()
    held.start()
    assert sorted(held.queue_ids()) == sorted(held.ids)
    held.queue("release", "all")
    assert len(held.wait_mail("alice", 3)) == 3


def test_hold_and_retry_a_deferred_message(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 Not now"
    server = postrider(extra=["relay for 127.0.0.0/8"], retry="1 h",
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls never"]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("wait"))
    server.wait_event(logs.DEFERRED, id=found)
    text = server.queue("show", found)
    assert "450" in text and "Not now" in text, text
    server.queue("retry", found)
    server.wait_event(logs.DEFERRED, 2, id=found)
    server.queue("hold", found)
    far.always.clear()
    settle(0.3)
    server.queue("release", found)
    far.wait_messages()
    server.wait_queue_empty()


def test_retry_all(postrider, sink):
    far = sink()
    far.script["rcpt"] = ["450 4.2.1 Not now"] * 5
    server = postrider(extra=["relay for 127.0.0.0/8"], retry="1 h",
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls never"]).start()
    for number in range(5):
        submit(server.smtp_port, ALICE, f"u{number}@far.example", message(f"w{number}"))
    server.wait_event(logs.DEFERRED, 5)
    server.queue("retry", "all")
    far.wait_messages(5)
    server.wait_queue_empty()


@pytest.mark.parametrize("command", ["show", "retry", "hold", "release", "delete"])
def test_an_unknown_id_is_an_error(server, command):
    result = server.run("queue", command, "zzzzzz")
    assert result.returncode not in (0, 64) and b"zzzzzz" in result.stderr, result


@pytest.mark.parametrize("arguments", [["show"], ["show", "not an id!"], ["delete"], ["nonsense"], []])
def test_wrong_use_is_explained(server, arguments):
    result = server.run("queue", *arguments)
    assert result.returncode == 64 and result.stderr, result


def test_without_a_server_it_says_so(postrider):
    server = postrider()
    server.write_files()
    result = server.run("queue", "list")
    assert result.returncode != 0 and b"control" in result.stderr, result


def test_a_list_longer_than_a_page(held):
    """The server gives lists in pieces; "list" gives all of it, once each."""
    more = 450
    with Talk(held.smtp_port) as talk:
        talk.ehlo()
        for number in range(more):
            talk.start("ann@client.example", ALICE)
            talk.data(message(f"p{number}"))
    document = json.loads(held.queue("list", "--json"))
    ids = [row["id"] for row in document["messages"]]
    assert len(ids) == len(set(ids)) == document["count"] == document["total"] == more + 3
    assert set(held.ids) < set(ids)
    few = json.loads(held.queue("list", "--json", "--limit", "201"))
    assert [row["id"] for row in few["messages"]] == ids[:201]
    assert (few["count"], few["total"]) == (201, more + 3)


def test_the_socket_alone_is_enough(held):
    socket = str(held.directory / "control")
    held.config.write_text("nonsense\n")
    assert held.run("queue", "list").returncode == 78
    result = held.run("queue", "list", "--socket", socket, config=False)
    assert result.returncode == 0 and held.ids[0].encode() in result.stdout, result


def test_one_recipient_has_all_that_is_known(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 Not \x1b[31mnow"
    server = postrider(extra=["relay for 127.0.0.0/8"], retry="1 h",
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls never"]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("wait"))
    server.wait_event(logs.DEFERRED, id=found)
    row = json.loads(server.queue("show", found, "--json"))
    assert row.pop("last_attempt")["id"] == row["id"]
    assert row == server.queue_rows()[0]
    assert (row["id"], row["from"], row["held"], row["login"]) == (found, ALICE, False, None)
    (rcpt,) = row["recipients"]
    assert (rcpt["address"], rcpt["state"], rcpt["tries"], rcpt["code"]) == \
        ("ann@far.example", "waiting", 1, 450)
    assert row["arrived"] < rcpt["next_try"] < row["expires"]
    for text in (server.queue("list"), server.queue("show", found)):
        assert "\x1b" not in text and re.search(r"next try.* in \d+ min|next try.*\(in \d+ min\)", text), text
        assert max(map(len, text.splitlines())) <= 80, text
    assert f"postrider queue retry   {found}" in server.queue("show", found)
    assert json.loads(server.queue("retry", found, "--json")) == {"count": 1}
