"""
What a client may ask for beyond addresses: notifications (DSN), a time to hold a message or to have it
there (FUTURERELEASE, DELIVERBY), priority, TLS all the way; all of it reaches into the queue.
"""
import email
import email.policy
import json
import os
import re
import signal
import time

import pytest

import logs
from server import program, settle
from talk import Talk, message, queue_id
from waiting import until

ALICE = "alice@home.example"
BOB = "bob@home.example"
ANN = "ann@far.example"
RELAY = ["relay for 127.0.0.0/8"]
ORCPT = "rfc822;Ann+2BX@far.example"


def submit(server, sender, recipients, content, mail="", rcpt="", tls=False):
    """Sends one message with parameters, and gives its queue id."""
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        if tls:
            talk.expect("STARTTLS", 220)
            talk.start_tls()
            talk.ehlo()
        talk.expect(f"MAIL FROM:<{sender}> {mail}".strip(), 250)
        for recipient in recipients:
            talk.expect(f"RCPT TO:<{recipient}> {rcpt}".strip(), 250)
        return queue_id(talk.data(content))


def parsed(found):
    return email.message_from_bytes(found, policy=email.policy.default)


def fields(notification):
    """(of the message, of the first recipient): the fields for programs."""
    parts = parsed(notification).get_payload()
    assert parts[1].get_content_type() == "message/delivery-status", parts
    return parts[1].get_payload()[:2]


def relay_to(postrider, peer, **options):
    extra = RELAY + options.pop("extra", [])
    return postrider(extra=extra, routes=[f"send mail for far.example through 127.0.0.1:{peer.port}"],
                     **options).start()


def test_what_is_offered_depends_on_who_asks(postrider):
    with_relay, without = postrider(extra=RELAY).start(), postrider().start()
    with Talk(with_relay.smtp_port) as talk:
        offered = talk.ehlo()
        assert {"DSN", "DELIVERBY", "MT-PRIORITY", "BINARYMIME"} <= set(offered)
        assert int(offered["FUTURERELEASE"].split()[0]) == 30 * 86400
        assert "REQUIRETLS" not in offered
        talk.expect("STARTTLS", 220)
        talk.start_tls()
        assert "REQUIRETLS" in talk.ehlo()
    with Talk(without.smtp_port) as talk:
        offered = talk.ehlo()
        assert {"DSN", "DELIVERBY", "BINARYMIME"} <= set(offered)
        assert not {"FUTURERELEASE", "MT-PRIORITY"} & set(offered)
        talk.expect(f"MAIL FROM:<{ALICE}> HOLDFOR=10", 555)


def test_delivered_is_told_with_what_the_sender_gave(server):
    submit(server, ALICE, [BOB], message("ok"), "ENVID=QQ+2B1 RET=FULL",
           "NOTIFY=SUCCESS ORCPT=rfc822;Bob+2BX@home.example")
    found = server.wait_mail("alice")[0]
    of_message, of_rcpt = fields(found)
    assert of_message["Original-Envelope-Id"] == "QQ+1"
    assert of_rcpt["Action"] == "delivered" and of_rcpt["Status"].startswith("2.")
    assert of_rcpt["Original-Recipient"] == "rfc822; Bob+X@home.example"
    assert of_rcpt["Final-Recipient"] == f"rfc822; {BOB}"
    assert parsed(found)["Subject"].startswith("Delivered mail")
    # Only the header of what succeeded, whatever was asked for.
    assert parsed(found).get_payload()[2].get_content_type() == "text/rfc822-headers"
    assert len(server.maildir("bob")) == 1
    server.wait_queue_empty()


