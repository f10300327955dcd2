"""What operators call destinations: all that the queue prints may be typed back; providers too."""
import json
import re

import pytest

import logs
from peers import Held
from server import settle
from talk import message, submit
from test_delivery import ALICE, RELAY, through
from test_pipe import USER
from test_sources import AT_GMAIL, GMAIL
from waiting import until

NO_DATA = 65
SCRIPT = "#!/bin/sh\ncat >/dev/null\necho $RECIPIENT >>{out}/$1\n"


def destinations(server, *words):
    return json.loads(server.queue("summary", *words, "--json"))["destinations"]


def printed(server):
    """The first column of a summary, without the heads."""
    rows = server.queue("summary").split("\nby age")[0].splitlines()[1:]
    return [row.split("  ")[0] for row in rows if row and not row.startswith(" ")]


def why(server, *words):
    return json.loads(server.queue("why", *words, "--json"))["destinations"]


def test_whatever_is_printed_is_suspended_over_a_restart_and_resumed(postrider, dns, sink, port_25):
    """A domain, servers, LMTP by port and by socket, programs, a rule, the mailboxes, and a server by a reroute."""
    far, smart, near = sink("127.0.0.2", port_25), sink(), sink(lmtp=True)
    server = postrider(extra=RELAY, retry="1 h", dns_port=dns().port)
    path = server.directory / "near.socket"
    socket = sink(lmtp=True, path=path)
    path.chmod(0o777)
    out, script = server.directory / "out", server.directory / "robot"
    out.mkdir()
    out.chmod(0o777)
    script.write_text(SCRIPT.format(out=out))
    script.chmod(0o755)
    server.routes = [
        f'program robot runs "{script} named" as {USER}', "pipe mail for named.example to robot",
        f'pipe mail for path.example to "{script} path" as {USER}',
        through(smart.port, domain="for smart.example, other.example"),
        f"send mail for port.example by lmtp 127.0.0.1:{near.port} with tls never",
        f"send mail for socket.example by lmtp {path}", "discard mail for void.example"]
    server.start()
    names = ["far.example", f"server 127.0.0.1:{smart.port}", f"lmtp 127.0.0.1:{near.port}", f"lmtp {path}",
             "program robot", f"program {script}", "rule void.example", "mailboxes", "via 127.0.0.2:25"]
    for name in names[:-1]:
        server.queue("suspend", *name.split(" "))
    for domain in ("far", "smart", "port", "socket", "named", "path", "void"):
        submit(server.smtp_port, ALICE, f"ann@{domain}.example", message(domain))
    submit(server.smtp_port, "x@client.example", ALICE, message("mine"))
    away = submit(server.smtp_port, ALICE, "ann@other.example", message("away"))
    # What is suspended there waits, and what goes another way waits for that to be resumed.
    assert server.run("queue", "suspend", "via", "127.0.0.2:25").returncode == NO_DATA
    server.queue("hold", away)
    server.queue("reroute", away, "via", "127.0.0.2:25")
    server.queue("suspend", "via", "127.0.0.2:25")
    server.queue("release", away)
    until(lambda: len(destinations(server)) == 9, lambda: server.queue("summary"))
    server.stop()
    server.start()
    rows = destinations(server)
    assert [row["state"] for row in rows] == ["suspended"] * 9, rows
    shown = printed(server)
    assert len(shown) == 9 and {"far.example", "mailboxes", "via 127.0.0.2:25", f"program {USER}:robot",
                                f"program {USER}:{script}", f"lmtp {path}"} < set(shown), shown
    for name, row in zip(shown, rows):
        [one] = why(server, *name.split(" "))
        assert one["destination"] == row["destination"] and one["reason"] == "suspended", (name, one)
        # As one word; and by the key that the log and --json have.
        [found] = json.loads(server.queue("list", "--for", name, "--json"))["messages"]
        assert [to["destination"] for to in found["recipients"]] == [row["destination"]], (name, found)
        [same] = destinations(server, "--for", row["destination"])
        assert same["destination"] == row["destination"], (same, row)
    assert far.messages + smart.messages + near.messages + socket.messages + list(out.iterdir()) == []
    listed = [line.split(": by ")[0] for line in server.queue("suspended").splitlines()]
    assert sorted(listed) == sorted(names), listed
    for name in listed:
        server.queue("resume", *name.split(" "))
    assert {m["rcpts"][0] for m in far.wait_messages(2)} == {"ann@far.example", "ann@other.example"}
    for sunk in (smart, near, socket):
        sunk.wait_messages()
    server.wait_mail("alice")
    server.wait_queue_empty()
    assert (out / "named").read_text() == "ann@named.example\n" and (out / "path").exists()
    # With nothing that waits, what new mail would meet.
    assert "under way   0, at most 10" in server.queue("why", "program", "robot")
    assert why(server, "program", "robot")[0]["window_max"] == 10
    assert why(server, f"lmtp {path}")[0]["destination"] == f"lmtp:{path}"
    assert server.wait_event("suspended", destination="pipe:robot")


