"""
Mail of eight bits, and binary mail, to servers that lack 8BITMIME or BINARYMIME: converted, or returned with the
reason where that must not be.  Python's email package judges whether the parts are what they were.
"""
import email
import email.policy
import re
import socket
import threading

import pytest

import logs
from conftest import makes
from peers import ZONE
from talk import Talk, message, queue_id

ALICE = "alice@home.example"
ANN = "ann@far.example"
RELAY = ["relay for 127.0.0.0/8"]
MIME = "MIME-Version: 1.0\r\n"
DKIM = "DKIM-Signature: v=1; d=client.example; s=x; bh=x; b=x\r\n"
SIGNED = ("Content-Type: multipart/signed; boundary=s; protocol=x/y\r\n\r\n--s\r\n"
          "Content-Type: text/plain; charset=utf-8\r\n\r\nümlaut\r\n--s\r\nContent-Type: x/y\r\n\r\nz\r\n--s--\r\n")
PARTS = (
    "This is for old programs: ä\r\n--out\r\n"
    "Content-Type: multipart/alternative; boundary=out.in\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--out.in\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "Grüße = greetings, with a blank at the end \r\n.\r\n..\r\nFrom here" + " to there" * 30 + "\r\n\r\n--out.in\r\n"
    "Content-Type: text/html; charset=utf-8\r\n\r\n<p>Ελληνικά και русский: " + "щ" * 100 + "</p>\r\n--out.in--\r\n\r\n"
    "--out\r\nContent-Type: image/x; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n"
    "--out\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "From: <x@client.example>\r\nSubject: within\r\n\r\nÄ letter in a letter, without MIME fields.\r\n"
    "--out\r\nContent-Type: application/json\r\n\r\n{\"ä\": [1, 2]}\r\n--out\r\n\r\nplain\r\n--out--\r\nfür alle\r\n")


def mixed(token, body=PARTS, extra=""):
    return message(token, body=body, extra=extra + MIME + "Content-Type: multipart/mixed; boundary=out\r\n"
                   "Content-Transfer-Encoding: 8bit\r\n")


def leaves(content):
    """(type, content) of all parts that have no others in them, with one kind of line end."""
    found = email.message_from_bytes(content, policy=email.policy.compat32)
    return [(part.get_content_type(), part.get_payload(decode=True).replace(b"\r\n", b"\n"))
            for part in found.walk() if not part.is_multipart()]


def send(server, content, recipients=(ANN,), body="8BITMIME", sender=ALICE):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{sender}> BODY={body}", 250)
        for recipient in recipients:
            talk.expect(f"RCPT TO:<{recipient}>", 250)
        if body != "BINARYMIME":
            return queue_id(talk.data(content))
        talk.send(b"BDAT %d LAST\r\n" % len(content) + content)
        return queue_id(talk.reply())


def relay_to(postrider, port, extra=()):
    return postrider(extra=[*RELAY, *extra],
                     routes=[f"send mail for far.example through 127.0.0.1:{port}"]).start()


def old(sink, *arguments, lacks=("8BITMIME",), **options):
    far = sink(*arguments, **options)
    for word in lacks:
        far.extensions.remove(word)
    return far


def said(server, count=1):
    """(status, what was said) of the notification to alice."""
    found = email.message_from_bytes(server.wait_mail("alice", count)[-1], policy=email.policy.default)
    recipient = found.get_payload()[1].get_payload()[1]
    return recipient["Status"], re.sub(r"\s+", " ", recipient["Diagnostic-Code"])


