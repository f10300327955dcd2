"""Later, never, and what the sender is told."""
import email
import email.policy
import time

import logs
from peers import Slow
from server import settle
from talk import message, submit
from waiting import until

ALICE = "alice@home.example"
RELAY = ["relay for 127.0.0.0/8"]


def route(far):
    return [f"send mail through 127.0.0.1:{far.port} with tls never"]


def delivery_status(bounce):
    """The message/delivery-status part: a list of header blocks, the message's first."""
    parsed = email.message_from_bytes(bounce, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/report", parsed
    assert parsed.get_param("report-type") == "delivery-status"
    human, status, original = parsed.get_payload()
    assert human.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert original.get_content_type() in ("message/rfc822", "text/rfc822-headers",
                                           "message/global", "message/global-headers")
    assert not parsed.defects, parsed.defects
    return parsed, human.get_content(), status.get_payload(), original


def test_4xx_is_tried_again_until_it_is_taken(postrider, sink):
    far = sink()
    far.script["rcpt"] = ["450 4.2.1 Come again"] * 2
    server = postrider(extra=RELAY, routes=route(far), retry="300 ms").start()
    started = time.monotonic()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("again"))
    far.wait_messages()
    assert time.monotonic() - started > 0.5, "it did not wait between the attempts"
    server.wait_queue_empty()
    server.wait_event(logs.RELAYED, id=found)
    events = [e["event"] for e in logs.of_message(server.events(), found)]
    assert events.count(logs.DEFERRED) == 2 and events.count(logs.RELAYED) == 1, events
    deferred = logs.select(server.events(), logs.DEFERRED, id=found)[0]
    assert deferred["code"] == "450" and deferred["status"] == "4.2.1", deferred


def test_only_the_deferred_recipient_is_tried_again(postrider, sink):
    far = sink()
    far.rcpt_replies["later@far.example"] = "450 4.2.1 Come again"
    server = postrider(extra=RELAY, routes=route(far)).start()
    submit(server.smtp_port, ALICE, ["now@far.example", "later@far.example"], message("two"))
    assert far.wait_messages()[0]["rcpts"] == ["now@far.example"]
    server.wait_event(logs.DEFERRED, to="later@far.example")
    far.rcpt_replies.clear()
    assert far.wait_messages(2)[1]["rcpts"] == ["later@far.example"]
    server.wait_queue_empty()
    assert len(far.messages) == 2


def test_refused_connections_are_tried_again(postrider, sink):
    far = sink()
    port = far.port
    far.stop()
    server = postrider(extra=RELAY, routes=route(far)).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("refused"))
    server.wait_event(logs.DEFERRED, id=found)
    again = sink("127.0.0.1", port)
    again.wait_messages()
    server.wait_queue_empty()


def test_5xx_bounces_to_the_sender(postrider, sink):
    far = sink()
    far.always["rcpt"] = "550 5.1.1 Nobody of that name"
    server = postrider(extra=RELAY, routes=route(far)).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("bounce-me", subject="Lunch?"))
    bounce = server.wait_mail("alice")[0]
    assert b"Return-Path: <>" in bounce
    parsed, human, status, original = delivery_status(bounce)
    assert "mailer-daemon" in parsed["From"].lower() or "postmaster" in parsed["From"].lower()
    assert parsed["To"] and ALICE in parsed["To"]
    assert parsed["Auto-Submitted"] and parsed["Auto-Submitted"].startswith("auto-replied")
    assert parsed["Message-ID"] and parsed["Date"] and parsed["MIME-Version"] == "1.0"
    assert "ann@far.example" in human and "550" in human
    assert status[0]["Reporting-MTA"].replace(" ", "") == "dns;mail.home.example"
    assert status[0]["Arrival-Date"]
    row = status[1]
    assert row["Final-Recipient"].replace(" ", "") == "rfc822;ann@far.example"
    assert row["Action"] == "failed" and row["Status"] == "5.1.1"
    assert row["Diagnostic-Code"].startswith("smtp;") and "Nobody of that name" in row["Diagnostic-Code"]
    assert row["Remote-MTA"]
    assert "X-Token: bounce-me" in original.as_string() and "Lunch?" in original.as_string()
    server.wait_queue_empty()
    server.wait_event(logs.BOUNCED, id=found)
    assert [e["event"] for e in logs.of_message(server.events(), found)
            if e["event"] in logs.FINAL] == [logs.BOUNCED]