@pytest.mark.parametrize("role", [None, "delivery", "queue"])
def test_a_provider_is_suspended_also_for_domains_that_nobody_knew(postrider, dns, sink, port_25, role):
    """Whose servers a domain has is known from its mail only, and forgotten with the queue: none is asked."""
    far = sink("127.0.0.2", port_25)
    # A process that has just been started may still lack the others, and puts mail off for that.
    server = postrider(extra=RELAY, retry="300 ms", dns_port=dns(AT_GMAIL, more={"google.com.": GMAIL}).port).start()
    known = submit(server.smtp_port, ALICE, "ann@a.example", message("known"))
    server.wait_event(logs.RELAYED, id=known)
    said = server.queue("suspend", "gmail")
    assert "gmail is suspended" in said and "No mail waits for it now." in said, said
    if role:
        server.kill_role(role)
        until(lambda: server.run("queue", "list").returncode == 0, lambda: server.log_tail())
    else:
        server.stop()
        server.start()
    before = far.sessions
    waits = submit(server.smtp_port, ALICE, ["u@a.example", "v@b.example"], message("waits"))
    goes = submit(server.smtp_port, ALICE, "u@c.example", message("goes"))
    server.wait_event(logs.RELAYED, id=goes)

    def both_wait():
        [row] = why(server, "provider", "gmail")
        return row["recipients"] == row["ready"] == 2 and row

    row = until(both_wait, lambda: why(server, "provider", "gmail"))
    assert row["destination"] == "provider:Gmail" and row["reason"] == row["state"] == "suspended", row
    assert {(one["destination"], one["recipients"], one["state"]) for one in row["domains"]} == {
        ("mx:a.example", 1, "suspended"), ("mx:b.example", 1, "suspended")}, row
    [shown] = json.loads(server.queue("list", "--for", "provider:gmail", "--reason", "suspended", "--json"))["messages"]
    assert shown["id"] == waits and len(shown["recipients"]) == 2, shown
    if not role:
        assert [to["tries"] for to in shown["recipients"]] == [0, 0], shown
    settle(0.3)
    assert far.sessions == before + 1, far.commands
    assert [row["destination"] for row in json.loads(server.queue("suspended", "--json"))["suspended"]] == [
        "provider:Gmail"]
    assert server.queue("suspended").startswith("provider Gmail: by ")
    server.queue("resume", "provider Gmail")
    far.wait_messages(4)
    server.wait_queue_empty()


def test_why_of_a_provider_says_what_binds_and_which_domains_wait(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=[*RELAY, "delivery processes 1", "provider Gmail { connections 2 }"], retry="300 ms",
                       dns_port=dns(AT_GMAIL, more={"google.com.": GMAIL}).port).start()
    text = server.queue("why", "gmail")
    assert text.startswith("provider Gmail: ok\n") and "no mail waits for it" in text, text
    assert "connections 0 in use, 2 allowed now, at most 2" in text, text
    for domain in ("a", "b", "c"):
        server.wait_event(logs.RELAYED, id=submit(
            server.smtp_port, ALICE, f"known@{domain}.example", message("known")))
    held = far.always["dot"] = Held("250 2.0.0 Taken")
    for domain, count in (("a", 4), ("b", 2), ("c", 1)):
        for number in range(count):
            submit(server.smtp_port, ALICE, f"u{number}@{domain}.example", message("many"))

    def full():
        [row] = why(server, "gmail")
        return row["connections"] == 2 and row["recipients"] == 6 and row

    row = until(full, lambda: why(server, "gmail"))
    assert (row["state"], row["reason"], row["ready"]) == ("limited", "site", 4), row
    assert row["limit"] == "connections 2, in provider Gmail" and row["site"]["destinations"] == 2, row
    assert [(one["destination"], one["recipients"]) for one in row["domains"]] == [
        ("mx:a.example", 4), ("mx:b.example", 2)], row
    text = server.queue("why", "provider", "mx.google.com")
    assert "what binds  it has as many connections as it may have now" in text, text
    assert "6 recipients, 4 of them ready" in text and "2 with mail:" in text, text
    assert re.search(r"\n +a\.example: 4 recipients, \d ready; limited\n", text), text
    assert {row["destination"] for row in destinations(server, "--for", "gmail")} == {"mx:a.example", "mx:b.example"}
    # An MX host, as "why" prints it of a domain, is a provider too.
    [row] = until(lambda: (rows := why(server, "c.example")) and rows[0]["site"] and rows, lambda: why(server, "c.example"))
    [host] = why(server, row["site"]["name"])
    assert host["destination"] == "provider:mx.example" and host["recipients"] == 1, host
    server.queue("suspend", "mx.example")
    assert server.queue("suspended").startswith("provider mx.example: by ")
    assert why(server, "c.example")[0]["reason"] == "suspended"
    server.queue("resume", "mx.example")
    assert "No destination" in server.queue("suspended")
    held.let_go()
    far.wait_messages(10)
    server.wait_queue_empty()
    # All left it in the last minutes.
    assert why(server, "gmail")[0]["recipients"] == 0


