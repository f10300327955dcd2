"""The way out: routes, MX, TLS, authentication, and what one transaction carries."""
import email
import smtplib
import ssl

import pytest

import logs
from peers import DROP, ZONE, Held
from server import PASSWORD
from talk import Talk, message, submit
from waiting import free_port, has_ipv6, until

ALICE = "alice@home.example"
RELAY = ["relay for 127.0.0.0/8"]


def through(port, more="with tls never", domain=""):
    return f"send mail {domain + ' ' if domain else ''}through 127.0.0.1:{port} {more}".strip()


def test_configured_networks_may_relay(postrider, sink):
    far = sink()
    server = postrider(extra=RELAY, routes=[through(far.port)]).start()
    content = message("relayed", body=".dots\r\n..\r\nend\r\n")
    found = submit(server.smtp_port, ALICE, "ann@far.example", content)
    got = far.wait_messages()[0]
    assert got["rcpts"] == ["ann@far.example"] and ALICE in got["mail"]
    assert got["data"].endswith(content)
    assert got["data"].startswith(b"Received: ")
    server.wait_event(logs.RELAYED, id=found)
    server.wait_queue_empty()


def test_authenticated_clients_may_relay(postrider, sink):
    far = sink()
    server = postrider(routes=[through(far.port)]).start()
    context = ssl.create_default_context(cafile=server.certificate)
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions_port, context=context) as client:
        client.login("alice", PASSWORD)
        client.sendmail(ALICE, ["ann@far.example"], message("authenticated", sender=ALICE))
    assert far.wait_messages()[0]["rcpts"] == ["ann@far.example"]


def test_recipients_of_one_domain_share_a_transaction(postrider, sink):
    far = sink()
    server = postrider(extra=RELAY, routes=[through(far.port)]).start()
    recipients = [f"user{number}@far.example" for number in range(20)]
    submit(server.smtp_port, ALICE, recipients, message("many"))
    got = far.wait_messages()
    server.wait_queue_empty()
    assert len(far.messages) == 1 and sorted(got[0]["rcpts"]) == sorted(recipients)


def test_routes_by_domain_the_first_that_fits(postrider, sink):
    one, two, rest = sink(), sink(), sink()
    server = postrider(extra=RELAY, routes=[
        through(one.port, domain="for one.example"),
        through(two.port, domain="for .one.example, two.example"),
        through(rest.port)]).start()
    submit(server.smtp_port, ALICE, ["a@one.example", "b@sub.one.example", "c@two.example",
                                     "d@else.example"], message("routes"))
    assert [m["rcpts"] for m in one.wait_messages()] == [["a@one.example"]]
    # One smart host: one transaction, whatever the domains.
    assert [sorted(m["rcpts"]) for m in two.wait_messages()] == [
        ["b@sub.one.example", "c@two.example"]]
    assert [m["rcpts"] for m in rest.wait_messages()] == [["d@else.example"]]


def test_starttls_when_offered(postrider, sink, certificate):
    far = sink(certificate=certificate)
    server = postrider(extra=RELAY, routes=[through(far.port, "with tls may")]).start()
    submit(server.smtp_port, ALICE, "ann@far.example", message("tls"))
    assert far.wait_messages()[0]["tls"]


def test_without_starttls_mail_goes_all_the_same(postrider, sink):
    far = sink()
    server = postrider(extra=RELAY, routes=[through(far.port, "with tls may")]).start()
    submit(server.smtp_port, ALICE, "ann@far.example", message("no-tls"))
    assert not far.wait_messages()[0]["tls"]


def test_required_tls_waits_rather_than_going_in_the_clear(postrider, sink):
    far = sink()
    server = postrider(extra=RELAY, routes=[through(far.port, "with tls required")]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("must-tls"))
    server.wait_event(logs.DEFERRED, id=found)
    assert far.messages == [] and server.queue_ids() == [found]


def test_smart_host_with_starttls_and_auth(postrider, sink, certificate):
    far = sink(certificate=certificate, login=("shop", "secret words"))
    server = postrider(extra=RELAY, routes=[through(far.port, "with tls required as shop")])
    credentials = server.directory / "credentials"
    credentials.write_text("shop: shop secret words\n")
    credentials.chmod(0o600)
    server.extra.append(f"credentials from {credentials}")
    server.start()
    submit(server.smtp_port, ALICE, "ann@far.example", message("auth"))
    got = far.wait_messages()[0]
    assert got["tls"] and got["login"] == "shop"
    assert "secret words" not in server.log_text()


