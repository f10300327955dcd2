"""A disk of the test's own: ext4 on a loop device, or a small tmpfs; root only."""
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

# From linux/ext4.h; the flag drops the journal's unwritten part as well, as a power cut does.
EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2

TOOLS = {"mkfs.ext4": "e2fsprogs", "e2fsck": "e2fsprogs", "mount": "mount", "umount": "mount"}


def find_tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")


def run(*command):
    """Runs a tool that must succeed."""
    done = subprocess.run([find_tool(command[0]) or command[0], *map(str, command[1:])],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")
    return done.stdout


def reason_to_skip(ext4=True):
    """Why no such disk can be made here; None where it can."""
    if os.geteuid() != 0:
        return "only root may mount a file system"
    if not ext4:
        return None
    for tool, package in TOOLS.items():
        if not find_tool(tool):
            return f"there is no {tool} (package {package})"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices"
    try:
        with Disk(16):
            return None
    except OSError as error:
        return f"no file system can be mounted here: {error}"


class Disk:
    """
    A fresh ext4, mounted at .path.  The kernel chooses a free loop device and lets it go with the
    last unmount, so that several may run at once and nothing is left of one that is killed.
    """

    def __init__(self, megabytes, where=None):
        self.directory = Path(tempfile.mkdtemp(prefix="postrider-disk-", dir=where))
        self.directory.chmod(0o755)
        self.image, self.path = self.directory / "image", self.directory / "mnt"
        self.mounted = False
        try:
            self.path.mkdir()
            with open(self.image, "wb") as image:
                image.truncate(megabytes << 20)
            run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
            self.mount()
            self.path.chmod(0o755)
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def mount(self):
        """Mounts; after a cut this replays the journal."""
        for last in (False, False, True):  # another process may take the same loop device
            try:
                run("mount", "-t", "ext4", "-o", "loop", self.image, self.path)
                break
            except OSError:
                if last:
                    raise
                time.sleep(0.2)
        self.mounted = True

    def cut(self):
        """The power goes: what was not made durable is gone, and nothing is written any more."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(fd)

    def unmount(self, seconds=15):
        end = time.monotonic() + seconds
        while self.mounted:
            try:
                run("umount", self.path)
                self.mounted = False
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def check(self):
        """Whether e2fsck finds the (unmounted) file system whole; OSError where not."""
        run("e2fsck", "-f", "-n", self.image)

    def remove(self):
        try:
            self.unmount()
        except OSError:
            run("umount", "-l", self.path)
            self.mounted = False
        shutil.rmtree(self.directory, ignore_errors=True)


class SmallDisk:
    """A tmpfs of a few megabytes, mounted at .path."""

    def __init__(self, megabytes):
        self.path = Path(tempfile.mkdtemp(prefix="postrider-small-"))
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end = time.monotonic() + 15
        while True:
            try:
                run("umount", self.path)
                break
            except OSError:
                if time.monotonic() > end:
                    run("umount", "-l", self.path)
                    break
                time.sleep(0.05)
        self.path.rmdir()
