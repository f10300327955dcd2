"""Load balancers in front: PROXY headers, versions 1 and 2, and who may send them."""
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import pytest

import logs
from server import ROOT, make_directory, settle
from talk import Closed, Talk, message, queue_id
from waiting import free_port, until

FROM = "take proxy header from 127.0.0.2"
PROXY = ("127.0.0.2", 0)
CLIENT = "192.0.2.7"
V1 = f"PROXY TCP4 {CLIENT} 192.0.2.1 40000 25\r\n".encode()
V2_START = b"\r\n\r\n\0\r\nQUIT\n"


def v2(client=CLIENT, command=0x21, added=b""):
    family, code = (socket.AF_INET6, 0x21) if ":" in client else (socket.AF_INET, 0x11)
    body = socket.inet_pton(family, client) * 2 + struct.pack("!HH", 40000, 25) + added
    return V2_START + bytes([command, code]) + struct.pack("!H", len(body)) + body


HEADERS = {"v1": V1, "v2": v2(), "v2 with more": v2(added=b"\x20\0\x05\x01\0\0\0\0\x04\0\0")}


@pytest.fixture
def behind(postrider):
    return postrider(extra=[FROM, "relay for 127.0.0.0/8"]).start()


def connect(port, header, tls=False, source=PROXY):
    talk = Talk(port, greeting=False, source=source)
    talk.send(header)
    if tls:
        talk.start_tls()
    talk.greeting = talk.reply()
    return talk


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_the_client_is_the_headers(behind, header):
    with connect(behind.smtp_port, header) as talk:
        talk.ehlo()
        talk.start("ann@far.example", "alice@home.example")
        assert talk.ask("RCPT TO:<x@far.example>").code == 550, "the client is no relay's"
        queue_id(talk.data(message("one")))
    received = behind.wait_mail("alice")[0]
    assert f"[{CLIENT}]".encode() in received and b"127.0.0.2" not in received
    assert behind.wait_event("speaks_for", address=CLIENT, client="127.0.0.2")
    assert behind.wait_event(logs.ACCEPTED, client=CLIENT)
    assert behind.wait_event(logs.REFUSED, client=CLIENT, status="5.7.1")


def test_ipv6(behind):
    with connect(behind.smtp_port, v2("2001:db8::7")) as talk:
        talk.ehlo()
    assert behind.wait_event("disconnected", client="2001:db8::7")
    with connect(behind.smtp_port, b"PROXY TCP6 2001:db8::8 2001:db8::1 1 25\r\n") as talk:
        talk.ehlo()
    assert behind.wait_event("disconnected", client="2001:db8::8")


@pytest.mark.parametrize("header", [V1, v2()], ids=["v1", "v2"])
@pytest.mark.parametrize("port", ["smtp_port", "submissions_port"])
def test_byte_by_byte(behind, header, port):
    talk = Talk(getattr(behind, port), greeting=False, source=PROXY)
    for at in range(len(header)):
        talk.send(header[at:at + 1])
    with talk:
        if port == "submissions_port":
            talk.start_tls()
        assert talk.reply().code == 220
        assert "SIZE" in talk.ehlo()
    assert behind.wait_event("disconnected", client=CLIENT)


def test_all_at_once(behind):
    """What stands behind the header is the client's, in the same packet too."""
    with connect(behind.smtp_port, V1 + b"EHLO a\r\nNOOP\r\n") as talk:
        assert talk.reply().code == 250 and talk.reply().code == 250


def test_before_tls(behind):
    with connect(behind.submissions_port, v2(), tls=True) as talk:
        assert "AUTH" in talk.ehlo()
    assert behind.wait_event("tls", client=CLIENT)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(command=0x20), V2_START + b"\x21\0\0\0"],
                         ids=["v1 unknown", "v2 local", "v2 unspec"])
def test_a_proxy_that_tells_no_client(behind, header):
    """Its own address stands, and is worth nothing: it may be anybody who speaks."""
    with connect(behind.smtp_port, header) as talk:
        talk.ehlo()
        talk.start("ann@far.example", "alice@home.example")
        assert talk.ask("RCPT TO:<x@far.example>").code == 550


@pytest.mark.parametrize("bytes_sent, why", [
    (b"EHLO client.example\r\n", "does not begin with"),
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 40000\r\n", "not written as it should"),
    (b"PROXY TCP4 " + b"x" * 200, "longer than 107"),
    (V2_START + b"\x21\x11\xff\xff", "longer than 4096"),
    (V2_START + b"\x21\x11\0\x04abcd", "too short"),
    (b"\x16\x03\x01\x02\0\x01", "does not begin with"),
])
@pytest.mark.parametrize("port", ["smtp_port", "submissions_port"])
def test_without_a_good_header_it_ends(behind, port, bytes_sent, why):
    with Talk(getattr(behind, port), greeting=False, source=PROXY) as talk:
        talk.send(bytes_sent)
        with pytest.raises(Closed):
            talk.reply()
    event = behind.wait_event("proxy_refused", client="127.0.0.2")[0]
    assert why in event["text"] and "send-proxy" in event["advice"]


