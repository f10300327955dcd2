"""Programs that mail is handed to: real ones, written by the test or of others."""
import grp
import json
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import logs
from server import CONFIG_ERROR, IS_ROOT, process_rows
from talk import message, submit
from waiting import until

ANN = "ann@client.example"
ALICE = "alice@home.example"
ME = pwd.getpwuid(os.geteuid()).pw_name


def with_groups():
    """A user beside root who is in more groups than its own, if there is one."""
    members = {name for group in grp.getgrall() for name in group.gr_mem}
    return next((p.pw_name for p in pwd.getpwall() if p.pw_name in members and p.pw_uid), "daemon")


USER, OTHER = ("nobody", with_groups()) if IS_ROOT else (ME, ME)
LDA = "/usr/lib/dovecot/dovecot-lda"
NO_RETRY = "1 h"


class Programs:
    """A server whose list.example goes to programs, which write into self.out."""

    def __init__(self, make, **options):
        options = {"retry": NO_RETRY, "domains": ["home.example", "list.example"], **options}
        self.server = make(**options)
        self.out = self.server.directory / "out"
        self.out.mkdir()
        self.out.chmod(0o777)

    def script(self, name, text):
        path = self.server.directory / name
        path.write_text(f"#!/bin/sh\nout={self.out}\n{text}\n")
        path.chmod(0o755)
        return path

    def pipe(self, words="", text="", name="program", to="list.example", user=USER, limits=""):
        """A statement with a script of its own."""
        path = self.script(name, text)
        self.server.routes.append(f'pipe mail for {to} to "{path} {words}" as {user} {limits}')
        return path

    def start(self):
        self.server.start()
        return self

    def send(self, to="robot@list.example", content=None, sender=ANN):
        return submit(self.server.smtp_port, sender, to, content or message("piped"))

    def wait(self, name):
        """What a program has written, once it is there as a whole."""
        until((self.out / name).exists, lambda: f"no {name}:\n{self.server.log_tail()}")
        return (self.out / name).read_bytes()

    def event(self, name, **wanted):
        return self.server.wait_event(name, **wanted)[0]


@pytest.fixture
def programs(postrider):
    return lambda **options: Programs(postrider, **options)


def alive(pid):
    return pid in {row[0] for row in process_rows()}


def test_a_program_gets_message_words_and_environment(programs):
    home = programs(extra=[])
    home.pipe("""{sender} x{detail}y {recipient} '{mailbox} {{ $HOME' {domain} --id={id}""", """
ls -l /proc/$$/fd | sed 's/.* -> //' >$out/fds
printf '%s\\n' "$@" >$out/words
env | sort >$out/environment
grep -E '^(NoNewPrivs|Groups|SigIgn)' /proc/self/status >$out/status
(id -un; id -gn; pwd; ulimit -c) >$out/who
cat >$out/tmp && mv $out/tmp $out/body""")
    home.start()
    content = message("exact", body="One\r\n\r\n.two\r\n ümlaut\r\n")
    queued = home.send("Robot+a-b+c@list.example", content)
    body = home.wait("body")
    assert body.endswith(content.replace(b"\r\n", b"\n")) and b"\r" not in body
    assert body.splitlines()[:2] == [
        b"Return-Path: <ann@client.example>", b"Delivered-To: Robot+a-b+c@list.example"]
    assert (home.out / "words").read_text().splitlines() == [
        ANN, "xa-b+cy", "Robot+a-b+c@list.example", "Robot { $HOME", "list.example",
        f"--id={queued}"]
    environment = dict(
        line.split("=", 1) for line in (home.out / "environment").read_text().splitlines())
    # The shell adds these by itself.
    for name in ("PWD", "OLDPWD", "SHLVL", "_"):
        environment.pop(name, None)
    account = pwd.getpwnam(USER)
    assert environment.pop("TZ", None) == os.environ.get("TZ")
    assert environment == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": account.pw_dir, "LOGNAME": USER,
        "USER": USER, "SHELL": account.pw_shell, "SENDER": ANN,
        "RECIPIENT": "Robot+a-b+c@list.example",
        "ORIGINAL_RECIPIENT": "Robot+a-b+c@list.example", "MAILBOX": "Robot",
        "LOCAL": "Robot+a-b+c", "EXTENSION": "a-b+c", "DOMAIN": "list.example",
        "MESSAGE_ID": queued}
    who = (home.out / "who").read_text().splitlines()
    directory = account.pw_dir if os.path.isdir(account.pw_dir) else "/"
    assert who[0] == USER and who[2:] == [directory, "0"]
    assert "NoNewPrivs:\t1" in (home.out / "status").read_text()
    assert "SigIgn:\t0000000000000000" in (home.out / "status").read_text()
    fds = (home.out / "fds").read_text().split("\n")
    assert [f for f in fds if "socket" in f or "postrider" in f and "program" not in f] == [], fds
    delivered = home.event("delivered", id=queued)
    assert delivered["to"] == "Robot+a-b+c@list.example"
    assert delivered["text"].endswith("/program") and delivered["status"] == "2.0.0"
    if IS_ROOT:
        assert (home.out / "body").owner() == USER


