"""What is told beyond bounces: an alias that was expanded, delay to everybody, notices for postmaster."""
import json
import os
import signal

import pytest

import logs
from server import settle
from talk import Talk, message
from test_asked import ALICE, ANN, BOB, ORCPT, fields, parsed, relay_to, submit
from waiting import until

ALL = "all@home.example"
POSTMASTER = "postmaster@home.example"
PEOPLE = {ALICE: "alice", BOB: "bob", POSTMASTER: "postmaster"}


def actions(found):
    return sorted(str(block["Action"]) for block in parsed(found).get_payload()[1].get_payload()[1:])


def words(found):
    """The part for people, on one line."""
    return " ".join(parsed(found).get_payload()[0].get_content().split())


def asked(far, address):
    """What the server there was asked for with RCPT."""
    [line] = [c for c in far.commands if c.upper().startswith("RCPT") and address in c]
    return set(line.upper().split(">")[1].split())


def test_an_alias_for_several_is_told_of_once(postrider, sink):
    far = sink(extensions=["DSN"])
    server = relay_to(postrider, far, aliases={ALL: f"{BOB}, {ANN}", "one@home.example": ANN})
    found = submit(server, ALICE, [ALL], message("all"), "ENVID=E7", f"NOTIFY=SUCCESS,FAILURE ORCPT={ORCPT}")
    told = server.wait_mail("alice")[0]
    of_message, of_rcpt = fields(told)
    assert of_message["Original-Envelope-Id"] == "E7" and actions(told) == ["expanded"]
    assert of_rcpt["Final-Recipient"] == f"rfc822; {ALL}" and of_rcpt["Status"] == "2.0.0"
    assert of_rcpt["Original-Recipient"] == "rfc822; Ann+X@far.example"
    assert "stands for several" in words(told)
    server.wait_mail("bob")
    far.wait_messages(1)
    server.wait_event("expanded", id=found, to=ALL)
    # Failure stays asked for, success does not.
    assert asked(far, ANN) == {"NOTIFY=FAILURE", f"ORCPT={ORCPT.upper()}"}
    server.wait_queue_empty()
    settle(0.5)
    assert len(server.maildir("alice")) == 1
    audit = until(lambda: (found := json.loads(server.run("audit", "--json").stdout))["open"] == 0 and found,
                  server.log_tail)
    assert audit["balanced"] and audit["ended"]["expanded"] == 1, audit
    # An alias for one passes it all on.
    submit(server, ALICE, ["one@home.example"], message("one"), "", "NOTIFY=SUCCESS")
    far.wait_messages(2)
    assert any("NOTIFY=SUCCESS" in c.upper() for c in far.commands if ANN in c)


def test_only_success_was_asked_for_so_nothing_more_is_told(postrider, sink):
    far = sink()
    far.rcpt_replies[ANN] = "550 5.1.1 no"
    server = relay_to(postrider, far, aliases={ALL: f"{BOB}, {ANN}"})
    found = submit(server, ALICE, [ALL], message("all"), "", "NOTIFY=SUCCESS")
    assert actions(server.wait_mail("alice")[0]) == ["expanded"]
    server.wait_event("bounce_dropped", id=found)
    server.wait_queue_empty()
    assert len(server.maildir("alice")) == 1


def test_expanded_is_told_after_a_crash(postrider):
    """Whom to tell cannot be asked, so the notification waits; then the power goes."""
    server = postrider(aliases={ALL: f"{ALICE}, {BOB}"}).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ALICE}>", 250)
        talk.expect(f"RCPT TO:<{ALL}> NOTIFY=SUCCESS,DELAY", 250)
        for pid in server.role_pids("lookup"):
            os.kill(pid, signal.SIGSTOP)
        assert talk.data(message("once")).code == 250
    server.wait_event(logs.DELIVERED, 2)
    assert len(server.maildir("alice")) == 1
    server.kill_everything()
    server.start()
    assert any(b"Action: expanded" in text for text in server.wait_mail("alice", 2))
    server.wait_queue_empty()
    assert len(server.maildir("bob")) == 1 and len(server.maildir("alice")) == 2
    assert server.run("audit").returncode == 0


def test_delay_is_told_to_everybody_where_the_configuration_says_so(postrider, sink):
    far = sink()
    far.always["rcpt"] = "450 4.2.1 later"
    server = relay_to(postrider, far,
                      extra=["queue {\n\ttell of delay after 1 s\n\ttell everybody of delay\n}"])
    submit(server, ALICE, [ANN], message("unsaid"))
    submit(server, BOB, [ANN], message("failure"), "", "NOTIFY=FAILURE")
    submit(server, "", [ANN], message("nobody"))
    assert actions(server.wait_mail("alice")[0]) == ["delayed"]
    settle(2)
    assert len(server.maildir("alice")) == 1 and not server.maildir("bob")
    far.always["rcpt"] = "250 2.1.5 fine"
    server.wait_queue_empty()


def notices(server, count):
    found = server.wait_mail("postmaster", count)
    settle(0.5)
    assert len(server.maildir("postmaster")) == count, server.log_tail()
    return found


