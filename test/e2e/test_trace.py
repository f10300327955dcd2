"""The transcripts of attempts that failed or were slow: postrider trace."""
import json
import re

import pytest

import logs
from peers import Slow
from talk import message, submit
from test_delivery import ALICE, RELAY, through

ANN = "ann@far.example"


def trace(server, *arguments):
    result = server.run("trace", *arguments)
    assert result.returncode == 0, result
    return result.stdout.decode()


def attempts(server, *arguments):
    return json.loads(trace(server, *arguments, "--json"))["attempts"]


def lines(attempt, kind):
    return [step["text"] for step in attempt["steps"] if step["kind"] == kind]


def deferred(server, to=ANN, content=None):
    found = submit(server.smtp_port, ALICE, to, content or message("m"))
    server.wait_event(logs.DEFERRED, id=found)
    return found


def test_a_refusal_has_its_dialogue_without_the_message(postrider, sink):
    far = sink()
    far.always["dot"] = "451 4.7.1 Not \x1b[2J today"
    server = postrider(retry="1 h", extra=RELAY, routes=[through(far.port)]).start()
    found = deferred(server, content=message("m", body="very private\r\n"))
    [attempt] = attempts(server, found)
    assert attempt["id"] == found and not attempt["slow"]
    sent, got = lines(attempt, "sent"), lines(attempt, "got")
    assert sent[0].startswith("EHLO ") and f"RCPT TO:<{ANN}>" in sent and sent[-1] == "."
    assert any(re.fullmatch(r"\[the message: \d+ bytes\]", line) for line in sent)
    assert got[0].startswith("220") and got[-1] == "451 4.7.1 Not \\x1b[2J today"
    times = [step["ms"] for step in attempt["steps"]]
    assert times == sorted(times)
    text = trace(server, found)
    assert "< 451 4.7.1 Not" in text and f"> RCPT TO:<{ANN}>" in text and "connecting to" in text
    assert "very private" not in text and "\x1b" not in text


def test_each_attempt_is_kept_and_the_last_is_shown_with_the_message(postrider, sink):
    far = sink()
    far.script["mail"] = ["450 4.3.2 first"]
    far.always["mail"] = "450 4.3.2 second"
    server = postrider(retry="1 h", extra=RELAY, routes=[through(far.port)]).start()
    found = deferred(server)
    assert "The last attempt" in server.queue("show", found)
    server.queue("retry", found)
    server.wait_event(logs.DEFERRED, count=2, id=found)
    kept = attempts(server, found)
    assert ["first" in json.dumps(one) for one in kept] == [True, False]
    assert "450 4.3.2 second" in kept[1]["steps"][-1]["text"]
    shown = server.queue("show", found)
    assert "450 4.3.2 second" in shown.split("The last attempt")[1]
    assert json.loads(server.queue("show", found, "--json"))["last_attempt"] == kept[1]


def test_what_goes_well_is_not_kept_and_what_is_slow_is(postrider, sink):
    far = sink()
    far.script["dot"] = ["250 2.0.0 at once", Slow(1.2, "250 2.0.0 at last")]
    server = postrider(retry="1 h", extra=[*RELAY, "delivery { slow attempt 1 s }"],
                       routes=[through(far.port)]).start()
    for _ in range(2):
        server.wait_event(logs.RELAYED, id=submit(server.smtp_port, ALICE, ANN, message("m")))
    kept = attempts(server)
    # On a busy machine the first may be slow as well.
    assert all(attempt["slow"] and attempt["took_ms"] >= 1000 for attempt in kept), kept
    attempt = kept[-1]
    assert attempt["took_ms"] >= 1200
    assert lines(attempt, "got")[-1] == "250 2.0.0 at last"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_passwords_are_not_kept(postrider, sink, certificate, mechanism):
    far = sink(certificate=certificate, login=("shop", "secret words"))
    far.mechanisms = mechanism
    far.always["mail"] = "450 4.3.2 later"
    server = postrider(retry="1 h", extra=RELAY, routes=[through(far.port, "with tls required as shop")])
    credentials = server.directory / "credentials"
    credentials.write_text("shop: shop secret words\n")
    credentials.chmod(0o600)
    server.extra.append(f"credentials from {credentials}")
    server.start()
    [attempt] = attempts(server, deferred(server))
    assert any(command.startswith(f"AUTH {mechanism}") for command in far.commands)
    assert any("[credentials]" in line for line in lines(attempt, "sent"))
    assert any(fact.startswith("TLS: ") for fact in lines(attempt, "fact"))
    assert "secret" not in json.dumps(attempt) and "c2VjcmV0" not in json.dumps(attempt)
    assert "AHNob3A" not in json.dumps(attempt) and "c2hvcA" not in json.dumps(attempt)