def test_what_was_delivered_is_told_after_a_crash_and_not_delivered_again(server):
    """Who the sender is cannot be asked, so the notification waits; then the power goes."""
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ALICE}> ENVID=E9", 250)
        talk.expect(f"RCPT TO:<{BOB}> NOTIFY=SUCCESS", 250)
        for pid in server.role_pids("lookup"):
            os.kill(pid, signal.SIGSTOP)
        assert talk.data(message("once")).code == 250
    server.wait_event(logs.DELIVERED)
    until(lambda: "its sender is being told" in server.queue("show", server.queue_ids()[0]), server.log_tail)
    assert not server.maildir("alice")
    server.kill_everything()
    server.start()
    assert fields(server.wait_mail("alice")[0])[1]["Action"] == "delivered"
    server.wait_queue_empty()
    assert len(server.maildir("bob")) == 1 and len(server.maildir("alice")) == 1
    assert server.run("audit").returncode == 0


def test_nothing_is_told_where_nothing_is_wanted(postrider, sink):
    far = sink()
    far.rcpt_replies[ANN] = "550 5.1.1 no"
    server = relay_to(postrider, far)
    for notify in ("NEVER", "SUCCESS", "DELAY,SUCCESS"):
        found = submit(server, ALICE, [ANN], message(notify), "", f"NOTIFY={notify}")
        server.wait_event("bounce_dropped", id=found)
    server.wait_queue_empty()
    assert not server.maildir("alice")
    submit(server, ALICE, [ANN], message("failure"), "", "NOTIFY=FAILURE")
    assert fields(server.wait_mail("alice")[0])[1]["Action"] == "failed"


def test_a_failed_message_comes_back_whole_where_asked_for(postrider, sink):
    far = sink()
    far.rcpt_replies[ANN] = "550 5.1.1 no"
    server = relay_to(postrider, far, extra=["queue {\n\treturn whole up to 5 KB\n}"])
    body = "Grüße\r\n"
    submit(server, ALICE, [ANN], message("whole", body=body), "RET=FULL BODY=8BITMIME")
    found = server.wait_mail("alice")[0]
    part = parsed(found).get_payload()[2]
    assert part.get_content_type() == "message/rfc822"
    assert "Grüße\n".encode() in found and part.get_payload()[0]["X-Token"] == "whole"
    for ret, text in (("HDRS", "small"), ("FULL", "x" * 70 + "\r\n" + "y" * 5000 + "\r\n")):
        far.rcpt_replies[ANN] = "550 5.1.1 no"
        count = len(server.maildir("alice"))
        with Talk(server.smtp_port) as talk:
            talk.ehlo()
            talk.expect(f"MAIL FROM:<{ALICE}> RET={ret}", 250)
            talk.expect(f"RCPT TO:<{ANN}>", 250)
            lines = "\r\n".join(re.findall(".{1,900}", text.replace("\r\n", ""))) + "\r\n"
            assert talk.data(message("part", body=lines)).code == 250
        server.wait_mail("alice", count + 1)
    types = {parsed(m).get_payload()[2].get_content_type() for m in server.maildir("alice")}
    assert types == {"message/rfc822", "text/rfc822-headers"}
    assert sum(b"message/rfc822" in m for m in server.maildir("alice")) == 1


def test_a_server_without_dsn_is_where_it_ends(postrider, sink):
    far = sink()
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("relayed"), "ENVID=E1 RET=HDRS",
           f"NOTIFY=SUCCESS,FAILURE ORCPT={ORCPT}")
    of_message, of_rcpt = fields(server.wait_mail("alice")[0])
    assert of_message["Original-Envelope-Id"] == "E1"
    assert of_rcpt["Action"] == "relayed" and of_rcpt["Remote-MTA"].startswith("dns; 127.0.0.1")
    assert of_rcpt["Original-Recipient"] == "rfc822; Ann+X@far.example"
    said = " ".join(far.commands)
    assert "NOTIFY" not in said and "ENVID" not in said and "RET=" not in said
    assert len(far.messages) == 1


