"""The program's sub-commands, as a person and as a script use them."""
import json
import subprocess

import pytest

from server import PASSWORD, PROGRAM, USAGE_ERROR, program
from talk import message
from waiting import free_port

IO_ERROR = 74  # EX_IOERR

COMMANDS = ["serve", "config", "queue", "send", "explain", "compare", "why", "protocol", "version"]


def said(*arguments, **options):
    result = program(*arguments, **options)
    assert result.returncode == 0, result
    return result.stdout.decode()


def test_version():
    assert said("version").startswith("postrider 0.")


@pytest.mark.parametrize("arguments", [["help"], ["--help"]])
def test_help_names_every_command(arguments):
    text = said(*arguments)
    for command in COMMANDS:
        assert command in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_for_each_command(command):
    for arguments in (["help", command], [command, "--help"]):
        text = said(*arguments)
        assert f"postrider {command}" in text and len(text.splitlines()) >= 3


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["explain"], ["send"], ["serve", "--nosuch"],
                                       ["compare", "250"], ["send", "--server", "127.0.0.1:25"]])
def test_wrong_use(arguments):
    result = program(*arguments)
    assert result.returncode == USAGE_ERROR, result
    assert result.stderr.startswith(b"postrider"), result
    assert b"\n" in result.stderr and not result.stdout, result


def test_an_unknown_command_gets_the_nearest_one():
    result = program("explian", "252")
    assert result.returncode == USAGE_ERROR and b"explain" in result.stderr


@pytest.mark.parametrize("code", ["252", "220", "250", "354", "421", "450", "550", "554",
                                  "5.1.1", "4.2.1", "X.7.1", "2.1.5"])
def test_explain(code):
    text = said("explain", code)
    assert code.split(".", 1)[-1] in text and "RFC" in text and len(text) > 200
    row = json.loads(said("explain", code, "--json"))
    assert isinstance(row, dict) and row


@pytest.mark.parametrize("code, says", [("472", "transient"), ("5.99.99", "permanent"),
                                        ("299", "positive")])
def test_explain_a_code_that_nobody_has_standardised(code, says):
    """Its digits still tell what a client makes of it."""
    text = said("explain", code)
    assert code in text and says in text.lower(), text
    assert json.loads(said("explain", code, "--json"))


def test_explain_252_says_what_it_means():
    text = said("explain", "252").lower()
    assert "vrfy" in text


TRANSLATED = {"ar": "المعنى", "de": "Bedeutung", "es": "Significado", "fr": "Signification",
              "hi": "अर्थ", "ja": "意味", "pt": "Significado", "ru": "Значение", "zh": "含义"}


@pytest.mark.parametrize("language, word", TRANSLATED.items())
def test_pages_in_other_languages(language, word):
    english = said("explain", "252")
    text = said("explain", "252", "--lang", language)
    assert word in text and "252" in text and "VRFY" in text and "RFC 5321" in text
    assert text.splitlines()[0] != english.splitlines()[0] and "Meaning" not in text
    meaning = json.loads(said("explain", "252", "--json", "--lang", language))["reply"]["meaning"]
    assert "".join(meaning.split()) in "".join(text.split())
    for environment in ({"LC_ALL": f"{language}_XX.UTF-8"}, {"LC_ALL": "", "LANG": f"{language}.utf8"}):
        assert said("explain", "252", environment=environment) == text
    # What could not be shown in another character set is in English.
    assert said("explain", "252", environment={"LC_ALL": f"{language}_XX.ISO-8859-1"}) == english
    forth = said("compare", "450", "550", "--lang", language)
    assert forth == said("compare", "550", "450", "--lang", language) != said("compare", "450", "550")


def test_a_language_that_is_not_there():
    result = program("explain", "250", "--lang", "xx")
    assert result.returncode == USAGE_ERROR and b"en (English)" in result.stderr and not result.stdout


