"""Routes by sender, and from tables: which way, which line chose it, and what a reload changes."""
import json

import logs
from talk import Talk, message, submit
from test_delivery import ALICE, RELAY, through
from test_pipe import OTHER, USER
from waiting import until

BOB = "bob@home.example"


def start(postrider, *routes, tables=None, **options):
    server = postrider(extra=RELAY, routes=list(routes), **options)
    for name, text in (tables or {}).items():
        (server.directory / name).write_text(text)
    return server.start()


def senders(far):
    return [m["mail"].split("<")[1].split(">")[0] for m in far.messages]


def reload(server, event):
    assert event in server.reload()


def test_senders_have_ways_of_their_own(postrider, sink):
    alices, bounces, rest = sink(), sink(), sink()
    rest.rcpt_replies["gone@far.example"] = "550 5.1.1 No such user"
    server = start(postrider, through(alices.port, domain=f"from {ALICE} for far.example, .far.example"),
                   through(bounces.port, domain="from <>"), through(rest.port))
    # The same recipient, and so the same domain, at the same time.
    for sender in (ALICE, BOB, "carl@other.example"):
        submit(server.smtp_port, sender, "ann@far.example", message(sender))
    submit(server.smtp_port, ALICE, "ann@near.example", message("another domain"))
    rest.wait_messages(3)
    assert senders(alices.wait_messages(1) and alices) == [ALICE]
    assert sorted(senders(rest)) == [ALICE, BOB, "carl@other.example"]
    # A bounce has no sender: only <> fits, whatever the statements for its recipient say.
    submit(server.smtp_port, "carl@far.example", "gone@far.example", message("returned"))
    assert bounces.wait_messages(1)[0]["rcpts"] == ["carl@far.example"]
    server.wait_queue_empty()


def test_a_table_is_one_statement_in_the_order(postrider, sink):
    first, exact, domain, below, rest = (sink() for _ in range(5))
    table = (f"# nearest, not first\n.far.example: through 127.0.0.1:{below.port}\n"
             f"far.example: through 127.0.0.1:{domain.port} with tls never\n"
             f"Ann@far.example: through 127.0.0.1:{exact.port}\n"
             "joe@home.example: refuse with 550 5.1.6 \"We are new.example now\"\n"
             "void.example: discard\n")
    server = start(postrider, through(first.port, domain="for ann@a.far.example"), "routes from ways",
                   through(rest.port), tables={"ways": table})
    found = submit(server.smtp_port, ALICE, [
        "ann@a.far.example", "bob@a.far.example", "bob@far.example", "ann@FAR.example", "x@near.example",
        "x@void.example"], message("all"))
    for far, rcpt in ((first, "ann@a.far.example"), (below, "bob@a.far.example"), (domain, "bob@far.example"),
                      (exact, "ann@far.example"), (rest, "x@near.example")):
        assert far.wait_messages(1)[0]["rcpts"] == [rcpt], rcpt
        assert len(far.messages) == 1
    server.wait_event("discarded", id=found, to="x@void.example")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start(ALICE)
        reply = talk.ask("RCPT TO:<joe@home.example>")
        assert (reply.code, reply.status) == (550, "5.1.6") and "new.example" in reply.text
    server.wait_queue_empty()


def test_a_table_by_sender(postrider, sink):
    tenant, rest = sink(), sink()
    server = start(postrider, "routes by sender from tenants", through(rest.port),
                   tables={"tenants": f".tenants.example: through 127.0.0.1:{tenant.port}\n"
                                      "banned@t.example: refuse with 550 5.7.1 \"Not from you\"\n"})
    submit(server.smtp_port, "joe@one.tenants.example", "ann@far.example", message("1"))
    submit(server.smtp_port, "joe@other.example", "ann@far.example", message("2"))
    assert senders(tenant.wait_messages(1) and tenant) == ["joe@one.tenants.example"]
    assert senders(rest.wait_messages(1) and rest) == ["joe@other.example"]
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("banned@t.example")
        # Also at an address of ours, whose mailbox lookup knows.
        assert talk.ask(f"RCPT TO:<{ALICE}>").text.endswith("Not from you (HELP recipient)")
        assert talk.ask("RCPT TO:<ann@far.example>").status == "5.7.1"