def test_a_server_with_dsn_is_told_all(postrider, sink):
    far = sink(extensions=["DSN"])
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("passed"), "ENVID=E2 RET=FULL",
           f"NOTIFY=SUCCESS,DELAY ORCPT={ORCPT}")
    server.wait_queue_empty()
    assert f"RET=FULL ENVID=E2" in far.messages[0]["mail"]
    assert f"RCPT TO:<{ANN}> NOTIFY=SUCCESS,DELAY ORCPT={ORCPT}" in far.commands
    assert not server.maildir("alice"), "the next server tells what is to be told"


def test_postfix_tells_what_we_passed_on(postrider, postfix):
    server = postrider(extra=RELAY)
    far = postfix(next_hop=("127.0.0.1", server.smtp_port))
    server.routes = [f"send mail for far.example through 127.0.0.1:{far.port}"]
    server.start()
    submit(server, ALICE, [ANN], message("to-postfix"), "ENVID=QQ1 RET=HDRS",
           f"NOTIFY=SUCCESS ORCPT={ORCPT}")
    of_message, of_rcpt = fields(server.wait_mail("alice")[0])
    assert of_message["Original-Envelope-Id"] == "QQ1"
    assert "peer.far.example" in of_message["Reporting-MTA"]
    assert of_rcpt["Action"] == "delivered" and "Ann+X@far.example" in of_rcpt["Original-Recipient"]
    assert len(server.maildir("alice")) == 1


def test_we_tell_what_postfix_passed_on(postrider, postfix):
    server = postrider().start()
    near = postfix(next_hop=("127.0.0.1", server.smtp_port))
    with Talk(near.port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ALICE}> ENVID=QQ2", 250)
        talk.expect(f"RCPT TO:<{BOB}> NOTIFY=SUCCESS ORCPT=rfc822;b@home.example", 250)
        assert talk.data(message("from-postfix")).code == 250
    of_message, of_rcpt = fields(server.wait_mail("alice")[0])
    assert of_message["Original-Envelope-Id"] == "QQ2"
    assert server.maildir("alice")[0].count(b"delivery-status") >= 1
    assert of_rcpt["Action"] == "delivered"
    assert "mail.home.example" in of_message["Reporting-MTA"]


def test_delay_is_told_once_to_those_who_asked(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 later"
    server = relay_to(postrider, far, extra=["queue {\n\ttell of delay after 1 s\n}"])
    submit(server, ALICE, [ANN, "eve@far.example"], message("slow"), "ENVID=E3", "NOTIFY=DELAY")
    submit(server, BOB, [ANN], message("unsaid"))
    submit(server, BOB, [ANN], message("failure"), "", "NOTIFY=FAILURE")
    found = server.wait_mail("alice")[0]
    of_message, of_rcpt = fields(found)
    assert of_rcpt["Action"] == "delayed" and of_rcpt["Status"] == "4.2.1"
    assert of_rcpt["Will-Retry-Until"] and found.count(b"Action: delayed") == 2
    settle(2.5)
    assert len(server.maildir("alice")) == 1 and not server.maildir("bob")
    server.kill_everything()
    server.start()
    settle(2.5)
    assert len(server.maildir("alice")) == 1, "told again after a restart"
    far.always["rcpt"] = "250 2.1.5 fine"
    server.wait_queue_empty()


def test_held_until_its_time_also_over_a_restart(postrider, sink):
    far = sink()
    server = relay_to(postrider, far)
    begun = time.monotonic()
    held = submit(server, ALICE, [ANN, BOB], message("held"), "HOLDFOR=8")
    submit(server, ALICE, [ANN], message("at-once"))
    shown = server.queue("show", held)
    assert "wants it to be sent later" in shown, shown
    assert "until" in server.queue("list", "--json")
    server.kill_everything()
    server.start()
    # A machine may be so busy that its time has come meanwhile.
    assert held in server.queue_ids() or time.monotonic() - begun > 7
    server.wait_mail("bob")
    assert time.monotonic() - begun > 7.9
    server.wait_queue_empty()
    # What was just delivered when all was killed may come twice; what was held comes once, at last.
    order = [b"X-Token: held" in m["data"] for m in far.messages]
    assert order[-1] and order.count(True) == 1 and len(order) >= 2


def test_a_hold_has_an_end(postrider):
    server = postrider(extra=RELAY + ["queue {\n\thold at most 2 min\n}"]).start()
    with Talk(server.smtp_port) as talk:
        assert talk.ehlo()["FUTURERELEASE"].split()[0] == "120"
        assert talk.ask(f"MAIL FROM:<{ALICE}> HOLDFOR=121").code >= 500
        talk.expect(f"MAIL FROM:<{ALICE}> HOLDFOR=120", 250)


def test_what_is_not_there_in_time_comes_back(postrider, sink):
    far = sink(extensions=["DELIVERBY 1"])
    far.always["mail"] = "451 4.3.0 later"
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("by"), "BY=3;R")
    of_message, of_rcpt = fields(server.wait_mail("alice")[0])
    assert of_rcpt["Action"] == "failed" and of_rcpt["Status"] == "5.4.7"
    assert of_message["Deliver-By-Date"]
    assert any(re.search(r"BY=[12];R", c) for c in far.commands), "passed on with less time"
    server.wait_queue_empty()


