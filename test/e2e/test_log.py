"""One line per event, and nothing in it that a peer could forge."""
import base64
import json
import re

import logs
from talk import Talk, message, submit


def test_every_line_of_a_message_has_its_id(server):
    found = submit(server.smtp_port, "ann@client.example", "alice@home.example", message("log"))
    server.wait_mail("alice")
    delivered = server.wait_event(logs.DELIVERED, id=found)[0]
    assert delivered["to"] == "alice@home.example"
    accepted = server.wait_event(logs.ACCEPTED, id=found)[0]
    assert accepted["from"] == "ann@client.example"
    for event in (accepted, delivered):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        assert event["role"]


def test_each_line_of_the_log_is_an_event(server):
    submit(server.smtp_port, "ann@client.example", "alice@home.example", message("log"))
    server.wait_mail("alice")
    server.stop()
    for line in server.log_text().splitlines():
        assert line.startswith("time=") and " event=" in line, line


def test_bytes_from_the_network_are_escaped(server):
    with Talk(server.smtp_port) as talk:
        talk.send(b"EHLO client.example\r\n")
        talk.reply()
        talk.send(b"\x1b[31mRED \xff\x01 event=accepted id=forged \"quoted\\\r\n")
        talk.reply()
        talk.send(b'MAIL FROM:<"a\\"b event=forged"@client.example>\r\n')
        talk.reply()
        talk.send(b"RCPT TO:<nosuch\x07@home.example>\r\n")
        talk.reply()
        talk.send(b"RCPT TO:<nosuch@home.example>\r\n")
        talk.reply()
    server.wait_event(logs.REFUSED)
    text = (server.directory / "log").read_bytes().decode("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), "control bytes in the log"
    for line in text.splitlines():
        assert logs.parse(line)["event"] != "forged"
        assert not re.search(r" id=forged", re.sub(r'"(?:\\.|[^"\\])*"', '""', line)), line


def test_json_says_the_same(postrider):
    server = postrider(extra=["log as json"]).start()
    found = submit(server.smtp_port, '"q\\"uote"@client.example', "alice@home.example", message("json"))
    server.wait_mail("alice")
    server.stop()
    rows = [json.loads(line) for line in server.log_text().splitlines()]
    assert {logs.ACCEPTED, logs.DELIVERED} <= {r["event"] for r in rows if r.get("id") == found}


def test_the_start_is_logged(server):
    listening = server.wait_event(logs.LISTENING, 3)
    text = str(listening)
    for port in (server.smtp_port, server.submission_port, server.submissions_port):
        assert str(port) in text
    server.wait_event(logs.STARTED)


def test_passwords_are_not_logged(server):
    secret = base64.b64encode(b"\0alice\0a wrong password").decode()
    with Talk(server.submissions_port, tls=True) as talk:
        talk.ehlo()
        talk.expect("AUTH PLAIN " + secret, 535)
        talk.expect("AUTH PLAIN", 334)
        talk.expect(secret, 535)
    server.stop()
    assert secret not in server.log_text() and "wrong password" not in server.log_text()