def test_postmaster_is_told_of_what_nobody_can_be_told_of(postrider, sink):
    far = sink()
    far.rcpt_replies[ANN] = "550 5.1.1 no such user"
    server = relay_to(postrider, far, mailboxes=PEOPLE,
                      extra=["queue { postmaster gets lost bounces }"])
    # A bounce that fails; other mail without a sender; a sender who is unknown here.
    far.rcpt_replies["eve@far.example"] = "550 5.1.1 no eve"
    double = submit(server, ANN, ["eve@far.example"], message("double"))
    server.wait_event("bounce_queued", bounce_of=double)
    [found] = notices(server, 1)
    assert "nobody else could be told" in words(found) and "null reverse-path" in words(found)
    assert parsed(found)["Subject"] == f"Postmaster notice: Undelivered mail: {ANN}"
    assert parsed(found)["To"] == POSTMASTER and actions(found) == ["failed"]
    assert found.count(b"Subject: Undelivered mail: eve@far.example") == 1, "the header of what was lost"
    submit(server, "nobody@home.example", ["eve@far.example"], message("stranger here"))
    assert b"<nobody@home.example>" in notices(server, 2)[1]
    # What reached its sender, and what was not to be told of, is no matter for postmaster.
    submit(server, ALICE, [ANN], message("told"))
    server.wait_mail("alice")
    submit(server, ALICE, [ANN], message("never"), "", "NOTIFY=NEVER")
    server.wait_event("bounce_dropped", 3)
    notices(server, 2)
    assert server.run("audit").returncode == 0


def test_notices_never_go_round(postrider, sink):
    """Postmaster is elsewhere, and nobody there takes it."""
    far = sink()
    far.always["rcpt"] = "550 5.1.1 nobody at all"
    server = relay_to(postrider, far, aliases={POSTMASTER: "pm@far.example"}, mailboxes={ALICE: "alice"},
                      extra=["queue { postmaster gets lost bounces; postmaster gets bounces }"])
    submit(server, "", [ANN], message("lost"))
    server.wait_event("notice_queued", 1)
    server.wait_event("bounce_dropped", 2)
    submit(server, ALICE, [ANN], message("copied"))
    server.wait_mail("alice")
    server.wait_event("bounce_dropped", 3)
    server.wait_queue_empty()
    settle(0.5)
    assert len(logs.select(server.events(), "notice_queued")) == 2
    assert len(logs.select(server.events(), "bounce_dropped")) == 3


def test_postmaster_gets_a_copy_of_each_bounce(postrider, sink):
    far = sink()
    far.rcpt_replies[ANN] = "550 5.1.1 no such user"
    server = relay_to(postrider, far, mailboxes=PEOPLE, extra=["queue { postmaster gets bounces }"])
    submit(server, ALICE, [ANN, BOB], message("secret", body="for ann alone\r\n"), "RET=FULL", "NOTIFY=FAILURE,SUCCESS")
    [copy] = notices(server, 1)
    assert f"The sender, <{ALICE}>, is told the same" in words(copy) and actions(copy) == ["failed"]
    assert b"for ann alone" not in copy and b"X-Token: secret" in copy
    until(lambda: sum(actions(m).count("failed") for m in server.maildir("alice")) == 1, server.log_tail)
    submit(server, "", [ANN], message("lost"))
    server.wait_event("bounce_dropped", 1)
    server.wait_queue_empty()
    notices(server, 1)


@pytest.mark.parametrize("offers", [[], ["DSN"]])
def test_what_was_asked_for_holds_by_lmtp(postrider, sink, offers):
    peer = sink(lmtp=True, extensions=offers)
    server = postrider(lmtp=f"127.0.0.1:{peer.port}", extra=["relay for 127.0.0.0/8"]).start()
    peer.rcpt_replies[ALICE] = "550 5.2.1 not now"
    submit(server, BOB, [BOB], message("ok"), "ENVID=E8 RET=HDRS", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@x")
    peer.wait_messages(1)
    line = next(c for c in peer.commands if c.upper().startswith("RCPT"))
    if offers:
        assert "NOTIFY=SUCCESS,FAILURE" in line and "ORCPT=rfc822;b@x" in line
        assert any("ENVID=E8" in c and "RET=HDRS" in c for c in peer.commands)
        server.wait_queue_empty()
        assert len(peer.messages) == 1, "who took it tells of it"
    else:
        assert "NOTIFY" not in line
        of_message, of_rcpt = fields(peer.wait_messages(2)[1]["data"])
        assert of_message["Original-Envelope-Id"] == "E8" and of_rcpt["Action"] == "delivered"
        assert of_rcpt["Original-Recipient"] == "rfc822; b@x"
        submit(server, BOB, [ALICE], message("whole", body="all of it\r\n"), "RET=FULL", "NOTIFY=FAILURE")
        failed = peer.wait_messages(3)[2]["data"]
        assert fields(failed)[1]["Action"] == "failed" and b"all of it" in failed
        found = submit(server, BOB, [ALICE], message("never"), "", "NOTIFY=NEVER")
        server.wait_event("bounce_dropped", id=found)


@pytest.mark.parametrize("offers", [[], ["DSN"]])
def test_what_was_asked_for_holds_at_the_fallback(postrider, sink, offers):
    peer = sink(extensions=offers)
    server = postrider(extra=["relay for 127.0.0.0/8", f"fall back to 127.0.0.1:{peer.port} with tls never"],
                       routes=["send mail by mx"]).start()
    submit(server, ALICE, ["joe@[127.0.0.91]"], message("ok"), "ENVID=E9", f"NOTIFY=SUCCESS ORCPT={ORCPT}")
    peer.wait_messages(1)
    [line] = [c for c in peer.commands if c.upper().startswith("RCPT")]
    if offers:
        assert "NOTIFY=SUCCESS" in line and ORCPT in line
        server.wait_queue_empty()
        assert not server.maildir("alice")
    else:
        of_message, of_rcpt = fields(server.wait_mail("alice")[0])
        assert of_message["Original-Envelope-Id"] == "E9" and of_rcpt["Action"] == "relayed"
        assert of_rcpt["Original-Recipient"] == "rfc822; Ann+X@far.example"
