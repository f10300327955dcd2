"""A few power cuts on a real file system, and that losses would be noticed; many more: make powercut."""
import subprocess
import sys
from pathlib import Path

import pytest

from disk import reason_to_skip
from server import PROGRAM

POWERCUT = Path(__file__).parents[1] / "powercut/powercut.py"


@pytest.fixture(autouse=True, scope="module")
def machine():
    reason = reason_to_skip()
    if reason:
        pytest.skip(f"no power cuts: {reason}")


def powercut(*arguments):
    done = subprocess.run([sys.executable, POWERCUT, "--program", PROGRAM, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600)
    print(done.stdout)
    return done


def test_power_cuts_lose_nothing():
    done = powercut("--cuts", "4")
    assert done.returncode == 0, done.stdout
    assert "4 power cuts" in done.stdout and " 0 lost" in done.stdout


def test_syncs_that_lie_are_found_out():
    """The test above could not fail if this found nothing."""
    done = powercut("--cuts", "5", "--break")
    assert done.returncode == 0, done.stdout
    assert "LOST" in done.stdout and "as it should be" in done.stdout