def test_a_postfix_without_8bitmime_gets_seven_bits(postrider, postfix):
    far = postfix(smtpd_discard_ehlo_keywords="8bitmime, chunking")
    server = relay_to(postrider, far.port)
    content = mixed("parts")
    found = send(server, content)
    got = far.wait_mail(1)[0]
    assert got.isascii()
    assert leaves(got) == leaves(content)
    assert b"\nContent-Type: multipart/mixed; boundary=out\nContent-Transfer-Encoding: 7bit\n" in got
    assert b"\nThis is for old programs: ??\n" in got
    event = server.wait_event("converted", id=found)[0]
    assert (event["lacks"], event["parts"]) == ("8BITMIME", "4") and "text" not in event
    server.wait_event(logs.RELAYED, id=found)
    binary = mixed("binary", PARTS.replace("8bit", "binary").replace("{", "{\0\n")).replace(b"8bit", b"binary")
    send(server, binary, body="BINARYMIME")
    got = [one for one in far.wait_mail(2) if b"X-Token: binary" in one][0]
    assert got.isascii() and leaves(got) == leaves(binary)
    server.wait_queue_empty()


def test_binary_mail_for_a_server_of_eight_bits(postrider, sink):
    far = sink()
    server = relay_to(postrider, far.port)
    binary = mixed("binary", PARTS.replace("{", "{\0\r\n\n")).replace(b"8bit", b"binary")
    found = send(server, binary, body="BINARYMIME")
    got = far.wait_messages(1)[0]
    assert "BODY=8BITMIME" in got["mail"]
    got = got["data"]
    assert leaves(got) == leaves(binary)
    assert "Grüße".encode() in got and b"\0" not in got, "only what has to be is converted"
    event = server.wait_event("converted", id=found)[0]
    assert (event["lacks"], event["parts"]) == ("BINARYMIME", "1")


def test_a_large_message_is_read_before_it_is_sent(postrider, sink):
    """Many pieces, of which the last decides; its size is told with room, and it may be sent twice."""
    far = old(sink, extensions=["SIZE"])
    server = relay_to(postrider, far.port)
    lines = "".join(f"{number:08d} äöü {'x' * 60}.\r\n.\r\n" for number in range(20000))
    content = message("large", body=lines, extra=MIME + "Content-Type: text/plain; charset=utf-8\r\n")
    far.script["dot"] = ["451 4.3.0 Not now"]
    found = send(server, content)
    got = far.wait_messages(1)[0]
    assert got["data"].isascii() and leaves(got["data"]) == leaves(content)
    size = int(re.search(r"SIZE=(\d+)", got["mail"])[1])
    assert len(got["data"]) <= size <= len(got["data"]) * 1.1 and "BODY" not in got["mail"]
    server.wait_event(logs.DEFERRED, id=found)
    # The same at the end of what is signed: nothing of it goes.
    far.commands.clear()
    plain = "plain\r\n" * 30000
    send(server, mixed("signed", f"--out\r\n\r\n{plain}\r\n--out\r\n{SIGNED}--out--\r\n"))
    status, text = said(server)
    assert status == "5.6.3" and "8BITMIME" in text and "multipart/signed" in text, text
    assert not [line for line in far.commands if line.upper().startswith("MAIL")]


@pytest.mark.parametrize("content, why", [
    (message("signed", body="", extra=MIME + SIGNED), "multipart/signed"),
    (mixed("open", PARTS.replace("--out--", "")), "not closed"),
    (message("header", subject="ümlaut"), "header"),
], ids=["signed", "open", "header"])
def test_what_must_not_be_converted_comes_back(postrider, sink, content, why):
    far = old(sink)
    server = relay_to(postrider, far.port)
    send(server, content)
    status, text = said(server)
    assert status == "5.6.3" and "8BITMIME" in text and why in text, text
    assert not far.messages and not [line for line in far.commands if line.startswith("MAIL")]


def test_conversion_can_be_switched_off(postrider, sink):
    far = old(sink)
    server = relay_to(postrider, far.port, ["delivery { convert for old servers no }"])
    send(server, mixed("parts"))
    status, text = said(server)
    assert status == "5.6.3" and "convert for old servers" in text
    assert not far.messages


