"""One message in, one message out, whatever the line ends are."""
import pytest

from server import settle
from talk import Closed, Talk, message, queue_id

SECOND = (b"MAIL FROM:<forged@home.example>\r\nRCPT TO:<bob@home.example>\r\nDATA\r\n"
          b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n")

ENDS = {
    "LF . LF": b"\n.\n", "LF . CR LF": b"\n.\r\n", "CR LF . LF": b"\r\n.\n", "CR . CR": b"\r.\r",
    "CR . CR LF": b"\r.\r\n", "CR LF . CR": b"\r\n.\r", "CR LF . NUL CR LF": b"\r\n.\0\r\n",
    "CR LF NUL . CR LF": b"\r\n\0.\r\n", "CR CR LF . CR CR LF": b"\r\r\n.\r\r\n",
    "LF CR . LF CR": b"\n\r.\n\r",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_false_end_never_makes_two_messages(server, end):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        talk.expect("DATA", 354)
        talk.send(message("outer") + b"before" + end + SECOND + b".\r\nQUIT\r\n")
        codes = []
        try:
            while True:
                codes.append(talk.reply().code)
        except (Closed, TimeoutError):
            pass
    # At most one reply to the message itself, and then to what is no command any more.
    assert codes.count(250) <= 1 and 354 not in codes, codes
    settle(0.4)
    assert server.maildir("bob") == []
    found = server.maildir("alice")
    assert len(found) <= 1
    # What was taken holds the whole, as text.
    assert all(b"smuggled" in text for text in found)


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\r", b"MAIL FROM:<a@client.example>\n",
                                  b"NOOP\rNOOP\r\n", b"NO\0OP\r\n"])
def test_bare_line_ends_never_end_a_command(server, line):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send(line + b"RSET\r\n")
        reply = talk.reply()
        assert reply.code >= 500, reply


def test_dots_are_stuffed_and_unstuffed_once(server):
    body = ".\r\n..\r\n...\r\n.a\r\na.\r\n"
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        queue_id(talk.data(message("dots", body=body)))
    assert server.wait_mail("alice")[0].endswith(body.replace("\r\n", "\n").encode())


def test_bdat_does_not_look_for_dots(server):
    content = message("bdat") + b".\r\n" + SECOND
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start("ann@client.example", "alice@home.example")
        talk.send(f"BDAT {len(content)} LAST\r\n".encode() + content + b"QUIT\r\n")
        assert [talk.reply().code, talk.reply().code] == [250, 221]
    server.wait_mail("alice")
    settle(0.3)
    assert server.maildir("bob") == [] and len(server.maildir("alice")) == 1


def test_a_message_cut_off_is_no_message(server):
    for cut in (b"", b"\r\n", b"\r\n."):
        with Talk(server.smtp_port) as talk:
            talk.ehlo()
            talk.start("ann@client.example", "alice@home.example")
            talk.expect("DATA", 354)
            talk.send(message("cut") + b"half" + cut)
    settle(0.5)
    assert server.maildir("alice") == []
