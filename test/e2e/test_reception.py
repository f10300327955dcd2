"""What a client is told, command by command."""
import base64
import shutil
import socket
import subprocess
import time

import pytest

from server import HOSTNAME, PASSWORD, settle
from talk import Closed, Talk, message, queue_id, submit


def plain(login, password):
    return base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def test_greeting_names_host_and_software(server):
    for port, tls in ((server.smtp_port, False), (server.submission_port, False),
                      (server.submissions_port, True)):
        with Talk(port, tls=tls) as talk:
            assert talk.greeting.lines == [f"220 {HOSTNAME} ESMTP Postrider"]


def test_greeting_may_keep_the_software_to_itself(postrider):
    server = postrider(extra=["software name in greeting no"]).start()
    with Talk(server.smtp_port) as talk:
        assert talk.greeting.lines == [f"220 {HOSTNAME} ESMTP"]


def test_ehlo_lists_what_there_is(server):
    with Talk(server.smtp_port) as talk:
        words = talk.ehlo()
        assert {"PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING",
                "STARTTLS"} <= set(words)
        assert int(words["SIZE"]) == 50 << 20
        assert "AUTH" not in words, "no password may be asked for in the clear"
        talk.expect("STARTTLS", 220)
        talk.start_tls()
        words = talk.ehlo()
        assert "STARTTLS" not in words


def test_submission_offers_auth_under_tls_only(server):
    with Talk(server.submission_port) as talk:
        assert "AUTH" not in talk.ehlo()
        talk.expect("STARTTLS", 220)
        talk.start_tls()
        assert talk.ehlo()["AUTH"].split() == ["PLAIN", "LOGIN"]
    with Talk(server.submissions_port, tls=True) as talk:
        assert talk.ehlo()["AUTH"].split() == ["PLAIN", "LOGIN"]


def test_auth_before_tls_is_refused(server):
    with Talk(server.submission_port) as talk:
        talk.ehlo()
        reply = talk.ask("AUTH PLAIN " + plain("alice", PASSWORD))
        assert reply.code in (530, 538, 503), reply
        assert talk.ask("MAIL FROM:<alice@home.example>").code == 530


def test_submission_needs_auth(server):
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        reply = talk.expect("MAIL FROM:<alice@home.example>", 530)
        assert reply.status == "5.7.0"


@pytest.mark.parametrize("login, password", [("alice", "wrong"), ("nobody", PASSWORD), ("alice", "")])
def test_wrong_password_is_535(server, login, password):
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        reply = talk.ask("AUTH PLAIN " + plain(login, password))
        # An empty password is malformed to RFC 4616 and wrong to everybody else.
        assert reply.code == 535 or (not password and reply.code == 501), reply
        assert talk.ask("MAIL FROM:<alice@home.example>").code == 530


def test_auth_plain_and_login_in_all_their_forms(server):
    def log_in(*lines):
        with Talk(server.submissions_port, tls=True) as talk:
            talk.ehlo()
            for line in lines[:-1]:
                talk.expect(line, 334)
            talk.expect(lines[-1], 235)
            talk.expect("MAIL FROM:<alice@home.example>", 250)
            talk.expect("RCPT TO:<anybody@far.example>", 250)

    def code(text):
        return base64.b64encode(text.encode()).decode()

    log_in("AUTH PLAIN " + plain("alice", PASSWORD))
    log_in("auth plain", plain("alice", PASSWORD))
    log_in("AUTH LOGIN", code("alice"), code(PASSWORD))
    log_in("AUTH LOGIN " + code("alice"), code(PASSWORD))


def test_auth_can_be_cancelled_and_malformed(server):
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.expect("AUTH PLAIN", 334)
        talk.expect("*", 501)
        talk.expect("AUTH PLAIN !!!!", 501)
        talk.expect("AUTH CRAM-MD5", 504)
        talk.expect("AUTH PLAIN " + plain("alice", PASSWORD), 235)
        talk.expect("AUTH PLAIN " + plain("alice", PASSWORD), 503)


