"""Holding under abuse: limits of clients, over all reception processes (docs/limits.md)."""
import os
import resource
import select
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import logs
from server import HOSTNAME, settle
from talk import Closed, Talk, message, submit
from waiting import PATIENCE_S, until

ALICE = "alice@home.example"


def make(postrider, *limits, processes=2, **options):
    extra = [f"limits {{ {'; '.join(limits)} }}", f"reception processes {processes}"]
    return postrider(extra=[*extra, *options.pop("extra", [])], **options).start()


def greeting(port, host, stack=None):
    """The greeting that a client at a loopback address gets; kept open in the stack."""
    talk = Talk(port, source=(host, 0))
    if stack is not None:
        stack.enter_context(talk)
    else:
        talk.close()
    return talk.greeting


def totals(server, name):
    """What the events "limits_met" of a server that has stopped say of a limit."""
    return sum(int(e.get(name, 0)) for e in logs.select(server.events(), "limits_met"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_sessions_of_a_host_and_of_a_network(postrider):
    server = make(postrider, "sessions per host 4", "sessions per network 6")
    with ExitStack() as stack:
        for _ in range(4):
            assert greeting(server.smtp_port, "127.1.1.1", stack).code == 220
        for _ in range(3):
            reply = greeting(server.smtp_port, "127.1.1.1")
            assert (reply.code, reply.status) == (421, "4.7.0") and "127.1.1.1" in reply.text, reply
        for _ in range(2):
            assert greeting(server.smtp_port, "127.1.1.2", stack).code == 220
        reply = greeting(server.smtp_port, "127.1.1.3")
        assert reply.code == 421 and "network of 127.1.1.3" in reply.text, reply
        assert greeting(server.smtp_port, "127.1.2.1", stack).code == 220
        found = server.wait_event("refused", limit="sessions_per_host", client="127.1.1.1")
        assert found[0]["code"] == "421"
    until(lambda: greeting(server.smtp_port, "127.1.1.3").code == 220, server.log_tail)
    server.stop()
    assert totals(server, "sessions_per_host") == 3
    assert totals(server, "sessions_per_network") >= 1


def test_a_dead_reception_takes_its_counts_along(postrider):
    server = make(postrider, "sessions per host 4")
    with ExitStack() as stack:
        for _ in range(4):
            assert greeting(server.smtp_port, "127.1.1.1", stack).code == 220
        assert greeting(server.smtp_port, "127.1.1.1").code == 421
        server.kill_role("reception")
        until(lambda: greeting_or_none(server.smtp_port, "127.1.1.1") == 220, server.log_tail)


def greeting_or_none(port, host):
    try:
        return greeting(port, host).code
    except (Closed, OSError):
        return None


def test_all_sessions_together(postrider):
    server = make(postrider, "sessions 6", "sessions per host 100")
    with ExitStack() as stack:
        codes = [greeting(server.smtp_port, "127.1.1.1", stack).code for _ in range(12)]
        # Two processes that count at the same moment may let one too many in.
        assert 6 <= codes.count(220) <= 7 and codes.count(421) == 12 - codes.count(220), codes


def test_connection_rate(postrider):
    server = make(postrider, "connection rate per host 20", "rate period 10 m")
    codes = [greeting(server.smtp_port, "127.1.1.1").code for _ in range(6)]
    assert codes[:2] == [220, 220] and set(codes[2:]) == {421}, codes
    reply = greeting(server.smtp_port, "127.1.1.1")
    assert reply.status == "4.7.0" and "too often" in reply.text, reply
    assert greeting(server.smtp_port, "127.1.1.2").code == 220
    server.wait_event("refused", limit="connection_rate_per_host")


def test_message_and_recipient_rates(postrider):
    server = make(postrider, "message rate per host 20", "recipient rate per network 40",
                  "rate period 10 m")
    with Talk(server.smtp_port, source=("127.1.1.1", 0)) as talk:
        talk.ehlo()
        for _ in range(2):
            talk.start("ann@client.example", ALICE)
            assert talk.data(message("m")).code == 250
        reply = talk.ask("MAIL FROM:<ann@client.example>")
        assert (reply.code, reply.status) == (451, "4.7.0"), reply
    with Talk(server.smtp_port, source=("127.1.1.9", 0)) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE, ALICE)
        reply = talk.ask(f"RCPT TO:<{ALICE}>")
        assert (reply.code, reply.status) == (451, "4.7.0"), reply
        # What was accepted can be sent.
        assert talk.data(message("m")).code == 250
    server.wait_event("refused", limit="message_rate_per_host")
    server.wait_event("refused", limit="recipient_rate_per_network")


def test_failures_keep_a_host_out(postrider):
    server = make(postrider, "failure rate per host 10", "rate period 3 s", "error delay none")

    def kept_out():
        """What has failed is forgotten in three seconds: on a busy machine in the middle of this."""
        with Talk(server.smtp_port, source=("127.1.1.1", 0)) as talk:
            for _ in range(5 if talk.greeting.code == 220 else 0):
                talk.expect("NONSENSE", 500)
        reply = greeting(server.smtp_port, "127.1.1.1")
        return reply.code == 421 and reply

    assert "refused lately" in until(kept_out, server.log_tail).text
    assert greeting(server.smtp_port, "127.1.1.2").code == 220
    until(lambda: greeting(server.smtp_port, "127.1.1.1").code == 220, server.log_tail)


def test_commands_without_mail(postrider):
    server = make(postrider, "commands without mail 10")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        for _ in range(9):
            talk.expect("NOOP", 250)
        talk.send("RSET\r\n")
        assert talk.reply().code == 250
        reply = talk.reply()
        assert (reply.code, reply.status) == (421, "4.7.0"), reply
        assert talk.is_closed()
    # Messages are progress.
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        for number in range(12):
            talk.expect("NOOP", 250)
            talk.start("ann@client.example", ALICE)
            assert talk.data(message(f"m{number}")).code == 250
    server.wait_event("refused", limit="commands_without_mail")


def has_said(talk):
    """Whether the server has said anything that was not read."""
    return bool(select.select([talk.socket], [], [], 0)[0])


def test_talk_before_the_greeting(postrider):
    server = make(postrider, "greeting delay 3 s", extra=["relay for 127.9.0.0/16"])
    with Talk(server.smtp_port, greeting=False) as talk:
        talk.send("EHLO me.example\r\n")
        reply = talk.reply()
        assert (reply.code, reply.status) == (554, "5.7.1") and HOSTNAME in reply.text, reply
        assert talk.is_closed()
    found = server.wait_event("refused", limit="greeting_delay")
    assert "EHLO" in found[0]["command"], found
    start = time.monotonic()
    with Talk(server.smtp_port) as talk:
        assert talk.greeting.code == 220 and time.monotonic() - start > 2.9
        talk.ehlo()
    # Who is exempt from it is greeted while somebody else still waits.
    with Talk(server.smtp_port, greeting=False) as waiting:
        for port, source in ((server.submission_port, "127.0.0.1"), (server.smtp_port, "127.9.1.1")):
            assert greeting(port, source).code == 220
            assert not has_said(waiting)
    # And who leaves meanwhile is no talker.
    settle(0.2)
    assert len(logs.select(server.events(), "refused", limit="greeting_delay")) == 1


def test_errors_are_answered_slower_and_slower(postrider):
    server = make(postrider, "errors before delay 2", "error delay 200 ms",
                  "longest error delay 600 ms")
    with Talk(server.smtp_port) as talk, Talk(server.smtp_port) as other:
        times = []
        for _ in range(6):
            start = time.monotonic()
            talk.expect("NONSENSE", 500)
            times.append(time.monotonic() - start)
        # That the first two were not late is in the count below.
        assert all(took > least for took, least in zip(times[2:], (0.19, 0.39, 0.59, 0.59))), times
        talk.expect("NOOP", 250)
        # The commands behind an error wait with it, and keep their order; nobody else waits.
        talk.send("NONSENSE\r\nEHLO me.example\r\nNOOP\r\n")
        other.expect("NOOP", 250)
        assert not has_said(talk)
        assert [talk.reply().code for _ in range(3)] == [500, 250, 250]
    server.stop()
    assert totals(server, "error_delay") == 5
    server = make(postrider, "errors before delay 0", "error delay 20 s", "longest error delay 100 ms")
    with Talk(server.smtp_port) as talk:
        start = time.monotonic()
        talk.expect("NONSENSE", 500)
        assert 0.09 < time.monotonic() - start < 20, "it was not the longest"


def test_a_slow_sender_is_ended(postrider):
    server = make(postrider, "transfer minimum 1 KB", "transfer window 2 s")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        talk.expect("DATA", 354)
        start = time.monotonic()
        while time.monotonic() - start < 4.2:
            talk.send((b"x" * 98 + b"\r\n") * 30)  # fast enough
            time.sleep(0.1)
        assert not has_said(talk)

        def ended():
            talk.send(b"x")
            return has_said(talk)

        until(ended, "a slow sender is not ended")
        reply = talk.reply()
        assert (reply.code, reply.status) == (421, "4.4.2"), reply
    server.wait_event("refused", limit="transfer_minimum")


def test_a_message_has_its_time(postrider):
    server = make(postrider, "message timeout 2 s", "transfer minimum none")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        talk.expect("DATA", 354)
        reply = talk.reply()
        assert (reply.code, reply.status) == (421, "4.4.2") and "as long as this" in reply.text, reply
    server.wait_event("refused", limit="message_timeout")


def test_the_next_piece_of_a_message_has_its_time(postrider):
    server = make(postrider, "data timeout 1 s")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        talk.expect("DATA", 354)
        reply = talk.reply()
        assert (reply.code, reply.status) == (421, "4.4.2"), reply
        assert talk.is_closed()
    server.wait_event("refused", limit="data_timeout")


def test_a_session_has_its_time_though_it_goes_on(postrider):
    server = make(postrider, "session timeout 2 s")
    with Talk(server.smtp_port) as talk:
        start = time.monotonic()
        talk.ehlo()
        while (reply := talk.ask("NOOP")).code == 250:
            settle(0.02)
        assert (reply.code, reply.status) == (421, "4.4.2") and time.monotonic() - start > 1.5, reply
        assert talk.is_closed()
    server.wait_event("refused", limit="session_timeout")


def test_commands_and_messages_of_a_session(postrider):
    server = make(postrider, "commands per session 100", "messages per session 2")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        count = 1
        while (reply := talk.ask("NOOP")).code == 250:
            count += 1
        assert (reply.code, reply.status, count) == (421, "4.7.0", 100), (reply, count)
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        for number in range(2):
            talk.start("ann@client.example", ALICE)
            assert talk.data(message(f"m{number}")).code == 250
        reply = talk.ask("MAIL FROM:<ann@client.example>")
        assert (reply.code, reply.status) == (421, "4.7.0"), reply
    for limit in ("commands_per_session", "messages_per_session"):
        server.wait_event("refused", limit=limit)
    assert len(server.wait_mail("alice", 2)) == 2


def test_recipients_of_a_host_and_a_large_header(postrider):
    server = make(postrider, "recipient rate per host 20", "rate period 10 m", "header size 4 KB")
    with Talk(server.smtp_port, source=("127.1.1.1", 0)) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE, ALICE)
        reply = talk.ask(f"RCPT TO:<{ALICE}>")
        assert (reply.code, reply.status) == (451, "4.7.0"), reply
        reply = talk.data(message("header", extra="".join(f"X-{n}: {'x' * 70}\r\n" for n in range(60))))
        assert (reply.code, reply.status) == (552, "5.3.4"), reply
    for limit in ("recipient_rate_per_host", "message_size"):
        server.wait_event("refused", limit=limit)


