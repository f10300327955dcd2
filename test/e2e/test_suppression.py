"""Addresses that do not exist: learned, refused, told, kept over a crash, removed, imported."""
import json
import smtplib
import ssl

import pytest

import logs
from server import PASSWORD
from talk import Talk, message, submit
from test_delivery import ALICE, RELAY, through
from test_retry import delivery_status
from waiting import until

UNKNOWN = "550 5.1.1 The email account that you tried to reach does not exist."
LEARN = "queue { suppress unknown addresses for 30 d }"


def start(postrider, far, *extra, **options):
    return postrider(extra=[*RELAY, *extra], routes=[through(far.port)],
                     mailboxes={ALICE: "alice"}, **options).start()


def rcpt(server, address, sender=ALICE):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.start(sender)
        return talk.ask(f"RCPT TO:<{address}>")


def wait_refused(server, address, sender=ALICE):
    """Each reception is told, a moment later than the operator or the other server said so."""
    def refused():
        replies = [rcpt(server, address, sender) for _ in range(6)]
        return {reply.code for reply in replies} == {550} and replies[0]

    return until(refused, lambda: f"{address} is taken:\n{server.log_tail()}")


def listed(server, *more):
    result = server.run("suppression", "list", "--json", *more)
    assert result.returncode == 0, result
    return json.loads(result.stdout)["suppressions"]


def done(server, *words, input=None):
    result = server.run("suppression", *words, input=input)
    assert result.returncode == 0, result
    return result.stdout.decode()


def rcpts(far):
    return [line for line in far.commands if line.upper().startswith("RCPT")]


def test_an_address_that_does_not_exist_is_tried_once(postrider, sink):
    far = sink()
    far.rcpt_replies["gone@far.example"] = UNKNOWN
    server = start(postrider, far, LEARN, aliases={"all@home.example": "gone@far.example, here@far.example"})
    submit(server.smtp_port, ALICE, "gone@far.example", message("first"))
    server.wait_mail("alice", 1)
    [row] = listed(server)
    assert row["address"] == "gone@far.example" and row["from"] == "home.example", row
    assert row["code"] == 550 and row["until"] and "does not exist" in row["reply"], row
    far.rcpt_replies.clear()
    # What was taken before, or comes to it by an alias, ends at its turn.
    second = submit(server.smtp_port, ALICE, "all@home.example", message("second"))
    assert far.wait_messages(1)[0]["rcpts"] == ["here@far.example"]
    _, text, blocks, _ = delivery_status(server.wait_mail("alice", 2)[-1])
    assert blocks[1]["Status"] == "5.1.1" and "suppression remove gone@far.example" in str(blocks[1]), blocks
    assert server.wait_event(logs.BOUNCED, id=second)[0]["status"] == "5.1.1"
    # Only the domain that sent to it is concerned; and a bounce is nobody's mail.
    submit(server.smtp_port, "bob@other.example", "gone@far.example", message("other"))
    submit(server.smtp_port, "", "gone@far.example", message("null"))
    far.wait_messages(3)


def test_it_is_refused_when_it_is_handed_in(postrider, sink):
    far = sink()
    far.rcpt_replies["gone@far.example"] = UNKNOWN
    server = start(postrider, far, LEARN)
    submit(server.smtp_port, ALICE, "gone@far.example", message("first"))
    server.wait_mail("alice", 1)
    reply = wait_refused(server, "Gone@FAR.example")
    assert reply.status == "5.1.1" and "said on" in reply.text and UNKNOWN[10:30] in reply.text, reply
    server.wait_event(logs.REFUSED, to="Gone@far.example", code="550", status="5.1.1")
    far.rcpt_replies.clear()
    # The others of the message go; another domain's users and bounces are not concerned.
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.send(f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<gone@far.example>\r\nRCPT TO:<here@far.example>\r\n".encode())
        assert [talk.reply().code for _ in range(3)] == [250, 550, 250]
        assert talk.data(message("rest")).code == 250
    assert far.wait_messages(1)[0]["rcpts"] == ["here@far.example"]
    assert rcpt(server, "gone@far.example", "bob@other.example").code == 250
    assert rcpt(server, "gone@far.example", "").code == 250
    # A user with a password is told too; and an operator's word undoes it at once.
    context = ssl.create_default_context(cafile=server.certificate)
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions_port, context=context) as client:
        client.login("alice", PASSWORD)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail(ALICE, ["gone@far.example"], message("user", sender=ALICE))
    done(server, "remove", "gone@far.example", "--from", "home.example")
    until(lambda: {rcpt(server, "gone@far.example").code for _ in range(6)} == {250}, server.log_tail)