def test_vrfy_and_expn_tell_nothing(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        said = {talk.expect(f"{verb} {who}", 252).text.replace(who, "")
                for verb in ("VRFY", "EXPN")
                for who in ("alice", "alice@home.example", "nosuch", "nosuch@home.example", "list")}
        assert len(said) == 1, said
        assert said.pop().startswith("2.5.0 ")


def test_recipients_are_checked_at_rcpt(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect("MAIL FROM:<ann@client.example>", 250)
        reply = talk.expect("RCPT TO:<nosuch@home.example>", 550)
        assert reply.status == "5.1.1"
        reply = talk.expect("RCPT TO:<ann@far.example>", 550)
        assert reply.status == "5.7.1"
        talk.expect("RCPT TO:<alice@home.example>", 250)


@pytest.mark.parametrize("address", ["postmaster", "Postmaster", "postmaster@home.example",
                                     "POSTMASTER@HOME.EXAMPLE"])
def test_postmaster_is_always_there(server, address):
    submit(server.smtp_port, "", address, message("for-the-postmaster"))
    found = server.wait_mail("postmaster")
    assert b"X-Token: for-the-postmaster" in found[0]


def test_size_is_refused_at_mail(postrider):
    server = postrider(extra=["limits { message size 64 KB }"]).start()
    with Talk(server.smtp_port) as talk:
        assert talk.ehlo()["SIZE"] == str(64 << 10)
        reply = talk.expect("MAIL FROM:<ann@client.example> SIZE=65537", 552)
        assert reply.status == "5.3.4"
        talk.expect("MAIL FROM:<ann@client.example> SIZE=65536", 250)


def test_size_is_refused_after_data_as_well(postrider):
    server = postrider(extra=["limits { message size 64 KB }"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        reply = talk.data(message("big", body="0123456789abcdef\r\n" * 5000))
        assert (reply.code, reply.status) == (552, "5.3.4")
        # The session goes on, and a message of the right size goes through.
        talk.start("ann@client.example", "alice@home.example")
        queue_id(talk.data(message("small")))
    assert [b"X-Token: small" in m for m in server.wait_mail("alice")] == [True]


def test_commands_out_of_order(server):
    with Talk(server.smtp_port) as talk:
        talk.expect("MAIL FROM:<a@client.example>", 503)
        talk.ehlo()
        talk.expect("RCPT TO:<alice@home.example>", 503)
        talk.expect("DATA", 503)
        talk.expect("MAIL FROM:<a@client.example>", 250)
        talk.expect("MAIL FROM:<a@client.example>", 503)
        talk.expect("RSET", 250)
        talk.expect("RCPT TO:<alice@home.example>", 503)


@pytest.mark.parametrize("command, code", [
    ("NOSUCH", 500), ("", 500), ("MAIL", 501), ("MAIL FROM:", 501), ("MAIL FROM:<a b@c.example>", 501),
    ("MAIL FROM:<a@b.example> NOSUCH=1", 555), ("MAIL FROM:<a@b.example> SIZE=x", 501),
    ("NOOP", 250), ("NOOP something", 250), ("HELP", 214), ("RSET", 250), ("HELO client.example", 250),
    ("TURN", 502), ("x" * 5000, 500)])
def test_replies_to_single_commands(server, command, code):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        reply = talk.ask(command)
        assert reply.code == code or (code == 502 and reply.code == 500), reply


def test_too_many_errors_end_the_session(postrider):
    server = postrider(extra=["limits { errors per session 5 }"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        codes = []
        with pytest.raises(Closed):
            for _ in range(10):
                codes.append(talk.ask("NONSENSE").code)
            talk.line()
        assert codes == [500] * 6 + [421], codes


def test_too_many_recipients_are_452(postrider):
    server = postrider(extra=["limits { recipients 100 }"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", *["alice@home.example"] * 100)
        reply = talk.expect("RCPT TO:<alice@home.example>", 452)
        assert reply.status == "4.5.3"
        queue_id(talk.data(message("hundred")))


def test_silence_is_ended_by_421(postrider):
    server = postrider(extra=["limits { command timeout 1 s }"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        started = time.monotonic()
        assert talk.reply().code == 421
        assert time.monotonic() - started > 0.5
        assert talk.is_closed()


def test_pipelining_keeps_the_order(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send("MAIL FROM:<a@client.example>\r\nRCPT TO:<alice@home.example>\r\n"
                  "RCPT TO:<nosuch@home.example>\r\nDATA\r\n")
        assert [talk.reply().code for _ in range(4)] == [250, 250, 550, 354]
        talk.send(message("pipe") + b".\r\nMAIL FROM:<a@client.example>\r\n"
                  b"RCPT TO:<alice@home.example>\r\nQUIT\r\n")
        assert [talk.reply().code for _ in range(4)] == [250, 250, 250, 221]
    assert len(server.wait_mail("alice")) == 1


def test_bytes_one_by_one_are_as_good(server):
    with Talk(server.smtp_port) as talk:
        for byte in b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n":
            talk.send(bytes([byte]))
        assert [talk.reply().code, talk.reply().code] == [250, 250]


def test_bdat_by_hand(server):
    content = message("chunks", body=".\r\n..\r\nno dots are stuffed\r\n")
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        talk.send(b"BDAT 10\r\n" + content[:10])
        assert talk.reply().code == 250
        talk.send(f"BDAT {len(content) - 10} LAST\r\n".encode() + content[10:])
        queue_id(talk.reply())
    delivered = server.wait_mail("alice")[0]
    assert delivered.replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n"))


def test_data_after_bdat_is_refused(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        talk.send(b"BDAT 3\r\nabc")
        assert talk.reply().code == 250
        talk.expect("DATA", 503)


def test_starttls_forgets_what_was_said_before(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect("MAIL FROM:<a@client.example>", 250)
        talk.expect("RSET", 250)
        talk.expect("STARTTLS", 220)
        talk.start_tls()
        talk.expect("MAIL FROM:<a@client.example>", 503)
        talk.ehlo()
        talk.expect("STARTTLS", 503)


def test_commands_before_the_handshake_are_not_taken_into_tls(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send("STARTTLS\r\nMAIL FROM:<injected@client.example>\r\n")
        assert talk.reply().code == 220
        try:
            talk.start_tls()
        except OSError:
            return  # the injected bytes broke the handshake, or the server closed: both right
        talk.ehlo()
        talk.expect("RCPT TO:<alice@home.example>", 503)


def test_loop_of_received_fields_is_refused(server):
    received = "".join(f"Received: from a.example by b.example; hop {i}\r\n" for i in range(60))
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        reply = talk.data(received.encode() + message("loop"))
        assert (reply.code, reply.status) == (554, "5.4.6")
    settle(0.3)
    assert server.maildir("alice") == []


def test_lines_of_the_largest_length_and_beyond(postrider):
    server = postrider(extra=["limits { text line 1000 B }"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        queue_id(talk.data(message("fits", body="x" * 998 + "\r\n")))
        talk.start("ann@client.example", "alice@home.example")
        assert talk.data(message("too-long", body="x" * 999 + "\r\n")).code == 554
    assert b"x" * 998 in server.wait_mail("alice")[0]


def test_utf8_addresses_need_smtputf8(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        reply = talk.ask("MAIL FROM:<jörg@client.example>")
        assert reply.code in (501, 553), reply
        talk.expect("MAIL FROM:<jörg@client.example> SMTPUTF8", 250)
        talk.expect("RCPT TO:<alice@home.example>", 250)


def test_ipv6_literal_and_quoted_local_parts_parse(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo("[IPv6:2001:db8::1]")
        talk.expect('MAIL FROM:<"a b"@client.example>', 250)
        talk.expect('RCPT TO:<"alice"@home.example>', 250)
        talk.expect("RCPT TO:<@relay.example:alice@home.example>", 250)


def test_half_closed_client_gets_its_reply(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send("NOOP\r\n")
        talk.socket.shutdown(socket.SHUT_WR)
        assert talk.reply().code == 250


def test_full_house_says_421(postrider):
    server = postrider(extra=["limits { sessions 5 }", "reception processes 1"]).start()
    held = []
    try:
        codes = []
        for _ in range(8):
            held.append(Talk(server.smtp_port))
            codes.append(held[-1].greeting.code)
        assert codes[0] == 220 and codes[-1] == 421, codes
    finally:
        for talk in held:
            talk.close()


def test_received_field_says_who_and_how(server):
    submit(server.smtp_port, "ann@client.example", "alice@home.example", message("trace"))
    head = server.wait_mail("alice")[0].split(b"\n\n")[0].decode()
    assert head.startswith("Return-Path: <ann@client.example>")
    received = head.split("Received: ", 1)[1].split("\nFrom:")[0]
    for part in ("from client.example", "127.0.0.1", f"by {HOSTNAME}", "with ESMTP"):
        assert part in received, received


@pytest.fixture
def small_disk(postrider):
    """A server whose spool is on a disk of 24 MB, holding all mail."""
    server = postrider(extra=["hold all mail"])
    server.spool.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs",
                              str(server.spool)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    shutil.chown(server.spool, "_postrider_queue", "_postrider_queue")
    yield server.start()
    server.stop()
    subprocess.run(["umount", str(server.spool)], check=True)


def test_a_full_disk_is_a_452_and_what_was_accepted_stays(small_disk):
    taken, code = [], 250
    body = ("z" * 70 + "\r\n") * 1400
    with Talk(small_disk.smtp_port) as talk:
        talk.ehlo()
        while code == 250 and len(taken) < 1000:
            talk.send("MAIL FROM:<ann@client.example>\r\n")
            reply = talk.reply()
            if reply.code == 250:
                talk.expect("RCPT TO:<alice@home.example>", 250)
                reply = talk.data(message(f"full{len(taken)}", body=body))
            code = reply.code
            if code == 250:
                taken.append(queue_id(reply))
    assert code == 452 and reply.status == "4.3.1", reply
    assert len(taken) > 50
    # State changes have room: all of it can still leave, and then there is room again.
    small_disk.queue("release", "all")
    small_disk.wait_mail("alice", len(taken))
    small_disk.wait_queue_empty()
    small_disk.stop()
    small_disk.start()
    assert small_disk.queue_ids() == []
    submit(small_disk.smtp_port, "ann@client.example", "alice@home.example", message("after"))