# Exit status: what becomes of the message, and with which status.
ENDS = {0: ("delivered", "2.0.0"), 1: ("bounced", "5.3.0"), 64: ("bounced", "5.3.0"),
        65: ("bounced", "5.6.0"), 66: ("bounced", "5.3.0"), 67: ("bounced", "5.1.1"),
        68: ("bounced", "5.1.2"), 69: ("bounced", "5.3.0"), 70: ("bounced", "5.3.0"),
        71: ("deferred", "4.3.0"), 72: ("deferred", "4.3.5"), 73: ("bounced", "5.2.0"),
        74: ("deferred", "4.3.0"), 75: ("deferred", "4.3.0"), 76: ("bounced", "5.5.0"),
        77: ("bounced", "5.7.0"), 78: ("bounced", "5.3.5"), 79: ("bounced", "5.3.0"),
        126: ("deferred", "4.3.5"), 127: ("deferred", "4.3.5")}


def test_the_exit_status_says_what_becomes_of_it(programs):
    home = programs()
    home.pipe("", """
case $EXTENSION in
signal) kill -9 $$;;
own) echo '5.7.99 Not from you'; echo more; exit 75;;
later) echo '4.2.2 Full' >&2; exit 67;;
noise) printf 'a\\033[1mb\\n\\n  c\\377d\\n'; exit 70;;
*) exit $EXTENSION;;
esac""", limits="processes 4")
    home.start()
    wanted = {f"r+{status}@list.example": end for status, end in ENDS.items()}
    wanted["r+signal@list.example"] = ("deferred", "4.3.0")
    wanted["r+own@list.example"] = ("bounced", "5.7.99")
    wanted["r+later@list.example"] = ("deferred", "4.2.2")
    wanted["r+noise@list.example"] = ("bounced", "5.3.0")
    queued = home.send(list(wanted), sender=ALICE)
    server = home.server
    until(lambda: len({e["to"] for e in logs.of_message(server.events(), queued)
                       if e["event"] in ("delivered", "bounced", "deferred")}) == len(wanted),
          server.log_tail)
    told = {e["to"]: e for e in logs.of_message(server.events(), queued) if "status" in e}
    assert {to: (e["event"], e["status"]) for to, e in told.items()} == wanted
    text = {to.split("+")[1].split("@")[0]: e["text"] for to, e in told.items()}
    assert "EX_NOUSER" in text["67"] and "EX_TEMPFAIL" in text["75"] and "EX_CONFIG" in text["78"]
    assert "status 79, which means that it failed" in text["79"]
    assert "signal 9" in text["signal"]
    assert text["own"].endswith("it said: 5.7.99 Not from you; more")
    assert text["noise"].endswith("it said: a?[1mb; c?d")
    # Only of the one that was ended nobody knows.
    assert len(logs.select(server.events(), "in_doubt")) == 1
    shown = json.loads(server.queue("show", queued, "--json"))
    assert "4.2.2 Full" in json.dumps(shown)
    bounce = server.wait_mail("alice")[0].decode()
    assert "Action: failed" in bounce and "Status: 5.7.99" in bounce
    assert "EX_NOPERM" in bounce and "Not from you" in bounce


def test_what_runs_too_long_is_ended_with_all_that_it_started(programs):
    home = programs()
    home.pipe("", """
sleep 1000 & echo $! >$out/child.$EXTENSION
echo $$ >$out/parent.$EXTENSION
[ $EXTENSION = deaf ] && trap '' TERM && (trap '' TERM; sleep 1000) & wait; wait; sleep 1000""",
              limits="time 1 s")
    home.start()
    queued = home.send(["a+plain@list.example", "a+deaf@list.example"])
    for event in home.server.wait_event("deferred", 2, id=queued):
        assert event["status"] == "4.3.0" and "was not done in 1 s" in event["text"]
    assert len(home.server.wait_event("in_doubt", 2, id=queued)) == 2
    # On a busy machine it may have been ended before it could write all of them.
    for path in [path for path in home.out.iterdir() if path.read_text()]:
        until(lambda: not alive(int(path.read_text())), f"{path.name} is still there")