@pytest.mark.parametrize("code", ["999", "abc", "", "25", "25 0 ok"])
def test_explain_of_what_is_no_code(code):
    result = program("explain", code)
    assert result.returncode != 0 and result.stderr, result


@pytest.mark.parametrize("pair", [("220", "252"), ("450", "550"), ("4.2.1", "5.2.1"), ("421", "450")])
def test_compare(pair):
    text = said("compare", *pair)
    assert pair[0] in text and pair[1] in text and len(text) > 200
    json.loads(said("compare", *pair, "--json"))


@pytest.mark.parametrize("arguments", [["explain", "250"], ["explain", "250", "--json"], ["help"],
                                       ["compare", "220", "250"], ["config", "manual"], ["version"]])
@pytest.mark.parametrize("out", [">&-", ">/dev/full"])
def test_output_that_is_lost_is_an_error(arguments, out):
    result = subprocess.run(["sh", "-c", f'exec "$@" {out}', "sh", PROGRAM, *arguments],
                            capture_output=True, timeout=20)
    assert result.returncode == IO_ERROR and b"standard output" in result.stderr, result


@pytest.mark.parametrize("command", ["", "serve", "config", "queue", "explain", "compare", "protocol", "version"])
@pytest.mark.parametrize("strange", ["x" * 100_000, "\x1b[2J\udcff\udc80", "%s%n", "--\x1b[31m"],
                         ids=["long", "binary", "format", "option"])
def test_strange_arguments_are_refused_in_plain_words(command, strange):
    result = program(*[command] * bool(command), strange)
    assert result.returncode in (64, 65), result.returncode
    assert result.stderr.startswith(b"postrider"), result.stderr[:200]
    assert b"\x1b" not in result.stderr and len(result.stderr.splitlines()[0]) < 300


def send(server, *arguments, content=None, port=None, **options):
    return program("send", "--server", f"127.0.0.1:{port or server.smtp_port}", *arguments,
                   input=content or message("sent", body=".dot\r\nend\r\n"), **options)


def test_send(server):
    result = send(server, "--from", "ann@client.example", "--to", "alice@home.example")
    assert result.returncode == 0 and b"queued as" in result.stdout, result
    assert server.wait_mail("alice")[0].endswith(b"\n\n.dot\nend\n")


def test_send_takes_lines_that_end_in_lf(server):
    result = send(server, "--from", "ann@client.example", "--to", "alice@home.example",
                  content=b"Subject: LF\n\n.\nlast\n")
    assert result.returncode == 0, result
    assert server.wait_mail("alice")[0].endswith(b"Subject: LF\n\n.\nlast\n")


def test_send_to_several(server):
    result = send(server, "--from", "ann@client.example", "--to", "alice@home.example",
                  "--to", "bob@home.example")
    assert result.returncode == 0, result
    server.wait_mail("alice")
    server.wait_mail("bob")


def test_send_says_what_was_refused(server):
    result = send(server, "--from", "ann@client.example", "--to", "nosuch@home.example")
    assert result.returncode != 0 and b"550" in result.stdout + result.stderr, result


def test_send_with_nobody_there(server):
    result = send(server, "--from", "ann@client.example", "--to", "alice@home.example", port=free_port())
    assert result.returncode not in (0, USAGE_ERROR) and b"refused" in result.stderr, result


@pytest.mark.parametrize("way", ["--tls", "--starttls"])
def test_send_with_tls_and_auth(server, monkeypatch, way):
    monkeypatch.setenv("POSTRIDER_PASSWORD", PASSWORD)
    port = server.submissions_port if way == "--tls" else server.submission_port
    result = send(server, way, "--auth", "alice", "--from", "alice@home.example",
                  "--to", "bob@home.example", port=port,
                  content=message("sent", sender="alice@home.example"))
    assert result.returncode == 0, result
    assert b"with ESMTPSA" in server.wait_mail("bob")[0]
