"""Makes and opens devices, and writes the kernel's switches."""

import fcntl
import os
import stat
from pathlib import Path

from report import attempt

from tapedeck import Strategy

DEVICES = ("mem", "kmem", "kmsg", "port", "sda", "vda", "kvm", "loop0", "loop-control", "mapper/control")
SWITCHES = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sysrq-trigger",
    "/proc/1/oom_score_adj",
    "/sys/fs/cgroup/memory/release_agent",
    "/sys/kernel/uevent_helper",
)


class Devices(Strategy):
    fields = ("close",)

    def weights(self, bars):
        for name in DEVICES:
            attempt(f"open /dev/{name}", lambda name=name: os.close(os.open(f"/dev/{name}", os.O_RDWR)))
        for kind in (stat.S_IFCHR, stat.S_IFBLK):
            for folder in ("/tmp", "/exchange/out"):
                what = f"the {'memory' if kind == stat.S_IFCHR else 'disk'} by a device made in {folder}"
                attempt(what, lambda kind=kind, folder=folder: self.through(f"{folder}/device-{kind}", kind))
        for path in SWITCHES:
            attempt(f"write {path}", lambda path=path: Path(path).write_text("|/tmp/evil"))
        attempt("type into the terminal", lambda: fcntl.ioctl(0, 0x5412, b"x"))
        return bars.close * 0

    @staticmethod
    def through(path, kind):
        """Make a device (1:1 is the memory, 8:0 a disk) and read through it."""
        os.mknod(path, kind | 0o666, os.makedev(1, 1) if kind == stat.S_IFCHR else os.makedev(8, 0))
        with open(path, "rb") as device:
            return device.read(16)
