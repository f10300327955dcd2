"""The ledger: every accepted recipient has one end, or waits; and the program says which."""
import json
import re
import time

import pytest

from load import Load
from peers import DROP
from server import settle
from talk import message, submit
from waiting import same_day, until

ALICE, ANN = "alice@home.example", "ann@far.example"
SENDER = "bob@home.example"


def relaying(postrider, far, **options):
    extra = options.pop("extra", [])
    return postrider(extra=["relay for 127.0.0.0/8", "limits { messages per session unlimited }", *extra],
                     routes=[f"send mail through 127.0.0.1:{far.port} with tls never"], **options)


def audit(server, *arguments, status=0):
    result = server.run("audit", "--json", *arguments, timeout=60)
    assert result.returncode == status, (result, server.log_tail())
    found = json.loads(result.stdout)
    assert found["balanced"] == (status == 0)
    return found


def show(server, identity):
    result = server.run("ledger", "show", identity, "--json")
    assert result.returncode == 0, result
    return json.loads(result.stdout)


def words(server, *arguments):
    result = server.run(*arguments)
    assert result.returncode == 0, result
    return result.stdout.decode()


def test_every_kind_of_end_is_in_it(postrider, sink):
    far = sink()
    far.rcpt_replies["nobody@far.example"] = "550 5.1.1 Nobody of that name"
    far.rcpt_replies["later@far.example"] = "450 4.2.1 Come again"
    server = relaying(postrider, far, extra=[], retry="30 s").start()
    delivered = submit(server.smtp_port, SENDER, ALICE, message("delivered"))
    relayed = submit(server.smtp_port, SENDER, ANN, message("relayed"))
    bounced = submit(server.smtp_port, SENDER, ["nobody@far.example", ALICE], message("bounced"))
    waiting = submit(server.smtp_port, SENDER, "later@far.example", message("later"))
    until(lambda: server.queue_ids() == [waiting], lambda: server.queue("list"))
    until(lambda: audit(server)["open"] == 1, "the others have not ended")
    found = audit(server)
    assert found["accepted"] == {"messages": 5, "recipients": 6, "notifications": 1}
    # The notification goes to bob, who is here.
    assert found["ended"]["delivered"] == 3 and found["ended"]["relayed"] == 1
    assert found["ended"]["bounced"] == 1 and found["open"] == 1
    server.queue("delete", waiting)
    until(lambda: audit(server)["open"] == 0, "it is not deleted")
    assert audit(server)["ended"]["deleted"] == 1

    story = show(server, relayed)
    assert story["from"] == SENDER and story["recipients"][0]["end"] == "relayed"
    [end] = story["events"]
    assert end["code"] == 250 and end["status"] == "2.0.0" and "127.0.0.1" in end["host"]
    assert show(server, delivered)["recipients"][0]["end"] == "delivered"
    ends = {r["address"]: r["end"] for r in show(server, bounced)["recipients"]}
    assert ends == {"nobody@far.example": "bounced", ALICE: "delivered"}
    assert [e["what"] for e in show(server, waiting)["events"]] == ["deferred", "ended"]

    text = words(server, "ledger", "show", bounced)
    assert "Nobody of that name" in text and "5.1.1" in text and "means" in text
    notification = next(e["notification"] for e in show(server, bounced)["events"] if e["notification"])
    assert notification in text and show(server, notification)["from"] == ""
    assert "deleted by" in words(server, "ledger", "show", waiting)
    text = words(server, "audit")
    assert "It balances" in text and "bounced" in text


