"""Reads and steers other processes: the launcher above it, and the kernel's doors for that."""

import ctypes
import os

from report import attempt, call

from tapedeck import Strategy


class Tracing(Strategy):
    fields = ("close",)

    def weights(self, bars):
        parent = os.getppid()
        room = ctypes.create_string_buffer(64)
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(room), 64)
        attempt("ptrace attach to the parent", lambda: call("ptrace", 16, parent, None, None))
        attempt("ptrace seize pid 1", lambda: call("ptrace", 0x4206, 1, None, None))
        attempt("process_vm_readv of the parent", lambda: call(310, parent, vector, 1, vector, 1, 0))
        attempt("process_vm_writev of the parent", lambda: call(311, parent, vector, 1, vector, 1, 0))
        attempt("pidfd_getfd", lambda: call(438, 0, 0, 0))
        attempt("perf_event_open", lambda: call(298, None, 0, -1, -1, 0))
        attempt("bpf", lambda: call(321, 0, None, 0))
        attempt("userfaultfd", lambda: call(323, 0))
        attempt("keyctl", lambda: call(250, 0, -3, 0, 0, 0))
        attempt("kexec_load", lambda: call(246, 0, 0, None, 0))
        attempt("init_module", lambda: call(175, None, 0, b""))
        attempt("reboot", lambda: call(169, 0xFEE1DEAD, 672274793, 0x1234567, None))
        attempt("syslog", lambda: call(103, 3, None, 0))
        return bars.close * 0