def test_words_do_not_become_options(programs):
    home = programs()
    home.pipe("{local}", "echo $1 >$out/bare", name="bare", to="list.example")
    home.server.domains += ["safe.example"]
    home.pipe("--to={local} -f{sender}", "echo $1 $2 >$out/safe", name="safe", to="safe.example")
    home.start()
    queued = home.send(["-rf@list.example", "-rf@safe.example"], sender="-s@client.example")
    bounced = home.event("bounced", id=queued)
    assert (bounced["to"], bounced["status"]) == ("-rf@list.example", "5.1.3")
    assert "begins with a dash" in bounced["text"]
    home.event("delivered", id=queued)
    assert home.wait("safe") == b"--to=-rf -f-s@client.example\n"
    assert not (home.out / "bare").exists()


def test_a_large_message_and_programs_that_leave_things_undone(programs):
    """One reads it all, one nothing of it, one leaves a child with its output open behind."""
    home = programs()
    home.pipe("", """
case $LOCAL in
reads) cat >$out/tmp && mv $out/tmp $out/large;;
ignores) exit 0;;
leaves) sleep 1000 & echo $! >$out/left;;
talks) head -c 1000000 /dev/zero | tr '\\0' x; exit 75;;
esac""")
    home.start()
    content = message("large", body=f"{'x' * 76}\r\n" * 150000)
    queued = home.send([f"{who}@list.example" for who in ("reads", "ignores", "leaves", "talks")],
                       content)
    home.server.wait_event("delivered", 3, id=queued)
    try:
        os.kill(int((home.out / "left").read_text()), signal.SIGKILL)
    except ProcessLookupError:
        raise AssertionError("what was left behind is none of ours") from None
    assert home.wait("large").endswith(content.replace(b"\r\n", b"\n"))
    deferred = home.event("deferred", id=queued)
    assert deferred["text"].count("x") < 1500
    said = logs.select(home.server.events(), "program_said", id=queued)
    assert sum(len(e["text"]) for e in said) == 4096 and len(said) == 6


@pytest.mark.parametrize("what", ["role pipe", "role queue", "the server stops"])
def test_what_dies_has_programs_end_and_run_again(programs, what):
    home = programs(retry="200 ms")
    home.pipe("", """
if mkdir $out/first 2>/dev/null; then
	echo $$ >$out/tmp && mv $out/tmp $out/pid
	exec sleep 1000
fi
cat >$out/tmp && mv $out/tmp $out/body""")
    home.start()
    content = message("twice", body="All of it.\r\n" * 20000)
    queued = home.send(content=content)
    pid = int(home.wait("pid"))
    if what == "the server stops":
        assert home.server.stop() == 0
        assert not alive(pid)
        home.start()
    else:
        home.server.kill_role(what)
    assert home.wait("body").endswith(content.replace(b"\r\n", b"\n"))
    until(lambda: not alive(pid), "the first program is still there")
    home.event("delivered", id=queued)
    if what == "role pipe":
        assert len(logs.select(home.server.events(), "in_doubt", id=queued)) == 1
    home.server.wait_queue_empty()
    assert sorted(p.name for p in home.out.iterdir()) == ["body", "first", "pid"]


def test_only_so_many_run_at_a_time(programs):
    home = programs()
    home.pipe("", """
mkdir $out/running.$$
# Two do run at a time: the first waits for the other, and then the ones after them need not.
until [ -d $out/two ]; do
	[ $(ls -d $out/running.* | wc -l) -ge 2 ] && mkdir $out/two
	sleep 0.1
done
ls -d $out/running.* | wc -l >>$out/counts
sleep 0.2
rmdir $out/running.$$""", limits="processes 2")
    home.start()
    queued = home.send([f"r{i}@list.example" for i in range(6)])
    home.server.wait_event("delivered", 6, id=queued)
    assert max(map(int, (home.out / "counts").read_text().split())) == 2


