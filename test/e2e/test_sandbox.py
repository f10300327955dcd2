"""What an attacker who took a process over would do first, and that nothing of it succeeds."""
import ctypes
import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from server import IS_ROOT, PROGRAM, make_directory
from talk import message, submit
from waiting import until

ROLES = ["reception", "queue", "delivery", "mailbox", "lookup", "resolver", "fetcher", "keyring",
         "admin"]
CRASH = Path(PROGRAM).resolve().parent / "test" / "crash_on.so"
SANITIZED = b"__asan_init" in Path(PROGRAM).read_bytes()
NOBODY = 65534
UNAVAILABLE = 69  # EX_UNAVAILABLE
ACT_ALLOW = 0x7FFF0000
ACT_ERRNO = 0x00050000
USERS = ["root", "an ordinary user"] if IS_ROOT else ["an ordinary user"]


def sandbox_test(user, *arguments, preexec_fn=None):
    """(exit status, what it printed as JSON) of "postrider sandbox test"."""
    directory = make_directory()
    try:
        # Where the build is may be nobody else's business.
        program = shutil.copy(PROGRAM, directory / "postrider")
        as_user = {} if user == "root" or not IS_ROOT else {
            "user": NOBODY, "group": NOBODY, "extra_groups": []}
        done = subprocess.run([program, "sandbox", "test", "--json", *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                              cwd="/", preexec_fn=preexec_fn, **as_user)
    finally:
        shutil.rmtree(directory)
    assert done.returncode in (0, 1), done
    return done.returncode, json.loads(done.stdout)


def wrong(found):
    return {(act, column) for act, columns in found["acts"].items()
            for column, outcome in columns.items() if outcome["wrong"]}


def supports(found):
    return found["seccomp"] and found["landlock"] >= 4


@pytest.mark.skipif(SANITIZED, reason="what sanitizers do is open to their builds' roles")
@pytest.mark.parametrize("user", USERS)
def test_no_forbidden_act_succeeds(user):
    status, found = sandbox_test(user)
    assert found["root"] == (user == "root")
    if not supports(found):
        pytest.skip("this kernel, or the container, lacks seccomp or Landlock")
    assert status == 0 and wrong(found) == set(), wrong(found)
    acts = found["acts"]
    # It was no accident: outside they succeed, and it was the sandbox that ended them.
    assert len(acts) > 40
    for act, call in (("fork", "clone"), ("run another program", "execve"),
                      ("connect over TCP", "socket"), ("signal another process", "kill")):
        assert acts[act]["outside"]["verdict"] == "can", act
        assert acts[act]["reception"] == {"verdict": "killed", "wrong": False, "call": call}
    assert acts["connect over TCP"]["delivery"]["verdict"] == "can"
    assert acts["accept a connection"]["reception"]["verdict"] == "can"
    assert acts["make and move files in its directory"]["queue"]["verdict"] == "can"
    # Who runs programs may what its user may, and no more.
    assert acts["run another program"]["pipe"]["verdict"] == "can"
    assert acts["read /etc/passwd"]["pipe"]["verdict"] == "can"
    for act in ("become root again", "write to another role's link", "load a kernel module"):
        assert acts[act]["pipe"]["verdict"] in ("refused", "killed"), act


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("without, act, role", [
    ("calls", "fork", "queue"),
    ("files", "leave its directory by ../", "queue"),
    ("both", "map memory to be run", "reception"),
])
def test_without_a_part_of_the_sandbox_the_test_fails(user, without, act, role):
    if SANITIZED and without == "both":
        pytest.skip("sanitizers map memory to be run themselves")
    status, found = sandbox_test(user, role, "--without", without)
    assert status == 1
    assert (act, role) in wrong(found)
    assert found["acts"][act][role]["verdict"] == "can"


def status_of(path):
    rows = (line.split(":", 1) for line in Path(path).read_text().splitlines())
    return {name: value.strip() for name, value in rows}


def own_role(pid, name):
    return f"role\0{name}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_every_thread_of_every_role_is_held(server):
    for role in ROLES:
        pids = [pid for pid in server.role_pids() if own_role(pid, role)]
        assert pids, role
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                status = status_of(task / "status")
                # The supervisor's filter and its own.
                assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), (role, status)
                assert int(status.get("Seccomp_filters", 2)) == 2, (role, status)
                if IS_ROOT:
                    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, (role, status)
                    assert "0" not in status["Uid"].split() and status["Groups"] == "", (role, status)
    assert status_of(f"/proc/{server.process.pid}/status")["Seccomp"] == "2"