def test_5xx_after_data_bounces_as_well(postrider, sink):
    far = sink()
    far.always["dot"] = "554 5.7.1 We do not like it"
    server = postrider(extra=RELAY, routes=route(far)).start()
    submit(server.smtp_port, ALICE, ["ann@far.example", "eve@far.example"], message("content"))
    _, _, status, _ = delivery_status(server.wait_mail("alice")[0])
    server.wait_queue_empty()
    assert len(server.maildir("alice")) == 1, "one bounce for what failed together"
    assert [row["Status"] for row in status[1:]] == ["5.7.1", "5.7.1"]


def test_the_null_sender_never_gets_a_bounce(postrider, sink):
    far = sink()
    far.always["rcpt"] = "550 5.1.1 Nobody"
    server = postrider(extra=RELAY, routes=route(far)).start()
    found = submit(server.smtp_port, "", "ann@far.example", message("null"))
    server.wait_event(logs.BOUNCED, id=found)
    server.wait_queue_empty()
    settle(0.5)
    assert far.messages == [] and server.queue_ids() == []
    for mailbox in ("alice", "bob"):
        assert server.maildir(mailbox) == []
    ends = [e["event"] for e in logs.of_message(server.events(), found) if e["event"] in logs.FINAL]
    assert len(ends) == 1


def test_a_bounce_that_bounces_ends_there(postrider, sink):
    far = sink()
    far.always["rcpt"] = "550 5.1.1 Nobody"
    server = postrider(extra=RELAY, routes=route(far)).start()
    submit(server.smtp_port, "nobody@elsewhere.example", "ann@far.example", message("double"))
    server.wait_event(logs.BOUNCED, to="ann@far.example")
    server.wait_queue_empty()
    settle(0.5)
    assert server.queue_ids() == [] and far.messages == []
    senders = [c for c in far.commands if c.upper().startswith("MAIL FROM")]
    assert any("<>" in command for command in senders), senders
    assert len(senders) <= 3, senders


def test_expiry_bounces(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 Never today"
    server = postrider(extra=RELAY, routes=route(far), retry="300 ms", expire="1 s").start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("old"))
    _, human, status, _ = delivery_status(server.wait_mail("alice")[0])
    assert "ann@far.example" in human and "450" in human
    assert status[1]["Action"] == "failed" and status[1]["Status"][0] in "45"
    assert "Never today" in status[1]["Diagnostic-Code"]
    server.wait_queue_empty()
    server.wait_event(logs.EXPIRED, id=found)
    assert [e["event"] for e in logs.of_message(server.events(), found)
            if e["event"] in logs.FINAL] == [logs.EXPIRED]


def test_waits_survive_a_restart(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 Not yet"
    server = postrider(extra=RELAY, routes=route(far), retry="1 s").start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("restart"))
    server.wait_event(logs.DEFERRED, id=found)
    assert server.stop() == 0
    far.always.clear()
    server.start()
    far.wait_messages()
    server.wait_queue_empty()
    assert len(far.messages) == 1


def test_stopping_in_the_middle_of_a_delivery_loses_nothing(postrider, sink):
    far = sink()
    far.script["dot"] = [Slow(3, "250 2.0.0 Late")]
    server = postrider(extra=RELAY, routes=route(far)).start()
    submit(server.smtp_port, ALICE, "ann@far.example", message("middle"))
    until(lambda: "DATA" in far.commands, "no DATA")
    server.stop()
    server.start()
    far.wait_messages(1)
    server.wait_queue_empty()