def test_passwords_never_leave_the_machine_in_the_clear(postrider):
    server = postrider(extra=RELAY, routes=["send mail through 192.0.2.1:587 with tls may as shop"])
    credentials = server.directory / "credentials"
    credentials.write_text("shop: shop secret\n")
    server.extra.append(f"credentials from {credentials}")
    server.start(wait=False)
    assert server.process.wait(60) == 78
    assert "password" in server.log_text()


def test_delivery_by_mx(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=RELAY, dns_port=dns().port).start()
    submit(server.smtp_port, ALICE, ["ann@far.example", "eve@address-only.example"], message("mx"))
    got = far.wait_messages(2)
    assert sorted(sum((m["rcpts"] for m in got), [])) == ["ann@far.example", "eve@address-only.example"]


def test_a_domain_may_be_an_alias(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=RELAY, dns_port=dns().port).start()
    submit(server.smtp_port, ALICE, "ann@alias.example", message("alias"))
    assert far.wait_messages()[0]["rcpts"] == ["ann@alias.example"]


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("host, domain", [("127.0.0.2", "[127.0.0.2]"),
                                          pytest.param("::1", "[IPv6:::1]", marks=needs_ipv6)])
def test_address_literals(postrider, sink, port_25, host, domain):
    server = postrider(extra=RELAY, retry="1 h").start()
    found = submit(server.smtp_port, ALICE, f"ann@{domain}", message("literal"))
    event = server.wait_event(logs.DEFERRED, id=found)[0]
    assert event["host"].endswith(f"[{host}]") and "cannot connect" in event["text"]
    far = sink(host, port_25)
    server.queue("retry", found)
    # The word before the colon has no case (RFC 5321, 2.4).
    assert [rcpt.lower() for rcpt in far.wait_messages()[0]["rcpts"]] == [f"ann@{domain}".lower()]


@needs_ipv6
def test_ipv6_comes_first_and_ipv4_where_nobody_answers(postrider, dns, sink, port_25):
    six, four = sink("::1", port_25), sink("127.0.0.2", port_25)
    server = postrider(extra=[*RELAY, "delivery processes 1"], dns_port=dns().port, retry="1 h").start()
    found = submit(server.smtp_port, ALICE, "a@two.example", message("six"))
    assert server.wait_event(logs.RELAYED, id=found)[0]["host"] == "mx.two.example[::1]"
    assert four.messages == []
    six.stop()
    found = submit(server.smtp_port, ALICE, "a@two.example", message("four"))
    assert server.wait_event(logs.RELAYED, id=found)[0]["host"] == "mx.two.example[127.0.0.2]"
    assert len(six.messages) == len(four.messages) == 1
    assert server.wait_event("try_failed")[0]["address"] == "::1"
    assert not logs.select(server.events(), logs.DEFERRED)


def test_equal_preferences_share_the_mail(postrider, dns, sink, port_25):
    """RFC 5321, 5.1: in an order by chance, and only those of the best preference while they take it."""
    zone = ZONE + "equal MX 10 mx1.equal\nequal MX 10 mx2.equal\nequal MX 20 mx3.equal\n" + "".join(
        f"mx{n}.equal A 127.0.0.{20 + n}\n" for n in (1, 2, 3))
    hosts = [sink(f"127.0.0.{20 + n}", port_25) for n in (1, 2, 3)]
    server = postrider(extra=[*RELAY, "delivery { idle connections none }"], dns_port=dns(zone).port).start()
    # That all forty go the same way happens once in 2^39 times.
    for number in range(40):
        submit(server.smtp_port, ALICE, f"a{number}@equal.example", message("equal"))
    until(lambda: sum(len(host.messages) for host in hosts) == 40, server.log_tail)
    assert hosts[0].messages and hosts[1].messages and not hosts[2].messages


