"""nmap's scripts for SMTP, as strangers and auditors run them, and what they find."""
import re
import subprocess

SCRIPTS = "+smtp-commands,+smtp-open-relay,+smtp-enum-users,+smtp-vuln-*,+smtp-ntlm-info"


def nmap(ports, scripts, arguments=(), *more):
    """{port: {script: its lines}}"""
    command = ["nmap", "-Pn", "-n", "-p", ",".join(map(str, ports)), "--script", scripts, *more]
    if arguments:
        command += ["--script-args", ",".join(arguments)]
    result = subprocess.run([*command, "127.0.0.1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=400)
    assert result.returncode == 0, result.stdout
    found, port = {}, None
    for line in result.stdout.splitlines():
        if match := re.match(r"(\d+)/tcp +open", line):
            port = found.setdefault(int(match[1]), {})
        elif match := re.match(r"\|[_ ]([a-z][\w-]+): ?(.*)", line):
            script = port.setdefault(match[1], [])
            script += [match[2]] if match[2] else []
        elif port is not None and line.startswith(("| ", "|_")):
            script.append(line[2:].strip())
    assert sorted(found) == sorted(ports), result.stdout
    return found


def test_what_strangers_find(postrider):
    server = postrider(mailboxes={"alice@home.example": "alice", "root@home.example": "root"}).start()
    found = nmap([server.smtp_port, server.submission_port], SCRIPTS,
                 ["smtp-enum-users.domain=home.example", "smtp-enum-users.methods={VRFY,EXPN}"])
    smtp, submission = found[server.smtp_port], found[server.submission_port]
    for scripts in (smtp, submission):
        commands = " ".join(scripts["smtp-commands"])
        for keyword in ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8",
                        "CHUNKING", "STARTTLS", "HELP"):
            assert keyword in commands, commands
        assert "AUTH PLAIN" not in commands, "passwords are offered in clear text"
        # VRFY and EXPN tell nothing, though there is a root.
        assert scripts["smtp-enum-users"] == ["Couldn't find any accounts"], scripts
        assert all("NOT VULNERABLE" in " ".join(lines) for name, lines in scripts.items()
                   if name.startswith("smtp-vuln")), scripts
        assert "smtp-ntlm-info" not in scripts
    assert smtp["smtp-open-relay"] == ["Server doesn't seem to be an open relay, all tests failed"]
    assert submission["smtp-open-relay"] == ["Server isn't an open relay, authentication needed"]
    # None of it hurt: the server is as it was.
    assert not server.maildir("root") and not server.queue_ids()
    assert "role_died" not in server.log_text()


def test_a_relay_would_be_found(postrider):
    """The same script finds one that is open, so that its silence above means something."""
    server = postrider(extra=["relay for 127.0.0.0/8", "hold all mail yes"]).start()
    found = nmap([server.smtp_port], "+smtp-open-relay")
    assert "Server is an open relay" in found[server.smtp_port]["smtp-open-relay"][0], found


def test_recipients_of_our_own_domain_are_told_at_rcpt_only(postrider):
    """
    A 550 at RCPT is better than a bounce to a forged sender, and it is the one way to find out who
    exists; each try is an error that counts.
    """
    server = postrider(mailboxes={"alice@home.example": "alice", "root@home.example": "root"}).start()
    found = nmap([server.smtp_port], "+smtp-enum-users",
                 ["smtp-enum-users.domain=home.example", "smtp-enum-users.methods={RCPT}"])
    assert found[server.smtp_port]["smtp-enum-users"] == ["root"], found


def test_a_strange_port_is_strange_and_25_is_not(postrider, port_25):
    server = postrider()
    strange, server.smtp_port = server.submission_port, port_25
    server.start()
    found = nmap([strange, port_25], "smtp-strangeport,smtp-commands", (), "-sV",
                 "--version-intensity", "0")
    assert "unusual port" in found[strange]["smtp-strangeport"][0], found
    assert "smtp-strangeport" not in found[port_25] and "smtp-commands" in found[port_25], found
