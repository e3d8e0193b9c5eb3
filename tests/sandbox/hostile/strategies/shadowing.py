"""Plants modules where an interpreter might look first, then starts one as the platform does, and one naively."""

import json
import subprocess
import sys
from pathlib import Path

from report import attempt

from sandbox.runner import AGAIN
from tapedeck import Strategy

PLANTED = ("numpy", "json", "random", "sitecustomize", "usercustomize", "tapedeck", "contract", "sandbox")
PLACES = ("/tmp", "/tmp/.local/lib/python3.11/site-packages")
LOOK = (
    "import json, sys, numpy, random, tapedeck, contract, sandbox\n"
    "print(json.dumps([n for n, m in list(sys.modules.items()) if getattr(m, '__file__', '').startswith('/tmp')]))"
)


class Shadowing(Strategy):
    fields = ("close",)

    def weights(self, bars):
        for place in PLACES:
            Path(place).mkdir(parents=True, exist_ok=True)
            for name in PLANTED:
                (Path(place) / f"{name}.py").write_text(f"__file__ = '/tmp/{name}.py'\ndef dumps(x): return str(x)\n")
        flags = AGAIN[1 : AGAIN.index("-m")]
        attempt("shadow modules of the platform's own interpreter", lambda: self.start(flags))
        attempt("shadow modules of a plain interpreter", lambda: self.start(["-B"]))
        return bars.close * 0

    @staticmethod
    def start(flags):
        """Return which of its modules came from the planted ones."""
        done = subprocess.run(
            [sys.executable, *flags, "-c", LOOK], cwd="/tmp", capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return sorted(json.loads(done.stdout.replace("'", '"'))) or None