def test_a_dead_host_is_tried_again_and_used_once_it_answers(postrider, dns, sink, port_25):
    server = postrider(extra=[*RELAY, "delivery processes 1"], dns_port=dns().port, retry="500 ms").start()
    found = submit(server.smtp_port, ALICE, "a@slowest.example", message("dead"))
    server.wait_event(logs.DEFERRED, 2, id=found)
    far = sink("127.0.0.4", port_25)
    server.wait_event(logs.RELAYED, id=found)
    assert len(far.messages) == 1


def test_a_host_that_is_mute_costs_one_time_out(postrider, dns, sink, mute, port_25):
    mute("127.0.0.4", port_25)
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=[*RELAY, "delivery processes 1", "delivery { connect timeout 1 s }"],
                       dns_port=dns().port, retry="1 h").start()
    submit(server.smtp_port, ALICE, "a@slow.example", message("first"))
    far.wait_messages(1)
    for number, domain in enumerate(("slow", "slower", "slower"), 2):
        submit(server.smtp_port, ALICE, f"b@{domain}.example", message("next"))
        far.wait_messages(number)
    tries = server.wait_event("try_failed")
    assert len(tries) == 1 and "no answer in time" in tries[0]["text"], tries
    # Where there is no other host, nobody waits for it either, and the text says why.
    found = submit(server.smtp_port, ALICE, "c@slowest.example", message("last"))
    event = server.wait_event(logs.DEFERRED, id=found)[0]
    assert "did not answer in time to earlier mail" in event["text"], event


@needs_ipv6
def test_one_family_that_leads_nowhere_is_given_up_sooner(postrider, dns, sink, mute, port_25):
    mute("::1", port_25)
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=[*RELAY, "delivery { connect timeout 5 m }"], dns_port=dns().port).start()
    submit(server.smtp_port, ALICE, "a@two.example", message("two"))
    far.wait_messages(1)
    assert server.wait_event("try_failed")[0]["address"] == "::1"


def test_mail_that_would_come_back_to_us_bounces(postrider, dns, sink, port_25):
    """We are the best MX of a domain that is not ours: by name, or by an address that we listen on."""
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=[*RELAY, f"listen smtp on 127.0.0.1:{port_25}"], domains=["ours.example"],
                       mailboxes={"alice@ours.example": "alice"}, dns_port=dns().port).start()
    for number, domain in enumerate(("home", "loop"), 1):
        submit(server.smtp_port, "alice@ours.example", f"ann@{domain}.example", message("loop"))
        bounce = server.wait_mail("alice", number)[-1]
        assert b"Status: 5.4.6" in bounce and b"accept mail for" in bounce, bounce.decode()
    assert far.messages == []
    submit(server.smtp_port, "alice@ours.example", "ann@spare.example", message("spare"))
    far.wait_messages(1)


def test_an_international_domain_is_found_by_its_a_label(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=RELAY, dns_port=dns().port).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        talk.expect(f"MAIL FROM:<{ALICE}> SMTPUTF8", 250)
        talk.expect("RCPT TO:<jörg@bücher.example>", 250)
        talk.data(message("idn"))
    assert far.wait_messages()[0]["rcpts"] == ["jörg@bücher.example"]


def test_the_second_mx_stands_in_for_the_first(postrider, dns, sink, port_25):
    far = sink("127.0.0.2", port_25)
    server = postrider(extra=RELAY, dns_port=dns().port).start()
    submit(server.smtp_port, ALICE, "ann@backup.example", message("backup"))
    assert far.wait_messages()[0]["rcpts"] == ["ann@backup.example"]


@pytest.mark.parametrize("domain, code, status", [("nosuch.example", "550", "5.1.2"),
                                                  ("null.example", "556", "5.1.10")])
def test_names_that_take_no_mail_bounce_at_once(postrider, dns, domain, code, status):
    server = postrider(extra=RELAY, dns_port=dns().port).start()
    found = submit(server.smtp_port, ALICE, f"ann@{domain}", message("nowhere"))
    event = server.wait_event(logs.BOUNCED, id=found)[0]
    assert (event["code"], event["status"]) == (code, status), event
    bounce = server.wait_mail("alice")[0]
    assert status.encode() in bounce, bounce.decode()


def test_a_silent_name_server_is_no_reason_to_bounce(postrider):
    server = postrider(extra=RELAY, dns_port=free_port()).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("dns"))
    server.wait_event(logs.DEFERRED, id=found)
    assert server.maildir("alice") == [] and server.queue_ids() == [found]