def test_the_last_of_all_and_those_to_one_destination(postrider, sink):
    one, two = sink(), sink("127.0.0.2")
    one.always["mail"] = two.always["mail"] = "450 4.3.2 later"
    server = postrider(retry="1 h", extra=RELAY, routes=[
        through(one.port, domain="for one.example"),
        f"send mail through 127.0.0.2:{two.port} with tls never"]).start()
    ids = [deferred(server, to) for to in ("a@one.example", "b@two.example", "c@one.example")]
    assert [one["id"] for one in attempts(server)] == ids
    assert [one["id"] for one in attempts(server, "--last", "2")] == ids[1:]
    assert [one["id"] for one in attempts(server, "--for", "127.0.0.2")] == [ids[1]]
    assert "None of 3" in trace(server, "--for", "nowhere.example")


def test_no_more_are_kept_than_configured(postrider, sink):
    far = sink()
    far.always["mail"] = "450 4.3.2 later"
    server = postrider(retry="1 h", extra=[*RELAY, "delivery { transcripts 2 }"],
                       routes=[through(far.port)]).start()
    ids = [deferred(server) for _ in range(4)]
    assert [one["id"] for one in attempts(server)] == ids[2:]
    gone = server.run("trace", ids[0])
    assert gone.returncode == 65 and b"ledger show" in gone.stderr


def test_none_are_kept_where_none_are_wanted(postrider, sink):
    far = sink()
    far.always["mail"] = "450 4.3.2 later"
    server = postrider(retry="1 h", extra=[*RELAY, "delivery { transcripts none }"],
                       routes=[through(far.port)]).start()
    found = deferred(server)
    assert attempts(server) == []
    assert "The last attempt" not in server.queue("show", found)


def test_an_endless_reply_is_cut(postrider, sink):
    far = sink()
    far.always["mail"] = "\n".join(f"450 4.3.2 line {n} " + "x" * 600 for n in range(99))
    server = postrider(retry="1 h", extra=[*RELAY, "delivery { transcript size 4 KB }"],
                       routes=[through(far.port)]).start()
    [attempt] = attempts(server, deferred(server))
    assert len(json.dumps(attempt["steps"])) < 10000
    assert [step for step in attempt["steps"] if step["kind"] == "gap"]
    assert lines(attempt, "got")[0].startswith("220")
    assert all(len(step["text"]) <= 410 for step in attempt["steps"])


def test_what_dns_said_is_kept(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    far.always["mail"] = "450 4.3.2 later"
    server = postrider(retry="1 h", extra=RELAY, dns_port=dns().port).start()
    [attempt] = attempts(server, deferred(server))
    assert lines(attempt, "fact")[:3] == [
        "looking up the mail exchangers of far.example", "DNS: MX 10 mx.far.example 127.0.0.2",
        "connecting to mx.far.example [127.0.0.2]:25"]


def test_what_failed_for_good_can_be_looked_at(postrider, dns):
    server = postrider(retry="1 h", extra=RELAY, dns_port=dns().port).start()
    found = submit(server.smtp_port, ALICE, "x@dangling.example", message("m"))
    server.wait_event(logs.BOUNCED, id=found)
    [attempt] = attempts(server, found)
    assert lines(attempt, "fact")[-1].startswith("failed: the domain dangling.example has no mail")


@pytest.mark.parametrize("words", [("--last", "0"), ("--last", "101"), ("not-an-id!",),
                                   ("1", "2"), ("--for", "x" * 400)])
def test_wrong_use(postrider, words):
    result = postrider().run("trace", *words)
    assert result.returncode == 64 and b"usage: postrider trace" in result.stderr