def test_a_handshake_has_its_time(postrider):
    server = make(postrider, "handshake timeout 1 s")
    with Talk(server.submissions_port, greeting=False) as talk:
        assert talk.is_closed()
    server.wait_event("tls_failed", limit="handshake_timeout")


def test_stress_tightens_and_ends(postrider):
    server = make(postrider, "sessions 10", "errors per session 20", "error delay 20 s",
                  "errors before delay 0", processes=1)
    with ExitStack() as stack:
        talks = [stack.enter_context(Talk(server.smtp_port)) for _ in range(8)]
        server.wait_event("stress_begins", sessions="8")
        settle(1.2)  # a turn of the clock
        start = time.monotonic()
        for _ in range(5):
            talks[0].expect("NONSENSE", 500)
        talks[0].send("NONSENSE\r\n")
        assert talks[0].reply().code == 500 and talks[0].reply().code == 421
        assert time.monotonic() - start < 20, "an error is still answered late"
    found = server.wait_event("stress_ends")
    assert int(found[0]["lasted_ms"]) > 500, found


def test_memory_of_sessions_is_limited(postrider):
    server = make(postrider, "session memory 1 MB", processes=1)
    with ExitStack() as stack:
        for _ in range(30):
            talk = stack.enter_context(Talk(server.smtp_port))
            talk.ehlo()
            reply = talk.ask("MAIL FROM:<ann@client.example>")
            if reply.code != 250:
                break
            talk.expect(f"RCPT TO:<{ALICE}>", 250)
            talk.expect("DATA", 354)
            talk.send((b"x" * 98 + b"\r\n") * 1000)
            settle(0.02)
        assert (reply.code, reply.status) == (452, "4.3.1"), reply
        server.wait_event("refused", limit="memory")
        server.wait_event("stress_begins")
    until(lambda: greeting(server.smtp_port, "127.0.0.1").code == 220, server.log_tail)
    submit(server.smtp_port, "ann@client.example", ALICE, message("after"))
    server.wait_mail("alice")