def test_to_be_there_in_time_needs_a_server_that_sees_to_it(postrider, sink):
    far = sink()
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("by"), "BY=300;R")
    assert fields(server.wait_mail("alice")[0])[1]["Status"] == "5.3.3"
    submit(server, ALICE, [ANN], message("by-n"), "BY=300;N")
    assert fields(server.wait_mail("alice", 2)[-1])[1]["Action"] == "relayed"
    assert len(far.messages) == 1
    submit(server, ALICE, [BOB], message("here"), "BY=300;R")
    assert len(server.wait_mail("bob")) == 1


def test_past_its_time_the_sender_is_told_and_it_goes_on(postrider, sink):
    far = sink(extensions=["DELIVERBY"])
    far.always["mail"] = "451 4.3.0 later"
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("by"), "BY=1;N")
    assert fields(server.wait_mail("alice")[0])[1]["Action"] == "delayed"
    settle(1.2)
    far.always["mail"] = "250 2.1.0 fine"
    server.wait_queue_empty()
    assert re.search(r"BY=-\d+;N", far.messages[0]["mail"])
    assert len(server.maildir("alice")) == 1


def test_priority_is_passed_on(postrider, sink):
    far = sink(extensions=["MT-PRIORITY"])
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("urgent"), "MT-PRIORITY=6")
    server.wait_queue_empty()
    assert "MT-PRIORITY=6" in far.messages[0]["mail"]


def test_requiretls_goes_by_verified_tls_or_comes_back(postrider, sink, certificate):
    """Trusted by the operating system's word for where its roots are: the test's own certificate."""
    good, plain, lacking = (sink(certificate=certificate, extensions=["REQUIRETLS"]),
                            sink(), sink(certificate=certificate))
    server = postrider(extra=RELAY, env={"SSL_CERT_FILE": certificate[0]}, routes=[
        f"send mail for good.example through 127.0.0.1:{good.port}",
        f"send mail for plain.example through 127.0.0.1:{plain.port}",
        f"send mail for lacking.example through 127.0.0.1:{lacking.port}"]).start()
    submit(server, ALICE, ["x@good.example"], message("secret"), "REQUIRETLS RET=FULL", tls=True)
    server.wait_queue_empty()
    assert len(good.messages) == 1 and good.messages[0]["tls"]
    assert "REQUIRETLS" in good.messages[0]["mail"]
    for domain in ("plain", "lacking"):
        count = len(server.maildir("alice"))
        submit(server, ALICE, [f"x@{domain}.example"], message("secret", body="Hush.\r\n"),
               "REQUIRETLS RET=FULL", tls=True)
        found = server.wait_mail("alice", count + 1)[-1]
        assert fields(found)[1]["Status"] == "5.7.30"
        assert b"Hush." not in found, "what needs TLS does not travel in a bounce"
    assert not plain.messages and not lacking.messages


