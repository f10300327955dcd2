"""postrider why: bounces that this server wrote, its own messages, and what nobody can tell."""
import email
import json

from server import program
from talk import message, submit
from waiting import until

ALICE = "alice@home.example"
SENDER = "bob@home.example"
NO_DATA, NO_INPUT = 65, 66


def relaying(postrider, far, **options):
    return postrider(extra=["relay for 127.0.0.0/8"],
                     routes=[f"send mail through 127.0.0.1:{far.port} with tls never"], **options)


def told(result):
    assert result.returncode == 0, result
    return json.loads(result.stdout)


def test_our_own_messages(postrider, sink):
    far = sink()
    far.rcpt_replies["nobody@far.example"] = "550 5.1.1 User unknown"
    far.rcpt_replies["later@far.example"] = "451 4.7.1 Greylisting in action, come back"
    server = relaying(postrider, far, retry="60 s").start()
    failed = submit(server.smtp_port, SENDER, ["nobody@far.example", ALICE], message("x"))
    waiting = submit(server.smtp_port, SENDER, "later@far.example", message("later"))
    until(lambda: server.queue_ids() == [waiting], lambda: server.queue("list"))

    def story_of_failed():
        story = told(server.run("why", failed, "--json"))
        return {r["outcome"] for r in story["recipients"]} == {"delivered", "failed"} and story

    story = until(story_of_failed, server.log_tail)
    assert story["kind"] == "message"
    rcpts = {r["address"]: r for r in story["recipients"]}
    assert rcpts[ALICE]["name"] == "The message is in the mailbox"
    nobody = rcpts["nobody@far.example"]
    assert (nobody["outcome"], nobody["reason"], nobody["decided_by"]) == ("failed", "user-unknown", "server")
    assert nobody["said"] == "User unknown" and nobody["notification"]

    [later] = told(server.run("why", waiting, "--json"))["recipients"]
    assert (later["outcome"], later["reason"]) == ("delayed", "greylisted") and later["next_try"]
    page = server.run("why", waiting).stdout.decode()
    assert "Asked to come back in some minutes" in page and "The next try is due" in page
    assert server.run("why", "zzzzzzz").returncode == NO_DATA
    # The queue explains it by the same rules, in the same languages.
    assert "Asked to come back in some minutes" in server.queue("show", waiting)
    shown = server.queue("show", waiting, "--lang", "de")
    assert "Gebeten, in einigen Minuten wiederzukommen" in shown and "Versuch" in shown

    # The notification that the sender got says the same, from outside.
    [bounce] = server.wait_mail("bob")
    for command in ("why", "explain"):
        story = told(program(command, "--json", input=bounce))
        assert story["kind"] == "bounce" and story["writer"] == "Postrider"
        [rcpt] = story["recipients"]
        assert rcpt["address"] == "nobody@far.example" and rcpt["reason"] == "user-unknown"
        assert rcpt["outcome"] == "failed" and rcpt["decided_by"] == "server"


def test_a_bounce_tells_the_reason_of_a_rule(postrider, sink):
    """The code says "policy" only; a rule knows the words."""
    far = sink()
    said = "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org"
    far.rcpt_replies["listed@far.example"] = said
    server = relaying(postrider, far, retry="60 s").start()
    submit(server.smtp_port, SENDER, "listed@far.example", message("x"))
    [bounce] = server.wait_mail("bob")
    part = next(p for p in email.message_from_bytes(bounce).walk() if p.get_content_type() == "text/plain")
    text = " ".join(part.get_payload(decode=True).decode().split())
    assert "> " + said in text
    assert "The receiving server asked a public list of bad addresses" in text
    assert "What to do: You can do nothing about it yourself." in text


def test_nothing_to_tell():
    result = program("why", "hello, world")
    assert result.returncode == NO_DATA and b"no bounce" in result.stderr
    assert program("why", "/nonexistent/bounce.eml").returncode == NO_INPUT


def test_a_reply_in_a_language():
    text = program("why", "550 5.1.1 User unknown").stdout.decode()
    assert "The address does not exist" in text and "550 5.1.1 User unknown" in text
    assert json.loads(program("why", "550 5.9.9 xyzzy", "--json").stdout)["recipients"][0]["reason"] == "unknown"


def test_a_terminal_is_safe():
    result = program("why", "550 5.1.1 User unknown \x1b[2J")
    assert result.returncode == 0 and b"\x1b" not in result.stdout