def test_expired_mail_is_in_it(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 Come again"
    server = relaying(postrider, far, retry="200 ms", expire="1 s").start()
    identity = submit(server.smtp_port, SENDER, ANN, message("expires"))
    until(lambda: b"expires" in b"".join(server.maildir("bob")), server.log_tail)
    server.wait_queue_empty()
    until(lambda: audit(server)["open"] == 0, "it has not expired")
    assert audit(server)["ended"]["expired"] == 1
    story = show(server, identity)
    assert story["recipients"][0]["end"] == "expired"
    assert story["events"][-1]["code"] == 450 and story["events"][-1]["notification"]


def test_what_is_in_doubt_is_counted(postrider, sink):
    far = sink()
    far.script["dot"] = [DROP]
    server = relaying(postrider, far).start()
    identity = submit(server.smtp_port, SENDER, ANN, message("twice"))
    far.wait_messages(2)
    server.wait_queue_empty()
    until(lambda: audit(server)["open"] == 0, "it has not ended")
    found = audit(server)
    assert found["in_doubt"] == {"ended": 1, "open": 0}, found
    events = show(server, identity)["events"]
    assert [e["in_doubt"] for e in events if e["what"] == "ended"] == [True]
    assert "in doubt" in words(server, "ledger", "show", identity)


def test_list_finds_what_was_queued(postrider):
    same_day()
    server = postrider(extra=["hold all mail", "relay for 127.0.0.0/8"]).start()
    net = submit(server.smtp_port, SENDER, "x@example.net", message("net"))
    com = submit(server.smtp_port, "ann@client.example", ["y@example.com", ALICE], message("com"))
    at = time.strftime("%H:%M", time.gmtime())

    def ids(*arguments):
        found = json.loads(words(server, "ledger", "list", "--json", *arguments))
        return [row["id"] for row in found["messages"]]

    assert ids("--for", "example.net", "--at", at) == [net]
    assert ids("--for", "EXAMPLE.com") == [com] and ids("--for", ALICE) == [com]
    assert ids("--from", "client.example") == [com] and ids("--from", SENDER) == [net]
    assert ids("--since", "1h") == [net, com]
    assert ids("--until", "yesterday") == []
    assert ids("--for", "nowhere.example") == []
    assert ids("--limit", "1") == [net]
    text = words(server, "ledger", "list", "--for", "example.net", "--at", at)
    assert net in text and "no end yet" in text
    server.queue("delete", net)
    until(lambda: "deleted by" in words(server, "ledger", "list", "--for", "example.net"),
          "its end is not in the ledger")


@pytest.mark.parametrize("arguments, said", [
    (["ledger", "list", "--at", "noonish"], "noonish"),
    (["ledger", "list", "--at", "09:07", "--since", "2h"], "--at is a moment"),
    (["ledger", "show"], "Give its id"),
    (["ledger", "show", "!!"], "not a queue id"),
    (["ledger", "shwo", "a"], "did you mean show"),
    (["audit", "--since", "soon"], "soon"),
    (["audit", "abc"], "ledger show"),
])
def test_wrong_use_is_told(server, arguments, said):
    result = server.run(*arguments)
    assert result.returncode == 64 and said in result.stderr.decode(), result


def test_an_unknown_id_is_told(server):
    result = server.run("ledger", "show", "zzz")
    assert result.returncode == 65 and "no message zzz" in result.stderr.decode(), result


@pytest.mark.parametrize("role", ["queue", "delivery", None])
def test_kills_under_load_leave_it_balanced(postrider, sink, role):
    far = sink()
    # One that is under way at each of the kills is no poison here.
    server = relaying(postrider, far, extra=["queue { crashes per message 10 }"]).start()
    ids = 0
    for _ in range(3):
        load = Load(server.smtp_port)
        load.wait_promised(30)
        # While mail comes and goes.
        audit(server)
        if role:
            until(lambda: server.role_pids(role), f"{role} was not started again")
            server.kill_role(role)
            load.wait_promised(10)
        else:
            server.kill_everything()
        load.end()
        if not role:
            # Nobody runs: the spool is the witness.
            assert audit(server)["running"] is False
            server.start()
        ids += len(load.promised)
    server.wait_queue_empty(60)
    until(lambda: audit(server)["open"] == 0, "not all have ended")
    found = audit(server)
    assert found["accepted"]["messages"] >= ids and found["open"] == 0
    assert found["ended"]["delivered"] + found["ended"]["relayed"] == found["accepted"]["recipients"]
    server.stop()
    after = audit(server)
    assert after["accepted"] == found["accepted"] and after["ended"] == found["ended"]


def test_it_outlives_the_message_and_the_server(postrider):
    server = postrider().start()
    identity = submit(server.smtp_port, SENDER, ALICE, message("old"))
    server.wait_queue_empty()
    server.stop()
    server.start()
    server.stop()
    assert show(server, identity)["recipients"][0]["end"] == "delivered"
    assert audit(server)["ended"]["delivered"] == 1


def test_a_lost_message_is_named(postrider):
    """Its segment is gone, with all that the spool knows of it."""
    server = postrider(extra=["hold all mail"]).start()
    first = submit(server.smtp_port, SENDER, ALICE, message("first", body="THE-LOST-BODY\r\n"))
    audit(server)
    server.stop()
    for path in server.spool.glob("*"):
        if path.is_file() and path.name != "spool.lock" and path.name != "epoch":
            path.unlink()
    found = audit(server, status=1)
    assert found["missing"] == [first]
    server.start()
    found = audit(server, status=1)
    assert found["missing"] == [first] and found["unknown"] == []
    second = submit(server.smtp_port, SENDER, ALICE, message("second"))
    found = audit(server, status=1)
    assert found["missing"] == [first] and found["open"] == 2
    text = server.run("audit").stdout.decode()
    assert first in text and "does NOT balance" in text and second not in text


def test_damage_to_the_ledger_is_seen(postrider):
    server = postrider(extra=["hold all mail"]).start()
    ids = []
    for number in range(3):
        ids.append(submit(server.smtp_port, SENDER, ALICE, message(f"m{number}")))
        audit(server)
    server.stop()
    [path] = (server.spool / "ledger").glob("*.led")
    data = bytearray(path.read_bytes())
    # In the payload of the first block.
    blocks = [m.start() for m in re.finditer(b"PRlb", data)]
    data[blocks[1] - 20] ^= 1
    path.write_bytes(data)
    found = audit(server, status=1)
    assert found["gaps"] == 1 and found["unknown"] == [ids[0]]
    server.start()
    settle(0.2)
    found = audit(server, status=1)
    assert found["gaps"] == 1 and found["unknown"] == [ids[0]]


def test_a_ledger_that_was_removed_begins_with_what_is_there(postrider, sink):
    """As at the first start of a version that has a ledger."""
    far = sink()
    far.rcpt_replies["later@far.example"] = "450 4.2.1 Come again"
    server = relaying(postrider, far, retry="1 h").start()
    submit(server.smtp_port, SENDER, ALICE, message("gone"))
    waiting = submit(server.smtp_port, SENDER, [ALICE, "later@far.example"], message("waits"))
    server.wait_mail("alice", 2)
    until(lambda: audit(server)["open"] == 1, "it is not deferred")
    server.stop()
    for path in (server.spool / "ledger").glob("*"):
        path.unlink()
    server.start()
    assert audit(server)["open"] == 1
    server.queue("delete", waiting)
    until(lambda: audit(server)["open"] == 0, "it is not deleted")
    assert audit(server)["ended"]["deleted"] == 1
    server.kill_everything()
    assert audit(server)["ended"]["deleted"] == 1
