"""Its archive carries modules named like those of others: they must not stand in for what anybody else imports."""

import importlib
import sys
from pathlib import Path

import report
from report import attempt

from tapedeck import Strategy

MINE = str(Path(report.__file__).parent)


def origin(name):
    """Return a module's file when it came from the archive."""
    file = getattr(importlib.import_module(name), "__file__", None) or ""
    return file if file.startswith(MINE) else None


class ZipShadowing(Strategy):
    fields = ("close",)
    calls = 0

    def weights(self, bars):
        self.calls += 1
        if self.calls == 1:
            for name in ("numpy", "tapedeck", "contract", "sandbox", "json", "statistics", "wave"):
                attempt(f"shadow {name}", lambda name=name: origin(name))
            attempt("import a module of its own", lambda: origin("report"))
            sys.path.insert(0, MINE)  # the control: what a path of the submission's own in front would do
            attempt("shadow colorsys with its folder in front", lambda: origin("colorsys"))
        return (bars.close > 100.0) / bars.width
