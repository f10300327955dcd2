"""Which mailbox an address leads to, and what is found in it."""
import re
import stat

import pytest

from server import IS_ROOT
from talk import Talk, message, submit

ANN = "ann@client.example"


def test_the_maildir_holds_what_was_sent(server):
    body = "Line one\r\n\r\n  indented\r\nümlaut and trailing space \r\n"
    content = message("exact", body=body)
    submit(server.smtp_port, ANN, "alice@home.example", content)
    delivered = server.wait_mail("alice")[0]
    assert b"\r" not in delivered
    assert delivered.endswith(content.replace(b"\r\n", b"\n"))
    added = delivered[:-len(content.replace(b"\r\n", b"\n"))].decode()
    fields = re.findall(r"^([\w-]+):", added, re.M)
    assert fields[0] == "Return-Path" and "Received" in fields
    assert set(fields) <= {"Return-Path", "Delivered-To", "Received", "X-Original-To"}, fields


def test_the_maildir_is_a_maildir(server):
    submit(server.smtp_port, ANN, "alice@home.example", message("one"))
    server.wait_mail("alice")
    mailbox = server.directory / "mail/alice"
    assert {p.name for p in mailbox.iterdir()} >= {"new", "cur", "tmp"}
    assert list((mailbox / "tmp").iterdir()) == []
    path = next((mailbox / "new").iterdir())
    assert ":" not in path.name and not path.name.startswith(".")
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, "others may read it"
    if IS_ROOT:
        assert path.owner() == "_postrider_mailbox"


def test_names_in_the_maildir_are_unique(server):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        for number in range(50):
            talk.start(ANN, "alice@home.example")
            assert talk.data(message(f"n{number}")).code == 250
    found = server.wait_mail("alice", 50)
    assert {re.search(rb"X-Token: (\S+)", m)[1] for m in found} == {b"n%d" % i for i in range(50)}


@pytest.mark.parametrize("address", ["alice@home.example", "ALICE@HOME.Example", "alice+list@home.example",
                                     "alice+a+b@home.example", "alice+@home.example"])
def test_forms_of_one_address_lead_to_one_mailbox(server, address):
    submit(server.smtp_port, ANN, address, message("form"))
    assert len(server.wait_mail("alice")) == 1


def test_aliases_lead_on(postrider):
    server = postrider(aliases={
        "info@home.example": "alice@home.example",
        "team@home.example": "alice@home.example, bob@home.example",
        "chain@home.example": "info@home.example"}).start()
    submit(server.smtp_port, ANN, "info@home.example", message("info"))
    server.wait_mail("alice")
    submit(server.smtp_port, ANN, "team@home.example", message("team"))
    server.wait_mail("bob")
    submit(server.smtp_port, ANN, "chain@home.example", message("chain"))
    assert [b"X-Token: chain" in m for m in server.wait_mail("alice", 3)].count(True) == 1


def test_an_alias_may_lead_away(postrider, sink):
    far = sink()
    server = postrider(aliases={"away@home.example": "ann@far.example"},
                       routes=[f"send mail through 127.0.0.1:{far.port} with tls never"]).start()
    submit(server.smtp_port, ANN, "away@home.example", message("away"))
    assert far.wait_messages()[0]["rcpts"] == ["ann@far.example"]


def test_an_alias_that_goes_in_circles_is_no_trap(postrider):
    server = postrider(aliases={"a@home.example": "b@home.example",
                                "b@home.example": "a@home.example"}).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ANN}>", 250)
        reply = talk.ask("RCPT TO:<a@home.example>")
        assert reply.code // 100 in (4, 5), reply
        talk.expect("RCPT TO:<alice@home.example>", 250)


def test_one_mailbox_by_two_ways_gets_one_copy(postrider):
    server = postrider(aliases={"team@home.example": "alice@home.example, bob@home.example"}).start()
    submit(server.smtp_port, ANN, ["alice@home.example", "alice@home.example"], message("twice"))
    server.wait_mail("alice")
    server.wait_queue_empty()
    assert len(server.maildir("alice")) <= 2


def test_catch_all_takes_the_rest_of_its_domain(postrider):
    server = postrider(domains=["home.example", "other.example"],
                       mailboxes={"alice@home.example": "alice", "@other.example": "rest",
                                  "bob@other.example": "bob"}).start()
    submit(server.smtp_port, ANN, "whoever@other.example", message("any"))
    submit(server.smtp_port, ANN, "bob@other.example", message("named"))
    assert b"X-Token: any" in server.wait_mail("rest")[0]
    assert b"X-Token: named" in server.wait_mail("bob")[0]
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ANN}>", 250)
        talk.expect("RCPT TO:<whoever@home.example>", 550)


def test_large_messages_arrive_whole(server):
    body = "".join(f"{number:08d} {'x' * 60}\r\n" for number in range(60000))  # 4 MB
    content = message("large", body=body)
    submit(server.smtp_port, ANN, ["alice@home.example", "bob@home.example"], content)
    for mailbox in ("alice", "bob"):
        assert server.wait_mail(mailbox)[0].endswith(content.replace(b"\r\n", b"\n"))


def test_a_message_without_header_and_one_without_body(server):
    submit(server.smtp_port, ANN, "alice@home.example", b"\r\nonly a body\r\n")
    assert server.wait_mail("alice")[0].endswith(b"\n\nonly a body\n")
    submit(server.smtp_port, ANN, "bob@home.example", b"Subject: only a header\r\n")
    assert b"Subject: only a header\n" in server.wait_mail("bob")[0]


def test_an_empty_message_is_a_message(server):
    submit(server.smtp_port, ANN, "alice@home.example", b"")
    assert server.wait_mail("alice")[0].startswith(b"Return-Path:")