@pytest.mark.skipif(not IS_ROOT, reason="only root may look at the descriptors of roles")
def test_roles_hold_no_descriptors_but_their_own(server):
    secret = open(server.config)
    os.set_inheritable(secret.fileno(), True)
    allowed = ("socket:", "pipe:", "anon_inode:", "/memfd:postrider", "/dev/null",
               str(server.directory / "log"))
    for role in ROLES:
        own = {"queue": str(server.spool), "mailbox": str(server.mail),
               "fetcher": str(server.spool / "tls-policies")}.get(role, "none")
        for pid in (pid for pid in server.role_pids() if own_role(pid, role)):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                target = os.readlink(entry)
                assert target.startswith((*allowed, own)), (role, entry.name, target)
            limits = Path(f"/proc/{pid}/limits").read_text()
            core = next(line for line in limits.splitlines() if "core file" in line).split()
            assert core[4:6] == ["0", "0"], limits
            if role in ("reception", "keyring"):
                root = os.readlink(f"/proc/{pid}/root")
                assert "postrider-empty" in root and "deleted" in root, root


@pytest.mark.skipif(not CRASH.exists() or SANITIZED,
                    reason="needs build/test/crash_on.so and a build without sanitizers")
def test_a_process_that_is_taken_over_ends_and_the_log_says_at_which_call(postrider, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", str(CRASH))
    monkeypatch.setenv("POSTRIDER_TEST_CRASH", "mailbox:take-this-over")
    monkeypatch.setenv("POSTRIDER_TEST_FORBIDDEN", "1")
    server = postrider(extra=["relay for 127.0.0.0/8"]).start()
    code = submit(server.smtp_port, "a@far.example", ["alice@home.example"],
                  message("take-this-over"))
    assert code
    event = server.wait_event("sandbox_ended_role", call="socket")[0]
    assert event["name"] == "mailbox" and int(event["number"]) > 0
    assert server.wait_event("role_died", signal="31")[0]["name"] == "mailbox"
    assert "the sandbox let it through" not in server.log_text()
    # The others go on, and it starts again.
    until(lambda: server.role_pids("mailbox"), "the mailbox is back")


class Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


def in_poor_container(*calls):
    """For preexec_fn: from now on these calls fail, as in containers that know better."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    for name in ("seccomp_rule_add_array", "seccomp_load", "seccomp_release"):
        getattr(library, name).argtypes = None

    def begin():
        context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ACT_ALLOW)))
        for call in calls:
            number = library.seccomp_syscall_resolve_name(call.encode())
            assert library.seccomp_rule_add_array(
                context, ctypes.c_uint32(ACT_ERRNO | errno.ENOSYS), number, 0, None) == 0
        assert library.seccomp_load(context) == 0

    return begin


@pytest.fixture
def poor_container(monkeypatch):
    """Servers that are started from now on run where these calls do not exist."""
    real = subprocess.Popen

    def enter(*calls):
        begin = in_poor_container(*calls)

        class Poor(real):
            def __init__(self, command, **options):
                if command[0] == PROGRAM and command[1] == "serve":
                    options["preexec_fn"] = begin
                super().__init__(command, **options)

        monkeypatch.setattr(subprocess, "Popen", Poor)

    return enter


@pytest.mark.parametrize("calls, text", [
    (["landlock_create_ruleset"], "has no Landlock"),
    (["seccomp"], "seccomp"),
    (["seccomp", "landlock_create_ruleset"], "neither seccomp nor Landlock"),
])
def test_what_a_container_does_not_allow_is_said_once(postrider, poor_container, calls, text):
    poor_container(*calls)
    server = postrider(extra=["relay for 127.0.0.0/8"]).start()
    submit(server.smtp_port, "a@far.example", ["alice@home.example"], message("hello"))
    server.wait_mail("alice")
    said = server.wait_event("sandbox_partly")
    assert len(said) == 1 and text in said[0]["text"], said


def test_a_required_sandbox_that_cannot_be_had_is_fatal(postrider, poor_container):
    poor_container("landlock_create_ruleset")
    server = postrider(extra=["sandbox required yes"])
    server.start(wait=False)
    assert server.process.wait(60) == UNAVAILABLE
    assert '"sandbox required", but this kernel' in server.log_text()


def test_a_required_sandbox_that_is_there_is_no_matter(postrider):
    server = postrider(extra=["sandbox required yes"]).start()
    assert "sandbox_partly" not in server.log_text()


def test_parts_can_be_switched_off_and_that_is_said(postrider):
    server = postrider(extra=["sandbox limits calls no"]).start()
    assert len(server.wait_event("sandbox_partly")) == 1
    pid = server.role_pids("keyring")[0]
    assert status_of(f"/proc/{pid}/status")["Seccomp"] == "0"
