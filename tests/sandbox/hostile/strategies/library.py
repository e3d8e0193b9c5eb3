"""Rewrites the platform's and the interpreter's files, for itself and for whoever comes after it."""

import os
import sys
from pathlib import Path

import numpy
from report import attempt

from tapedeck import Strategy, strategy

TARGETS = {
    "the contract": "/opt/tapedeck/contract.py",
    "the library": strategy.__file__,
    "the launcher": "/opt/tapedeck/sandbox/launcher.py",
    "the policy": "/opt/tapedeck/sandbox/policy.toml",
    "NumPy": numpy.__file__,
    "the interpreter": os.path.realpath(sys.executable),
    "the standard library": os.__file__,
}


class Library(Strategy):
    fields = ("close",)

    def weights(self, bars):
        for name, path in TARGETS.items():
            attempt(f"write {name}", lambda path=path: Path(path).open("r+b").close())
            attempt(f"remove {name}", Path(path).unlink)
            attempt(f"make {name} writable", lambda path=path: Path(path).chmod(0o777))
        attempt("add a module", lambda: Path("/opt/venv/lib/python3.11/site-packages/sitecustomize.py").write_text(""))
        attempt("add a .pth", lambda: Path("/opt/venv/lib/python3.11/site-packages/evil.pth").write_text("import os"))
        attempt("write the root", lambda: Path("/evil").write_text(""))
        attempt("write /etc", lambda: Path("/etc/passwd").write_text(""))
        return bars.close * 0
