"""Real clients, each as its users use it, delivering to a Maildir."""
import email
import email.policy
import smtplib
import ssl
import subprocess

import pytest

from server import PASSWORD
from talk import message

BODY = "Hello from a real client.\n.leading dot\nlast line\n"


def run(*command, input=None, env=None):
    result = subprocess.run(command, input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=60, env=env)
    assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}"
    return result.stdout


def assert_arrived(server, mailbox, subject, protocol=None):
    found = email.message_from_bytes(server.wait_mail(mailbox)[0], policy=email.policy.default)
    assert found["Subject"] == subject
    assert found.get_content().replace("\r\n", "\n").strip() == BODY.strip()
    if protocol:
        assert f"with {protocol} " in " ".join(found["Received"].split()) + " ", found["Received"]
    return found


def text(subject, sender="alice@home.example"):
    return f"From: {sender}\nTo: alice@home.example\nSubject: {subject}\n\n{BODY}"


def context(server):
    return ssl.create_default_context(cafile=server.certificate)


def test_swaks(server):
    run("swaks", "--server", f"127.0.0.1:{server.smtp_port}", "--from", "ann@client.example",
        "--to", "alice@home.example", "--header", "Subject: swaks", "--body", BODY,
        "--helo", "client.example")
    assert_arrived(server, "alice", "swaks", "ESMTP")