def test_requiretls_does_not_trust_a_stranger(postrider, sink, certificate):
    far = sink(certificate=certificate, extensions=["REQUIRETLS"])
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("secret"), "REQUIRETLS", tls=True)
    assert fields(server.wait_mail("alice")[0])[1]["Status"] == "5.7.30"
    assert not far.messages


@pytest.mark.parametrize("declared", ["8BITMIME", "7BIT"])
def test_eight_bits_to_a_server_without_them(postrider, sink, declared):
    far = sink()
    far.extensions.remove("8BITMIME")
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("ascii", body="plain\r\n"), "BODY=8BITMIME")
    server.wait_queue_empty()
    assert len(far.messages) == 1, "what is all ASCII may go anywhere"
    submit(server, ALICE, [ANN], message("eight", body="ümlaut\r\n"), f"BODY={declared}")
    server.wait_queue_empty()
    assert len(far.messages) == 2, "who says nothing of eight bits has them sent as they are"
    assert far.messages[1]["data"].isascii() == (declared == "8BITMIME"), "see test_convert.py"


def binary(server, recipient, content):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ALICE}> BODY=BINARYMIME", 250)
        talk.expect(f"RCPT TO:<{recipient}>", 250)
        talk.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert talk.reply().code == 250


def test_a_binary_message_is_kept_as_it_is_or_converted(postrider, sink):
    far = sink()
    server = relay_to(postrider, far)
    content = message("binary", body="", extra="MIME-Version: 1.0\r\n"
                      "Content-Type: application/octet-stream\r\n"
                      "Content-Transfer-Encoding: binary\r\n") + b"a\nb\rc\0\r\n.\r\nd\xff"
    binary(server, BOB, content)
    assert server.wait_mail("bob")[0].endswith(content)
    binary(server, ANN, content)
    got = far.wait_messages(1)[0]["data"]
    assert parsed(got).get_content() == b"a\nb\rc\0\r\n.\r\nd\xff", "see test_convert.py"


def test_a_binary_message_goes_by_bdat(postrider):
    """To another of us, which offers it."""
    far = postrider(domains=["far.example"], mailboxes={ANN: "ann"}).start()
    near = postrider(extra=RELAY, routes=[
        f"send mail for far.example through 127.0.0.1:{far.smtp_port}"]).start()
    content = message("binary", body="") + bytes(range(256)) * 1000
    binary(near, ANN, content)
    assert far.wait_mail("ann")[0].endswith(content)


@pytest.mark.parametrize("header, language", [("Content-Language: de", "de"), ("Accept-Language: xx, ja;q=0.8", "ja"),
                                              ("Content-Language: xx", None)])
def test_a_bounce_speaks_the_language_of_the_message_and_english(postrider, sink, header, language):
    far = sink()
    far.always["rcpt"] = "550 5.1.1 Nobody of that name"
    server = relay_to(postrider, far)
    submit(server, ALICE, [ANN], message("words", extra=f"{header}\r\n"))
    notification = server.wait_mail("alice")[0]
    part = parsed(notification).get_payload()[0]
    text = part.get_content().replace("\r\n", "\n")
    english = "The address ann@far.example does not exist there. Check the spelling.\n"
    assert english in text
    assert text.count("    > 550 5.1.1 Nobody of that name\n") == 1
    assert part["Content-Language"] == (f"{language}, en" if language else None)
    advice = json.loads(program("explain", "5.1.1", "--json", "--lang", language or "en").stdout)["status"]["sender"]
    flat = re.sub(r"\s+", "", text)
    assert re.sub(r"\s+", "", advice) in flat
    assert ("\n* * *\n" in text) == bool(language)
    programs, recipient = fields(notification)
    assert recipient["Status"] == "5.1.1" and recipient["Action"] == "failed"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 Nobody of that name"