def test_one_sees_which_line_chose_the_way(postrider, sink):
    far = sink()
    far.rcpt_replies["ann@far.example"] = "450 4.2.0 Later"
    server = start(postrider, f"send mail from {BOB} through 127.0.0.1:9 with tls never", "routes from ways",
                   tables={"ways": f"\nfar.example: through 127.0.0.1:{far.port}\n"}, retry="1 h")
    ways = f"{server.directory}/ways"
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("m"))
    server.wait_event(logs.DEFERRED, id=found)
    shown = server.queue("show", found)
    assert f"through 127.0.0.1:{far.port} with tls may, {ways}:2" in " ".join(shown.split()), shown
    [rcpt] = json.loads(server.queue("show", found, "--json"))["recipients"]
    assert rcpt["route"] == f"through 127.0.0.1:{far.port} with tls may, {ways}:2"

    def route(*words):
        result = server.run("route", *words, "--json")
        return result.returncode, json.loads(result.stdout)

    status, told = route("ann@far.example", "--from", ALICE)
    assert (status, told["file"], told["line"]) == (0, ways, 2) and told["limits"]["retry after"] == "1 h"
    status, told = route("ann@far.example", "--from", BOB)
    line = server.config.read_text().splitlines()[told["line"] - 1]
    assert told["file"] == str(server.config) and f"from {BOB}" in line
    status, told = route("ann@near.example")
    assert told["file"] is None and told["route"].startswith("by mx")
    text = server.run("route", "ann@far.example").stdout.decode()
    assert f"because  {ways}:2" in text and "of queue" in text, text
    # What is not said is not printed, and nothing twice.
    rows = [line.strip() for line in text.split("of queue")[1].splitlines() if line]
    assert "connections 20" in rows and len(rows) == len(set(rows)), text
    assert all(int(word) < 1 << 32 for row in rows for word in row.split() if word.isdigit()), text
    probe = server.run("probe", "far.example", "--from", BOB, "--json", "--timeout", "2")
    assert json.loads(probe.stdout)["route"] == "127.0.0.1" and json.loads(probe.stdout)["route_line"]
    assert server.run("route", "nobody").returncode == 64
    shown = json.loads(server.run("config", "show", "--json", str(server.config), config=False).stdout)
    assert {"table": ways, "by_sender": False, "lines": 1} in shown["send_mail"], shown["send_mail"]


def test_a_reload_reads_the_table_and_a_mistake_keeps_the_old_one(postrider, sink):
    old, new = sink(), sink()
    server = start(postrider, "routes from ways", tables={"ways": f"*: through 127.0.0.1:{old.port}\n"})
    submit(server.smtp_port, ALICE, "ann@far.example", message("old"))
    old.wait_messages(1)
    ways = server.directory / "ways"
    ways.write_text(f"*: through 127.0.0.1:{new.port}\nfar..example: by mx\n")
    reload(server, "config_kept")
    assert f"{ways}:2:1: " in server.wait_event("config_refused")[0]["text"]
    submit(server.smtp_port, ALICE, "ann@far.example", message("still old"))
    old.wait_messages(2)
    lines = "".join(f"d{i}.example: through h{i % 50}.example\n" for i in range(50000))
    ways.write_text(lines + f"*: through 127.0.0.1:{new.port}\n")
    reload(server, "config_replaced")
    submit(server.smtp_port, ALICE, "ann@far.example", message("new"))
    new.wait_messages(1)
    check = server.run("config", "check", str(server.config), config=False)
    assert check.returncode == 0, check
    ways.unlink()
    check = server.run("config", "check", str(server.config), config=False)
    assert check.returncode == 78 and b"ways: No such file" in check.stderr, check


# Says in a file of its first word's name for whom it was run.
PROGRAM = "#!/bin/sh\ncat >/dev/null\necho \"$RECIPIENT $1\" >>{out}/$1.part\nmv {out}/$1.part {out}/$1\n"


