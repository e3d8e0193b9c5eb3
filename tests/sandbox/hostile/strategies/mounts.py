"""Makes mounts and namespaces: what would lay a read-only folder open, or give rights over new ones."""

import ctypes
import os

from report import attempt, call

from tapedeck import Strategy

NEW_USER, NEW_MOUNTS, NEW_NET, NEW_PIDS = 0x10000000, 0x20000, 0x40000000, 0x20000000
REMOUNT, BIND = 0x20, 0x1000


def mount(source, target, kind, flags):
    return call("mount", source, target, kind, ctypes.c_ulong(flags), None)


def namespace(name):
    path = f"/proc/1/ns/{name}"
    fd = os.open(path if os.path.exists(path) else "/proc/self/exe", os.O_RDONLY)  # gVisor does not show all of them
    try:
        return call("setns", fd, 0)
    finally:
        os.close(fd)


class Mounts(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("unshare user and mounts", lambda: call("unshare", NEW_USER | NEW_MOUNTS))
        attempt("unshare network", lambda: call("unshare", NEW_USER | NEW_NET))
        attempt("clone into new namespaces", lambda: self.clone(NEW_USER | NEW_PIDS))
        attempt("clone3", lambda: call(435, 0, 0))
        attempt("mount a tmpfs", lambda: mount(b"none", b"/tmp", b"tmpfs", 0))
        attempt("mount proc", lambda: mount(b"none", b"/tmp", b"proc", 0))
        attempt("remount the exchange writable", lambda: mount(b"none", b"/exchange/in", None, REMOUNT))
        attempt("remount the exchange's bind writable", lambda: mount(b"none", b"/exchange/in", None, REMOUNT | BIND))
        attempt("remount the root writable", lambda: mount(b"none", b"/", None, REMOUNT | BIND))
        attempt("unmount the exchange", lambda: call("umount2", b"/exchange/in", 2))
        attempt("fsopen", lambda: call(430, b"tmpfs", 0))
        attempt("open_tree", lambda: call(428, -100, b"/exchange/in", 1))
        attempt("mount_setattr", lambda: call(442, -100, b"/exchange/in", 0, None, 0))
        attempt("chroot", lambda: call("chroot", b"/"))
        attempt("pivot_root", lambda: call(155, b"/tmp", b"/tmp"))
        for name in ("mnt", "net", "user", "pid"):
            attempt(f"setns {name}", lambda name=name: namespace(name))
        attempt("open_by_handle_at", lambda: call(304, -100, None, 0))
        return bars.close * 0

    @staticmethod
    def clone(flags):
        pid = call(56, ctypes.c_long(flags | 17), 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