def test_too_slow(postrider):
    server = postrider(extra=[FROM, "limits { handshake timeout 1 s }"]).start()
    with Talk(server.smtp_port, greeting=False, source=PROXY) as talk:
        talk.send(V1[:-1])
        with pytest.raises(Closed):
            talk.reply()
    assert server.wait_event("proxy_refused", limit="handshake_timeout")


def test_from_elsewhere_it_is_nothing(behind):
    with Talk(behind.smtp_port) as talk:
        assert talk.ask(V1).code == 500
        talk.ehlo()
        talk.start("ann@far.example", "alice@home.example", "x@far.example")
    with Talk(behind.smtp_port) as talk:
        talk.send(v2())
        assert talk.reply().code == 500
    with Talk(behind.submissions_port, greeting=False) as talk:
        talk.send(V1)
        with pytest.raises(Closed):
            talk.reply()
    settle(0.2)
    assert not logs.select(behind.events(), "speaks_for")


def test_limits_are_the_clients(postrider):
    server = postrider(extra=[FROM, "limits { sessions per host 2 }"]).start()
    kept = [connect(server.smtp_port, V1), connect(server.smtp_port, v2())]
    refused = connect(server.smtp_port, V1)
    assert refused.greeting.code == 421 and CLIENT in refused.greeting.text
    other = connect(server.smtp_port, v2("192.0.2.8"))
    assert other.greeting.code == 220
    kept[0].close()
    server.wait_event("disconnected", client=CLIENT)
    again = connect(server.smtp_port, V1)
    assert again.greeting.code == 220
    for talk in [*kept, refused, other, again]:
        talk.close()


def test_early_talk_is_noticed_behind_the_header(postrider):
    server = postrider(extra=[FROM, "limits { greeting delay 2 s }"]).start()
    for early in (b"EHLO a\r\n", b""):
        talk = Talk(server.smtp_port, greeting=False, source=PROXY)
        talk.send(V1 + early)
        assert talk.reply().code == (554 if early else 220)
        talk.close()
    assert server.wait_event(logs.REFUSED, client=CLIENT, limit="greeting_delay")


def test_xclient_is_for_the_headers_client(postrider):
    server = postrider(extra=[FROM, f"take xclient from {CLIENT}"]).start()
    with connect(server.smtp_port, V1) as talk:
        assert "XCLIENT" in talk.ehlo()
        assert talk.ask("XCLIENT ADDR=192.0.2.9").code == 220
        talk.ehlo()
        talk.start("ann@far.example", "alice@home.example")
        queue_id(talk.data(message("two")))
    assert b"[192.0.2.9]" in server.wait_mail("alice")[0]
    with connect(server.smtp_port, v2("192.0.2.8")) as talk:
        assert "XCLIENT" not in talk.ehlo()
        assert talk.ask("XCLIENT ADDR=192.0.2.9").code == 550


def test_it_stops_while_headers_are_awaited(behind):
    with Talk(behind.smtp_port, greeting=False, source=PROXY) as talk:
        talk.send(V1[:10])
        behind.wait_event("connected", client="127.0.0.2")
        assert behind.stop() == 0


HAPROXY = ROOT / "build/peers/haproxy/usr/sbin/haproxy"


@pytest.fixture
def haproxy():
    """Starts haproxy in front of a port; gives the port that clients connect to."""
    started = []

    def start(to_port, send):
        assert HAPROXY.exists(), "there is no haproxy: run tools/setup test"
        directory, port = make_directory(), free_port()
        config = directory / "haproxy.cfg"
        config.write_text(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n"
            "  timeout server 60s\n"
            f"listen mail\n  bind 127.0.0.1:{port}\n"
            f"  server us 127.0.0.1:{to_port} source 127.0.0.2 check inter 200ms {send}\n")
        log = open(directory / "log", "wb")
        process = subprocess.Popen([str(HAPROXY), "-db", "-f", str(config)], stdout=log, stderr=log)
        started.append((process, directory))

        def is_up():
            assert process.poll() is None, Path(directory, "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return True
            except OSError:
                return False

        until(is_up, "haproxy takes connections")
        return port

    yield start
    for process, directory in started:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_haproxy(behind, haproxy, send):
    """Its checks of whether we live, every 200 ms, are sessions too that do no harm."""
    port = haproxy(behind.smtp_port, f"{send} check-send-proxy")
    with Talk(port, source=("127.0.0.3", 0)) as talk:
        talk.ehlo()
        talk.start("ann@far.example", "alice@home.example")
        queue_id(talk.data(message("haproxy")))
    assert b"[127.0.0.3]" in behind.wait_mail("alice")[0]
    assert behind.wait_event("speaks_for", address="127.0.0.3", client="127.0.0.2")
    assert not logs.select(behind.events(), "proxy_refused")


def test_haproxy_before_tls(behind, haproxy):
    port = haproxy(behind.submissions_port, "send-proxy-v2")
    with Talk(port, tls=True, source=("127.0.0.3", 0)) as talk:
        assert "AUTH" in talk.ehlo()
    assert behind.wait_event("tls", client="127.0.0.3")