def test_why_of_a_program_says_how_many_run(postrider):
    server = postrider(extra=RELAY, retry="300 ms")
    gate, script = server.directory / "gate", server.directory / "robot"
    script.write_text(f"#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.1; done\n")
    script.chmod(0o755)
    server.routes = [f'program desk runs "{script}" as {USER} processes 2', "pipe mail for far.example to desk"]
    server.start()
    for number in range(3):
        waits = submit(server.smtp_port, ALICE, f"u{number}@far.example", message("many"))

    def full():
        [row] = why(server, "program", "desk")
        return row["connections"] == 2 and row["recipients"] == 3 and row

    row = until(full, lambda: why(server, "program", "desk"))
    assert (row["state"], row["reason"], row["limit"]) == ("limited", "connections", "processes 2, of program desk"), row
    text = server.queue("why", "program", "desk")
    assert text.startswith(f"program {USER}:desk: limited\n"), text
    assert "as many of it run as may at a time" in text and "under way   2, at most 2" in text, text
    shown = server.queue("show", waits)
    assert f"It waits until the program {USER}:desk has run for others: 2 of 2" in " ".join(shown.split()), shown
    gate.touch()
    server.wait_queue_empty()


def test_a_wrong_name_is_told_with_the_nearest(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.0 Later"
    server = postrider(extra=RELAY, retry="1 h", routes=[
        through(far.port, domain="for far.example"), f'program robot runs "/bin/true" as {USER}',
        "pipe mail for lists.example to robot"]).start()

    def wrong(*words):
        result = server.run("queue", *words)
        assert result.returncode == NO_DATA and not result.stdout, result
        return result.stderr.decode()

    for verb in ("why", "suspend"):
        assert 'no destination "gmial"; did you mean "provider Gmail"?' in wrong(verb, "gmial")
        assert 'did you mean "provider Gmail"?' in wrong(verb, "provider", "gmial")
        assert 'did you mean "program robot"?' in wrong(verb, "program", "robt")
        assert f'did you mean "server 127.0.0.1:{far.port}"?' in wrong(verb, f"server 127.0.0.2:{far.port}")
        assert "summary" in wrong(verb, "nothing-like-it") and "summary" in wrong(verb, "via", "127.0.0.9")
        assert "\x1b" not in wrong(verb, "a\x1bb")
    assert "no destination" in wrong("list", "--for", "provider nobody")
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("waits"))
    server.wait_event(logs.DEFERRED, id=found)
    address = f"127.0.0.1:{far.port}"
    for words in (("summary", "--for", f"127.0.0.2:{far.port}"), ("list", "--for", f"127.0.0.2:{far.port}"),
                  ("why", f"127.0.0.2:{far.port}"), ("suspend", f"127.0.0.2:{far.port}")):
        assert f'did you mean "server {address}"?' in server.queue(*words), words
        assert json.loads(server.queue(*words, "--json"))["nearest"] == f"server {address}", words
    assert f'did you mean "127.0.0.2:{far.port}"?' in wrong("resume", f"127.0.0.3:{far.port}")
    server.queue("resume", f"127.0.0.2:{far.port}")
    assert "suspended lists" in wrong("resume", "far.example")
    # A name without a dot is a provider's, or said to be a domain.
    assert why(server, "domain", "gmail")[0]["destination"] == "mx:gmail"
    for words in (("why",), ("suspend", " "), ("why", "x" * 400)):
        assert server.run("queue", *words).returncode == 64, words


def test_a_file_of_suspensions_of_before_holds(postrider, sink):
    """Its patterns are domains and hosts, and a name without a dot among them."""
    far = sink()
    server = postrider(extra=RELAY, retry="1 h", routes=[through(far.port)]).start()
    server.stop()
    (server.spool / "suspensions").write_text("postrider suspensions 1\n0 7 ann 127.0.0.1\n0 7 ann backend\n")
    server.start()
    submit(server.smtp_port, ALICE, "ann@far.example", message("waits"))
    assert why(server, "127.0.0.1")[0]["reason"] == "suspended"
    for name in ("127.0.0.1", "backend"):
        server.queue("resume", name)
    far.wait_messages()
