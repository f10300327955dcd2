"""A wrong configuration never starts, and says where it is wrong."""
import os
import subprocess

import pytest

from server import CONFIG_ERROR, HOSTNAME, PROGRAM
from talk import Closed, Talk, message, submit
from waiting import until


def serve(server):
    """Tries to serve; gives (exit status, all that it said)."""
    result = subprocess.run([PROGRAM, "serve", "--config", str(server.config)], timeout=60,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace")
    return result.returncode, result.stdout


@pytest.mark.parametrize("line, says", [
    ("hostnmae x.example", "hostname"),
    ("nonsense", "nonsense"),
    ("queue { retry after soon }", "soon"),
    ("queue { expire after 5 parsecs }", "parsecs"),
    ("limits { message size 1 KB }", "message size"),
    ("limits { mesage size 1 MB }", "message size"),
    ("listen smtp on 127.0.0.1:99999", "99999"),
    ("listen smtp on 300.1.1.1", "300.1.1.1"),
    ("relay for 192.0.2.1/24", "192.0.2.1/24"),
    ("include nosuch.conf", "nosuch.conf"),
    ("limits {", "limits"),
    ("}", "}"),
    ('postmaster goes to "unfinished', "unfinished"),
    ("log as xml", "xml"),
])
def test_an_error_names_file_line_and_column(postrider, line, says):
    server = postrider()
    server.write_files()
    text = server.config.read_text() + line + "\n"
    server.config.write_text(text)
    for result in (serve(server), check(server)):
        status, said = result
        assert status == CONFIG_ERROR, said
        assert says in said, said
        assert f"postrider.conf:{len(text.splitlines())}:" in said or line in ("limits {",), said
        assert "^" in said, "no caret"


def check(server):
    result = server.run("config", "check")
    return result.returncode, (result.stdout + result.stderr).decode(errors="replace")


def test_nothing_is_made_by_a_server_that_does_not_start(postrider):
    server = postrider()
    server.write_files()
    server.config.write_text(server.config.read_text() + "nonsense\n")
    assert serve(server)[0] == CONFIG_ERROR
    assert not server.spool.exists() and not (server.directory / "mail").exists()


@pytest.mark.parametrize("missing", ["mailboxes", "passwords"])
def test_a_missing_table_does_not_start(postrider, missing):
    server = postrider()
    server.write_files()
    (server.directory / missing).unlink()
    status, said = serve(server)
    assert status != 0 and missing in said, said


def test_a_key_that_is_not_the_certificates_does_not_start(postrider):
    server = postrider()
    server.key = str(server.directory / "other.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-out", server.key], check=True, stderr=subprocess.DEVNULL)
    server.write_files()
    status, said = serve(server)
    assert status != 0 and "key" in said, said


def test_a_taken_port_is_named(postrider, sink):
    taken = sink()
    server = postrider(smtp_port=taken.port)
    server.write_files()
    status, said = serve(server)
    assert status != 0 and str(taken.port) in said, said


def test_the_smallest_configuration_serves(postrider):
    server = postrider()
    server.write_files()
    owner = " as _postrider_mailbox" if os.geteuid() == 0 else ""
    lines = [
        f"hostname {HOSTNAME}",
        f"listen smtp on 127.0.0.1:{server.smtp_port}",
        "accept mail for home.example",
        "mailboxes from mailboxes",
        f"deliver to maildir mail{owner}",
        "spool spool",
        "control socket control",
    ]
    assert len(lines) < 10
    server.config.write_text("\n".join(lines) + "\n")
    server.launch()
    server.wait_ready()
    submit(server.smtp_port, "ann@client.example", "alice@home.example", message("small"))
    server.wait_mail("alice")


def test_check_and_show(server):
    result = server.run("config", "check")
    assert result.returncode == 0, result
    shown = server.run("config", "show")
    assert shown.returncode == 0
    text = shown.stdout.decode()
    assert HOSTNAME in text and "message size" in text
    # What is shown is a configuration, and the same one.
    again = server.directory / "shown.conf"
    again.write_text(text)
    second = server.run("config", "show", "--config", str(again), config=False)
    assert second.returncode == 0, second
    assert second.stdout.decode() == text


def test_includes_are_relative_to_their_file(postrider):
    server = postrider(extra=["include parts/more.conf"])
    (server.directory / "parts").mkdir()
    (server.directory / "parts/more.conf").write_text("limits { message size 64 KB }\n")
    server.start()
    with Talk(server.smtp_port) as talk:
        assert talk.ehlo()["SIZE"] == str(64 << 10)


def test_two_servers_on_one_spool_the_second_refuses(postrider):
    first = postrider().start()
    second = postrider()
    second.write_files()
    second.config.write_text(second.config_text().replace(f"spool {second.spool}", f"spool {first.spool}"))
    status, said = serve(second)
    assert status != 0 and "spool" in said, said
    submit(first.smtp_port, "ann@client.example", "alice@home.example", message("still"))
    first.wait_mail("alice")


def test_a_reload_takes_a_good_configuration(postrider):
    server = postrider().start()
    refused(server.smtp_port, "carol@home.example")
    server.mailboxes["carol@home.example"] = "carol"
    server.extra.append("limits { message size 70 KB }")
    server.write_files()
    assert "config_replaced" in server.reload()

    def taken():
        try:
            return submit(server.smtp_port, "ann@client.example", "carol@home.example",
                          message("new"))
        except (AssertionError, OSError, Closed):
            return False

    until(taken, server.log_tail)
    assert b"X-Token: new" in server.wait_mail("carol")[0]

    def size():
        with Talk(server.smtp_port) as talk:
            return talk.ehlo()["SIZE"]

    until(lambda: size() == "71680", "the new size")


def test_a_reload_refuses_a_bad_one_and_keeps_the_old(postrider):
    server = postrider().start()
    good = server.config.read_text()
    for bad in ("nonsense here\n", good + "hostname again.example\n"):
        server.config.write_text(bad)
        assert "config_kept" in server.reload()
    server.config.write_text(good)
    (server.directory / "mailboxes").write_text("alice@home.example: alice\nalice@home.example: bob\n")
    assert "config_kept" in server.reload()
    submit(server.smtp_port, "ann@client.example", "bob@home.example", message("still"))
    assert b"X-Token: still" in server.wait_mail("bob")[0]


def refused(port, address):
    with Talk(port) as talk:
        talk.ehlo()
        talk.expect("MAIL FROM:<ann@client.example>", 250)
        talk.expect(f"RCPT TO:<{address}>", 550)
