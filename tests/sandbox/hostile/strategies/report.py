"""What an attack says: ATTEMPTED before, then the errno that stopped it, or DONE and what it got."""

import ctypes
import errno
import os

LIBC = ctypes.CDLL(None, use_errno=True)


def attempt(what, act):
    """Try `act`; print and return how it went."""
    print(f"ATTEMPTED {what}", flush=True)
    try:
        got = act()
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, f"{type(error).__name__} {error.errno}")
    except Exception as error:
        outcome = type(error).__name__
    else:
        outcome = "DONE" if got is None else f"DONE {got!r}"[:300]
    print(f"OUTCOME {what}: {outcome}", flush=True)
    return outcome


def call(name, *arguments):
    """Call a function of libc, or a system call by its x86-64 number; raises `OSError`."""
    if isinstance(name, int):
        name, arguments = "syscall", (ctypes.c_long(name), *arguments)
    ctypes.set_errno(0)
    result = getattr(LIBC, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