def test_every_kind_of_way_may_stand_in_a_table(postrider, sink, certificate):
    """LMTP by port and socket, a smart host with a password and its TLS, programs that are declared, rules."""
    shop, near = sink(certificate=certificate, login=("shop", "secret words")), sink(lmtp=True)
    server = postrider(extra=RELAY, domains=["home.example", "lists.example"], retry="1 h")
    path = server.directory / "far.socket"
    socket = sink(lmtp=True, path=path)
    path.chmod(0o777)
    out, script = server.directory / "out", server.directory / "robot"
    out.mkdir()
    out.chmod(0o777)
    script.write_text(PROGRAM.format(out=out))
    script.chmod(0o755)
    (server.directory / "credentials").write_text("shop: shop secret words\n")
    (server.directory / "credentials").chmod(0o600)
    ways = server.directory / "ways"
    ways.write_text(f"shop.example: through 127.0.0.1:{shop.port} with tls required as shop\n"
                    f"port.example: by lmtp 127.0.0.1:{near.port} with tls never\n"
                    f"socket.example: by lmtp {path}\n"
                    "lists.example: pipe to robot\n"
                    "joe@home.example: pipe to Robot\n"
                    "void.example: discard\n")
    (server.directory / "tenants").write_text("robots@t.example: pipe to senders\n")
    server.routes = [f'program robot runs "{script} {{local}}" as {USER}', f"credentials from {server.directory}/credentials",
                     "routes by sender from tenants", "routes from ways",
                     f'program senders runs "{script} from-{{local}}" as {USER}']
    server.start()
    found = submit(server.smtp_port, ALICE, [
        "ann@shop.example", "ann@port.example", "ann@socket.example", "news@lists.example",
        "joe@home.example", "x@void.example"], message("all"))
    got = shop.wait_messages()[0]
    assert got["tls"] and got["login"] == "shop" and got["rcpts"] == ["ann@shop.example"]
    assert near.wait_messages()[0]["taken"] == ["ann@port.example"]
    assert socket.wait_messages()[0]["taken"] == ["ann@socket.example"]
    for name, rcpt in (("news", "news@lists.example"), ("joe", "joe@home.example")):
        until((out / name).exists, lambda: server.log_tail())
        assert (out / name).read_text() == f"{rcpt} {name}\n"
    server.wait_event("discarded", id=found, to="x@void.example")
    submit(server.smtp_port, "robots@t.example", "bob@anywhere.example", message("by sender"))
    until((out / "from-bob").exists, lambda: server.log_tail())
    server.wait_queue_empty()
    for address, way in (("ann@shop.example", f"through 127.0.0.1:{shop.port} with tls required as shop"),
                         ("ann@port.example", f"by lmtp 127.0.0.1:{near.port} with tls never"),
                         ("ann@socket.example", f"by lmtp {path}"),
                         ("news@lists.example", f"pipe to robot ({script} as {USER})"),
                         ("joe@home.example", f"pipe to robot ({script} as {USER})"),
                         ("x@void.example", "discard")):
        told = json.loads(server.run("route", address, "--json").stdout)
        assert told["route"] == way and told["file"] == str(ways) and not told["ours"], told
        limits = told["limits"] or {}
        assert (limits.get("processes"), "connections" in limits) == (
            (10, False) if way.startswith("pipe") else (None, way != "discard")), told
    # A table names programs; what they run is said in the configuration only.
    for line, text in ((f"a.example: pipe to {script} as {USER}\n", "names of programs, and no commands"),
                       ("a.example: pipe to robt\n", 'no program "robt"; did you mean "robot"?')):
        ways.write_text(line)
        check = server.run("config", "check", str(server.config), config=False)
        assert check.returncode == 78 and text in check.stderr.decode(), check


def test_a_program_that_a_table_names_may_become_another_users(postrider):
    """What waits goes to it after the restart, though the table is as it was."""
    server = postrider(extra=RELAY, retry="1 h", routes=["routes from ways"])
    out, script = server.directory / "out", server.directory / "robot"
    out.mkdir()
    out.chmod(0o777)
    script.write_text("#!/bin/sh\nexit 75\n")
    script.chmod(0o755)
    (server.directory / "ways").write_text("far.example: pipe to robot\n")
    server.routes.append(f'program robot runs "{script}" as {USER}')
    server.start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("waits"))
    server.wait_event(logs.DEFERRED, id=found)
    shown = json.loads(server.queue("show", found, "--json"))["recipients"][0]
    assert shown["destination"] == f"pipe:{USER}:robot" and shown["route"].startswith("pipe to robot ("), shown
    server.stop()
    script.write_text(PROGRAM.format(out=out))
    server.routes[-1] = f'program robot runs "{script} {{local}}" as {OTHER}'
    server.start()
    server.queue("retry", found)
    until((out / "ann").exists, lambda: server.log_tail())
    server.wait_queue_empty()