def test_it_is_known_after_a_crash_until_an_operator_removes_it(postrider, sink):
    far = sink()
    far.rcpt_replies["gone@far.example"] = UNKNOWN
    server = start(postrider, far, LEARN)
    submit(server.smtp_port, ALICE, "gone@far.example", message("first"))
    server.wait_mail("alice", 1)
    kept = server.spool / "suppressions"
    until(lambda: kept.exists() and b"gone@far.example" in kept.read_bytes(), server.log_tail)
    server.kill_everything()
    server.start()
    assert [row["address"] for row in listed(server)] == ["gone@far.example"]
    far.rcpt_replies.clear()
    wait_refused(server, "gone@far.example")
    server.kill_role("reception")
    server.wait_event(logs.ROLE_DIED)
    server.wait_ready()
    wait_refused(server, "gone@far.example")
    assert len(rcpts(far)) == 1 and not far.messages
    wrong = server.run("suppression", "remove", "gone@far.example")
    assert wrong.returncode == 65 and b"--from" in wrong.stderr, wrong
    assert "tried again" in done(server, "remove", "gone@far.example", "--from", "home.example")
    until(lambda: {rcpt(server, "gone@far.example").code for _ in range(6)} == {250}, server.log_tail)
    submit(server.smtp_port, ALICE, "gone@far.example", message("third"))
    far.wait_messages(1)
    server.stop()
    server.start()
    assert listed(server) == []


def test_nothing_is_learned_by_default_or_from_other_words(postrider, sink):
    far = sink()
    far.rcpt_replies["gone@far.example"] = UNKNOWN
    server = start(postrider, far)
    submit(server.smtp_port, ALICE, "gone@far.example", message("m"))
    server.wait_mail("alice", 1)
    assert listed(server) == []
    assert "No address" in done(server, "list")
    learns = start(postrider, far, LEARN)
    far.rcpt_replies["gone@far.example"] = "550 5.2.2 The mailbox is full"
    submit(learns.smtp_port, ALICE, "gone@far.example", message("m"))
    learns.wait_mail("alice", 1)
    assert listed(learns) == []


def test_operators_add_import_and_export(postrider, sink, tmp_path):
    far = sink()
    server = start(postrider, far)
    assert "is suppressed" in done(server, "add", "one@far.example")
    text = "# from another server\nTwo@far.example home.example\nnonsense\n\nthree@far.example\tother.example\n"
    result = server.run("suppression", "import", "-", input=text.encode())
    assert result.returncode == 0 and b"2 addresses" in result.stdout and b"-:3:" in result.stderr, result
    assert [(row["address"], row["from"]) for row in listed(server)] == [
        ("one@far.example", "*"), ("two@far.example", "home.example"), ("three@far.example", "other.example")]
    assert len(listed(server, "--from", "home.example")) == 1
    assert "does not exist" in wait_refused(server, "one@far.example").text
    wait_refused(server, "two@far.example")
    wait_refused(server, "three@far.example", "bob@other.example")
    submit(server.smtp_port, ALICE, "three@far.example", message("m"))
    assert far.wait_messages(1)[0]["rcpts"] == ["three@far.example"]
    exported = done(server, "export")
    file = tmp_path / "addresses"
    file.write_text(exported)
    for address, sender in (line.split("\t") for line in exported.splitlines()):
        done(server, "remove", address, "--from", sender)
    assert listed(server) == []
    assert "3 addresses" in done(server, "import", str(file))
    assert done(server, "export") == exported
    done(server, "add", "short@far.example", "--for", "1s")
    until(lambda: "short@far.example" not in done(server, "list"), "it stays")
    assert server.run("suppression", "add", "no-address").returncode == 65
    assert server.run("suppression", "frob").returncode == 64