def test_8bit_and_long_messages_arrive_identical(postrider, sink):
    far = sink()
    server = postrider(extra=RELAY, routes=[through(far.port)]).start()
    body = "".join(f"{number:08d} äöü {'x' * 60}\r\n" for number in range(30000))
    content = message("long", body=body)
    submit(server.smtp_port, ALICE, "ann@far.example", content)
    assert far.wait_messages()[0]["data"].endswith(content)


def test_a_slow_destination_does_not_hold_up_others(postrider, sink):
    slow, quick = sink(), sink()
    held = slow.always["mail"] = Held("250 2.1.0 At last")
    server = postrider(extra=RELAY, routes=[through(slow.port, domain="for slow.example"),
                                            through(quick.port)]).start()
    for number in range(5):
        submit(server.smtp_port, ALICE, f"u{number}@slow.example", message(f"slow{number}"))
    submit(server.smtp_port, ALICE, "ann@quick.example", message("quick"))
    quick.wait_messages()
    assert slow.messages == []
    held.let_go()
    slow.wait_messages(5)


@pytest.mark.parametrize("banner", [
    "554 5.3.2 No mail here", b"\r\n", b"garbage\r\n", b"\0\0\0\0\r\n", DROP, b"220-" + b"x" * 70000,
    "421 4.3.2 Later"], ids=["554", "empty", "garbage", "nul", "drop", "endless", "421"])
def test_strange_greetings_defer_and_harm_nothing(postrider, sink, banner):
    far = sink()
    far.script["banner"] = [banner]
    server = postrider(extra=RELAY, routes=[through(far.port)]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("strange"))
    if isinstance(banner, str) and banner.startswith("554"):
        # One server's refusal to talk is permanent for this attempt only if we say so; both an
        # immediate bounce and another try are allowed.
        until(lambda: far.messages or server.maildir("alice"), server.log_tail)
        return
    server.wait_event(logs.DEFERRED, id=found)
    assert far.wait_messages()[0]["rcpts"] == ["ann@far.example"]
    server.wait_queue_empty()


@pytest.mark.parametrize("stage", ["ehlo", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("fault", [DROP, b"nonsense\r\n", "451 4.3.0 Not now"],
                         ids=["drop", "nonsense", "451"])
def test_faults_at_each_stage_are_tried_again(postrider, sink, stage, fault):
    far = sink()
    far.script[stage] = [fault]
    server = postrider(extra=RELAY, routes=[through(far.port)]).start()
    found = submit(server.smtp_port, ALICE, "ann@far.example", message("again"))
    # EHLO refused may be answered with HELO in the same session: then nothing was deferred.
    if stage != "ehlo":
        server.wait_event(logs.DEFERRED, id=found)
    far.wait_messages(2 if stage == "dot" and fault is DROP else 1)
    server.wait_queue_empty()
    assert server.maildir("alice") == [], "a fault that passes must not bounce"
    server.wait_event(logs.RELAYED, id=found)
    finals = [e for e in logs.of_message(server.events(), found) if e["event"] in logs.FINAL]
    assert [e["event"] for e in finals] == [logs.RELAYED]


def test_each_recipient_has_its_own_end(postrider, sink):
    far = sink()
    far.rcpt_replies["bad@far.example"] = "550 5.1.1 Nobody of that name"
    server = postrider(extra=RELAY, routes=[through(far.port)]).start()
    found = submit(server.smtp_port, ALICE, ["good@far.example", "bad@far.example", "bob@home.example"],
                   message("mixed"))
    assert far.wait_messages()[0]["rcpts"] == ["good@far.example"]
    bounce = email.message_from_bytes(server.wait_mail("alice")[0])
    server.wait_mail("bob")
    server.wait_queue_empty()
    for end in (logs.RELAYED, logs.BOUNCED, logs.DELIVERED):
        server.wait_event(end, id=found)
    ends = {e["to"]: e["event"] for e in logs.of_message(server.events(), found)
            if e["event"] in logs.FINAL}
    assert ends == {"good@far.example": logs.RELAYED, "bad@far.example": logs.BOUNCED,
                    "bob@home.example": logs.DELIVERED}
    assert "good@far.example" not in str(bounce.get_payload()[1])
