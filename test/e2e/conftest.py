"""Fixtures: each test builds the world that it needs, and nothing of it is left afterwards."""
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from peers import Dns, Exim, Mute, PolicyHost, Postfix, SignedDns, Sink, Wire, as_root  # noqa: E402
from server import IS_ROOT, Postrider, make_certificate, make_directory  # noqa: E402

# Files whose tests share what is dear to start, or would have the whole machine for themselves.
TOGETHER = ("test_opensmtpd.py", "test_peers.py", "test_powercut.py", "test_reference.py")


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.call_failed = outcome.get_result().failed


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that need port 25, of which there is one, run in one process, one after the other."""
    for item in items:
        if "port_25" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("port_25"))
        elif Path(item.path).name in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(item.path.name))


def has_failed(request):
    return getattr(request.node, "call_failed", True)


@pytest.fixture(scope="session")
def certificate():
    """(certificate, key) of a certificate that signs itself, for every name used here."""
    directory = make_directory()
    paths = make_certificate(directory)
    yield paths
    shutil.rmtree(directory)


@pytest.fixture
def postrider(request, certificate):
    """Makes servers: postrider(option=..., ...) gives one that is not started yet."""
    servers = []

    def make(**options):
        servers.append(Postrider(certificate, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.clean_up(has_failed(request))


@pytest.fixture
def server(postrider):
    """A server as most tests need it, started."""
    return postrider().start()


def makes(cls):
    """A fixture that makes and starts things of a class, and stops them after the test."""

    @pytest.fixture
    def fixture():
        made = []

        def make(*arguments, **options):
            made.append(cls(*arguments, **options))
            return made[-1].start() if hasattr(cls, "start") else made[-1]

        yield make
        for thing in reversed(made):
            thing.stop()

    return fixture


sink = makes(Sink)
mute = makes(Mute)
dns = makes(Dns)
signed_dns = makes(SignedDns)
wire = makes(Wire)
policy_host = makes(PolicyHost)
start_postfix = makes(Postfix)
start_exim = makes(Exim)


@pytest.fixture
def postfix(start_postfix):
    if not IS_ROOT and as_root("true").returncode != 0:
        pytest.skip("Postfix starts as root only, and sudo asks for a password")
    return start_postfix


@pytest.fixture
def exim(start_exim):
    if not IS_ROOT and as_root("true").returncode != 0:
        pytest.skip("Exim starts as root only, and sudo asks for a password")
    return start_exim


@pytest.fixture
def port_25():
    """For tests of delivery by MX, which is to port 25 always."""
    lowest = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not IS_ROOT and int(lowest.read_text()) > 25:
        pytest.skip("only root may listen on port 25")
    return 25