def has_perl_tls():
    return subprocess.run(["perl", "-MNet::SSLeay", "-e1"], stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", ["--tls", "--tlsc"])
def test_swaks_with_tls_and_auth(server, way, mechanism):
    if not has_perl_tls():
        pytest.skip("perl has no Net::SSLeay (tools/setup test installs it)")
    port = server.submission_port if way == "--tls" else server.submissions_port
    run("swaks", "--server", f"127.0.0.1:{port}", way, "--auth", mechanism, "--auth-user", "alice",
        "--auth-password", PASSWORD, "--from", "alice@home.example", "--to", "bob@home.example",
        "--header", "Subject: swaks", "--body", BODY, "--helo", "client.example")
    assert_arrived(server, "bob", "swaks", "ESMTPSA")


def msmtp_config(server, port, *lines):
    path = server.directory / "msmtprc"
    path.write_text("\n".join([
        "account default", "host 127.0.0.1", f"port {port}", "from alice@home.example",
        "domain client.example", *lines]) + "\n")
    path.chmod(0o600)
    return str(path)


def test_msmtp_plain(server):
    config = msmtp_config(server, server.smtp_port, "auth off", "tls off")
    run("msmtp", "-C", config, "alice@home.example", input=text("msmtp"))
    assert_arrived(server, "alice", "msmtp", "ESMTP")


@pytest.mark.parametrize("starttls", ["on", "off"])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_msmtp_submission(server, starttls, mechanism):
    port = server.submission_port if starttls == "on" else server.submissions_port
    config = msmtp_config(
        server, port, f"auth {mechanism}", "user alice", f"password {PASSWORD}", "tls on",
        f"tls_starttls {starttls}", f"tls_trust_file {server.certificate}")
    run("msmtp", "-C", config, "bob@home.example", input=text("msmtp"))
    assert_arrived(server, "bob", "msmtp", "ESMTPSA")


def test_msmtp_is_told_of_a_wrong_password(server):
    config = msmtp_config(
        server, server.submissions_port, "auth plain", "user alice", "password wrong", "tls on",
        "tls_starttls off", f"tls_trust_file {server.certificate}")
    result = subprocess.run(["msmtp", "-C", config, "bob@home.example"], input=text("x"), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert result.returncode != 0 and "535" in result.stdout, result.stdout


def test_curl_smtp(server):
    path = server.directory / "mail.txt"
    path.write_text(text("curl").replace("\n", "\r\n"))
    run("curl", "-sS", f"smtp://127.0.0.1:{server.smtp_port}/client.example", "--mail-from",
        "ann@client.example", "--mail-rcpt", "alice@home.example", "--upload-file", str(path))
    assert_arrived(server, "alice", "curl", "ESMTP")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl_with_tls_and_auth(server, scheme):
    port = server.submission_port if scheme == "smtp" else server.submissions_port
    path = server.directory / "mail.txt"
    path.write_text(text("curl").replace("\n", "\r\n"))
    run("curl", "-sS", "--ssl-reqd", "--cacert", server.certificate,
        f"{scheme}://127.0.0.1:{port}/client.example", "--user", f"alice:{PASSWORD}",
        "--mail-from", "alice@home.example", "--mail-rcpt", "bob@home.example",
        "--upload-file", str(path))
    assert_arrived(server, "bob", "curl", "ESMTPSA")


def test_s_nail(server):
    env = {"PATH": "/usr/bin:/bin", "HOME": str(server.directory), "LC_ALL": "C.UTF-8"}
    run("s-nail", "-:/", "-Sv15-compat", f"-Smta=smtp://127.0.0.1:{server.smtp_port}",
        "-Ssmtp-auth=none", "-Ssmtp-config=-all,ehlo", "-Shostname=client.example", "-Ssendwait",
        "-S", "from=ann@client.example", "-s", "s-nail", "alice@home.example", input=BODY, env=env)
    assert_arrived(server, "alice", "s-nail", "SMTP")


def test_smtplib_plain(server):
    with smtplib.SMTP("127.0.0.1", server.smtp_port, local_hostname="client.example") as client:
        client.sendmail("ann@client.example", ["alice@home.example"], text("smtplib"))
    assert_arrived(server, "alice", "smtplib", "ESMTP")


def test_smtplib_with_helo_only(server):
    with smtplib.SMTP("127.0.0.1", server.smtp_port) as client:
        client.helo("client.example")
        client.sendmail("ann@client.example", ["alice@home.example"], text("helo"))
    assert_arrived(server, "alice", "helo", "SMTP")


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_smtplib_starttls_and_auth(server, mechanism):
    with smtplib.SMTP("127.0.0.1", server.submission_port, local_hostname="client.example") as client:
        client.starttls(context=context(server))
        client.ehlo()
        client.user, client.password = "alice", PASSWORD
        name = mechanism.removeprefix("auth_").upper()
        assert client.auth(name, getattr(client, mechanism))[0] == 235
        assert client.sendmail("alice@home.example", ["bob@home.example"], text("smtplib")) == {}
    assert_arrived(server, "bob", "smtplib", "ESMTPSA")


def test_smtplib_implicit_tls(server):
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions_port, context=context(server)) as client:
        client.login("alice", PASSWORD)
        client.sendmail("alice@home.example", ["bob@home.example"], text("smtplib"))
    assert_arrived(server, "bob", "smtplib", "ESMTPSA")


def test_smtplib_wrong_password(server):
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions_port, context=context(server)) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as error:
            client.login("alice", "wrong")
        assert error.value.smtp_code == 535


def test_smtplib_smtputf8(server):
    content = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    content["From"] = "jörg@client.example"
    content["To"] = "alice@home.example"
    content["Subject"] = "Grüße"
    content.set_content(BODY, cte="8bit")
    with smtplib.SMTP("127.0.0.1", server.smtp_port, local_hostname="client.example") as client:
        client.send_message(content)
    found = server.wait_mail("alice")[0]
    assert "Return-Path: <jörg@client.example>".encode() in found
    assert "with UTF8SMTP" in found.decode()


def test_smtplib_partly_refused(server):
    with smtplib.SMTP("127.0.0.1", server.smtp_port) as client:
        refused = client.sendmail("ann@client.example", ["alice@home.example", "nosuch@home.example"],
                                  message("partly"))
    assert list(refused) == ["nosuch@home.example"]
    assert refused["nosuch@home.example"][0] == 550
    assert len(server.wait_mail("alice")) == 1
