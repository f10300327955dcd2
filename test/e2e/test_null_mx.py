"""
A sender whose domain says that it takes no mail (a null MX, RFC 7505) is refused, where DNS says so
in time and the client is a stranger.
"""
import socket

import pytest

from talk import Talk, message, submit

ALICE = "alice@home.example"
REFUSED = "550 5.7.27 The domain of ann@null.example takes no mail"


def said(server, sender):
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        return talk.ask(f"MAIL FROM:<{sender}>")


def test_a_sender_who_takes_no_mail_is_refused(postrider, dns):
    server = postrider(dns_port=dns().port).start()
    with Talk(server.smtp_port) as talk:
        talk.ehlo()
        reply = talk.ask("MAIL FROM:<ann@null.example>")
        assert repr(reply).startswith(REFUSED) and reply.text.endswith("(HELP sender)")
        # Nothing has begun, and the session goes on.
        assert talk.ask(f"RCPT TO:<{ALICE}>").code == 503
        for sender in ("ann@far.example", "ann@nosuch.example", "ann@address-only.example",
                       "ann@[127.0.0.9]", "bob@home.example", ""):
            talk.expect(f"MAIL FROM:<{sender}>", 250)
            talk.expect("RSET", 250)
        # In one packet with what follows, too.
        talk.send(f"MAIL FROM:<ann@null.example>\r\nRCPT TO:<{ALICE}>\r\nMAIL FROM:<ann@far.example>\r\n".encode())
        assert [talk.reply().code for _ in range(3)] == [550, 503, 250]
    submit(server.smtp_port, "ann@far.example", ALICE, message("welcome"))
    assert server.wait_mail("alice")


@pytest.mark.parametrize("line", ["relay for 127.0.0.0/8", "refuse null mx senders no"])
def test_not_where_it_is_off_or_the_client_may_relay(postrider, dns, line):
    server = postrider(dns_port=dns().port, extra=[line]).start()
    assert said(server, "ann@null.example").code == 250


def test_dns_that_says_nothing_is_no_reason_to_refuse(postrider):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = postrider(dns_port=silent.getsockname()[1]).start()
        assert said(server, "ann@null.example").code == 250
        assert server.maildir("alice") == []


def test_a_resolver_that_is_gone_is_no_reason_to_refuse(postrider, dns):
    server = postrider(dns_port=dns().port).start()
    server.kill_role("resolver")
    assert said(server, "ann@far.example").code == 250