def test_a_reload_brings_other_programs_and_users(programs):
    home = programs()
    first = home.pipe("", "id -un >$out/first.tmp; mv $out/first.tmp $out/first", name="one")
    home.start()
    home.send()
    assert home.wait("first").decode().strip() == USER
    home.server.routes = []
    home.pipe("", "(id -un; id -G) >$out/second.tmp; mv $out/second.tmp $out/second", name="two",
              user=OTHER)
    home.server.write_files()
    assert "config_replaced" in home.server.reload()
    home.send()
    name, groups = home.wait("second").decode().splitlines()
    gid = pwd.getpwnam(OTHER).pw_gid
    assert name == OTHER and set(map(int, groups.split())) == set(os.getgrouplist(OTHER, gid))
    # One with a program that is not there changes nothing.
    home.server.routes = []
    home.pipe("", "", name="three").unlink()
    home.server.write_files()
    home.server.process.send_signal(signal.SIGHUP)
    assert "three, but: No such file" in home.event("config_refused")["text"]
    (home.out / "second").unlink()
    home.send()
    home.wait("second")
    assert len(home.server.role_pids("role pipe")) == 1
    first.unlink()


def test_what_cannot_be_run_waits_until_it_can(programs):
    home = programs(retry="200 ms")
    path = home.pipe("", "cat >$out/tmp && mv $out/tmp $out/body", name="late")
    home.start()
    path.chmod(0o644)
    queued = home.send()
    deferred = home.event("deferred", id=queued)
    assert deferred["status"] == "4.3.5" and f"cannot be run as {USER}" in deferred["text"]
    path.chmod(0o755)
    home.wait("body")
    home.event("delivered", id=queued)


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user is nobody else")
def test_the_server_does_not_start_with_wrong_users_or_programs(programs):
    home = programs()
    home.pipe("", "", user="nobody-of-that-name")
    home.pipe("", "", name="missing", to="b.example").unlink()
    home.pipe("", "", name="plain", to="c.example").chmod(0o644)
    home.server.start(wait=False)
    assert home.server.process.wait(60) == CONFIG_ERROR
    text = home.server.log_text()
    assert "nobody-of-that-name, a user that does not exist" in text
    assert "missing, but: No such file or directory" in text
    assert "plain, but: it is not executable" in text


@pytest.mark.skipif(not Path(LDA).exists(), reason="dovecot-core is missing: tools/setup test")
def test_dovecot_keeps_the_mailboxes(programs):
    """A real program of others, in the place of Maildirs; Dovecot makes its own below out."""
    home = programs(domains=["home.example"])
    conf = home.server.directory / "dovecot.conf"
    conf.write_text(f"log_path = {home.out}/dovecot.log\nmail_location = maildir:{home.out}/none\n"
                    "postmaster_address = postmaster@home.example\n")
    conf.chmod(0o644)
    command = (f"{LDA} -c {conf} -o mail_location=maildir:{home.out}/{{mailbox}} -f {{sender}} "
               "-a {recipient} -e")
    home.server.write_files()
    text = home.server.config_text()
    plain = next(line for line in text.splitlines() if line.startswith("deliver to maildir"))
    home.server.config_text = lambda: text.replace(
        plain, f'deliver to pipe "{command}" as {USER}')
    home.start()
    queued = home.send(["alice@home.example", "bob+x@home.example"])
    home.server.wait_event("delivered", 2, id=queued)
    for who, address in (("alice", "alice@home.example"), ("bob", "bob+x@home.example")):
        paths = list((home.out / who / "new").iterdir())
        assert len(paths) == 1
        assert f"Delivered-To: {address}\n".encode() in paths[0].read_bytes()


@pytest.mark.skipif(not IS_ROOT, reason="it is the same as the others")
def test_an_ordinary_user_runs_programs_as_itself(programs):
    home = programs()
    home.pipe("{sender}", "(id -un; cat) >$out/tmp; mv $out/tmp $out/body", user="daemon")
    shutil.copy(home.server.key, home.server.directory / "key.pem")
    home.server.key = home.server.directory / "key.pem"
    home.server.extra.append("sandbox required no")
    home.server.wrapper = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    home.server.write_files()
    text = home.server.config_text().replace(" as _postrider_mailbox", "")
    home.server.config_text = lambda: text
    subprocess.run(["chown", "-R", "nobody", home.server.directory], check=True)
    home.start()
    home.send()
    assert home.wait("body").startswith(b"nobody\nReturn-Path:")


def test_probe_and_config_know_of_programs(programs):
    home = programs()
    path = home.pipe("{sender}", "", limits="time 90 s")
    home.server.write_files()
    shown = home.server.run("config", "show").stdout.decode()
    assert (f'pipe mail for list.example to "{path} {{sender}}" as {USER} time 90 s output 4 KB '
            "processes 10\n") in shown
    probed = home.server.run("probe", "list.example")
    assert f"the program {path}, which runs as {USER}" in probed.stderr.decode()
    routed = home.server.run("route", "joe@list.example").stdout.decode()
    assert f"goes     pipe to {path} as {USER}\n" in routed
