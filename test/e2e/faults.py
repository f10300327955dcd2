"""Orders for faultfs.c, which is compiled here and preloaded into a server."""
import ctypes
import mmap
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("faultfs.c")
MAGIC = 0x46415553


class Orders(ctypes.LittleEndianStructure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "magic", "sync_lies", "sync_fails", "sync_inode", "read_inode", "read_start", "read_end",
        "watch_inode", "syncs", "syncs_failed", "syncs_after_failure", "reads_failed",
        "writes_after_failure")]


class Faults:
    """The fields of Orders, live; env is what a server needs to be started with."""

    def __init__(self, directory):
        self.library, self.file = Path(directory, "faultfs.so"), Path(directory, "faults")
        compiler = shutil.which("cc") or shutil.which("gcc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o",
                        str(self.library), str(SOURCE)], check=True)
        self.file.write_bytes(bytes(4096))
        with open(self.file, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)
        self.orders = Orders.from_buffer(self.map)
        self.orders.magic = MAGIC
        # A sanitizer wants to be the first that is loaded; it does without.
        sanitizer = os.environ.get("ASAN_OPTIONS", "detect_leaks=1") + ":verify_asan_link_order=0"
        self.env = {"LD_PRELOAD": str(self.library), "POSTRIDER_FAULTS": str(self.file),
                    "ASAN_OPTIONS": sanitizer}

    def __getattr__(self, name):
        return getattr(self.orders, name)

    def set(self, **orders):
        for name, value in orders.items():
            setattr(self.orders, name, value)