def test_a_notification_with_the_whole_message_can_be_converted(postrider, sink):
    """The sender's server is an old one: a message of eight bits in it comes back."""
    far, back = sink(), old(sink)
    far.rcpt_replies[ANN] = "550 5.1.1 No such user"
    server = postrider(extra=RELAY, routes=[f"send mail for far.example through 127.0.0.1:{far.port}",
                                            f"send mail for back.example through 127.0.0.1:{back.port}"]).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect("MAIL FROM:<joe@back.example> BODY=8BITMIME RET=FULL", 250)
        talk.expect(f"RCPT TO:<{ANN}>", 250)
        talk.data(message("back", body="ümlaut\r\n"))
    got = back.wait_messages(1)[0]["data"]
    assert got.isascii()
    inner = email.message_from_bytes(got).get_payload()[2].get_payload(0)
    assert inner["X-Token"] == "back" and inner.get_payload(decode=True).strip() == "ümlaut".encode()
    assert inner.get_content_charset() == "unknown-8bit"


MXES = ZONE + """\
old          MX   10 mx1.old
old          MX   20 mx2.old
mx1.old      A    127.0.0.3
mx2.old      A    127.0.0.2
"""


@pytest.mark.parametrize("second", ["new", "old", "gone"])
def test_what_is_signed_goes_as_it_is_where_it_can(postrider, sink, dns, port_25, second):
    """DKIM: the other servers of the domain come first; then it is better to arrive."""
    first = old(sink, "127.0.0.3", port_25)
    other = None if second == "gone" else old(sink, "127.0.0.2", port_25, lacks=("8BITMIME",) * (second == "old"))
    server = postrider(extra=RELAY, dns_port=dns(MXES).port).start()
    content = message("dkim", body="ümlaut\r\n", extra=DKIM)
    found = send(server, content, ["ann@old.example"])
    server.wait_event(logs.RELAYED, id=found)
    if second == "new":
        assert other.messages[0]["data"].endswith(content) and not first.messages
        return
    took = other if second == "old" else first
    assert took.messages[0]["data"].isascii() and leaves(took.messages[0]["data"]) == leaves(content)
    assert "DKIM" in server.wait_event("converted", id=found)[0]["text"]
    # What is not signed goes to the first.
    count = len(first.messages)
    send(server, message("unsigned", body="ümlaut\r\n"), ["ann@old.example"])
    first.wait_messages(count + 1)


class Leaver:
    """An old server that greets, answers EHLO, and goes while it is decided what it may have."""

    def __init__(self, host, port):
        self.listener = socket.create_server((host, port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"220 old\r\n")
                connection.recv(1000)
                connection.sendall(b"250-old\r\n250 PIPELINING\r\n")

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


leaver = makes(Leaver)


def test_the_next_server_takes_what_was_being_read_for_the_first(postrider, sink, leaver, dns, port_25):
    """What was read of it is asked for again, from where it is needed."""
    leaver("127.0.0.3", port_25)
    other = sink("127.0.0.2", port_25)
    server = postrider(extra=RELAY, dns_port=dns(MXES).port).start()
    content = message("left", body="".join(f"{number:08d} äöü {'x' * 60}\r\n" for number in range(60000)))
    send(server, content, ["ann@old.example"])
    assert other.wait_messages(1)[0]["data"].endswith(content)
    assert not logs.select(server.events(), "converted") and not logs.select(server.events(), "bad_peer")


def test_what_is_too_large_for_one_server_goes_to_another_or_comes_back(postrider, sink, dns, port_25):
    first = old(sink, "127.0.0.3", port_25, extensions=["SIZE 5000"])
    other = old(sink, "127.0.0.2", port_25, extensions=["SIZE 20000"])
    server = postrider(extra=RELAY, dns_port=dns(MXES).port).start()
    send(server, message("large", body=("x" * 70 + "\r\n") * 140), ["ann@old.example"])
    other.wait_messages(1)
    send(server, message("larger", body=("x" * 70 + "\r\n") * 290), ["ann@old.example"])
    status, text = said(server)
    assert status == "5.3.4" and "20000" in text, text
    # As it is it would fit, but not when it is converted.
    send(server, message("grows", body=("ä" * 35 + "\r\n") * 240), ["ann@old.example"])
    assert said(server, 2)[0] == "5.3.4"
    assert not first.messages and len(other.messages) == 1
    assert len([line for line in first.commands + other.commands if line.startswith("MAIL")]) == 1