def test_out_of_descriptors(postrider):
    server = make(postrider, "sessions per host 1000", processes=1,
                  wrapper=["prlimit", "--nofile=80:80"])
    pid, = server.role_pids("reception")
    with ExitStack() as stack:
        talks = [stack.enter_context(Talk(server.smtp_port, greeting=False)) for _ in range(90)]
        server.wait_event("out_of_descriptors")
        talks[0].greeting = talks[0].reply()
        before = cpu_seconds(pid)
        settle(1.5)
        assert cpu_seconds(pid) - before < 0.2
        # Those that have a session go on; said once is enough.
        talks[0].ehlo()
        assert len(logs.select(server.events(), "out_of_descriptors")) == 1
        for talk in talks[1:80]:
            talk.close()
        for talk in talks[80:]:
            assert talk.reply().code == 220
    server.wait_event("descriptors_again")


def test_line_ends_are_refused_or_repaired(postrider):
    text = message("bare", body="one\ntwo\rthree\r\n")
    server = make(postrider, "repair line ends no")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        reply = talk.data(text)
        assert (reply.code, reply.status) == (554, "5.6.0"), reply
    server.wait_event("refused", limit="line_ends")
    server = make(postrider, "repair line ends yes")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", ALICE)
        talk.expect("DATA", 354)
        talk.send(text + b"\n.\nMAIL FROM:<evil@x>\r\n.\r\n")
        assert talk.reply().code == 250
        talk.expect("NOOP", 250)
    found, = server.wait_mail("alice")
    lines = found.replace(b"\r\n", b"\n").split(b"\n")
    assert lines[-7:] == [b"one", b"two", b"three", b"", b".", b"MAIL FROM:<evil@x>", b""], lines


def test_a_thousand_slow_senders_and_normal_mail(postrider):
    server = make(postrider, "sessions per host 2000", "sessions per network 3000",
                  "connection rate per host unlimited", "connection rate per network unlimited",
                  "transfer minimum 1 KB", "transfer window 5 s", "message timeout 10 m")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    slow = []
    try:
        for _ in range(1000):
            one = socket.create_connection(("127.0.0.1", server.smtp_port))
            one.sendall(f"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n"
                        .encode())
            slow.append(one)
        start = time.monotonic()
        number = 0
        while time.monotonic() - start < 9 or number < 30:
            submit(server.smtp_port, "ann@client.example", ALICE, message(f"m{number}"))
            number += 1
            for one in slow[number % 10::10]:
                try:
                    one.send(b"x")
                except OSError:
                    pass
        # All of the slow ones were told, and are gone.
        ended = sum(b"\r\n421 4.4.2 " in drain(one) for one in slow)
        assert ended == 1000, ended
    finally:
        for one in slow:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.wait_mail("alice", number)


def drain(one):
    """All that the server said before it closed."""
    one.settimeout(PATIENCE_S)
    found = b""
    try:
        while more := one.recv(65536):
            found += more
    except (TimeoutError, ConnectionError):
        pass
    return found
