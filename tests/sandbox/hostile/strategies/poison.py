"""Changes data: the bars that it was handed, the run's description, the node's cache, another job's folder."""

import os
from pathlib import Path

from report import attempt

from tapedeck import Strategy

IN = Path("/exchange/in")


class Poison(Strategy):
    fields = ("close",)
    others: str = "/nowhere"  # where on the host the pods' folders lie

    def weights(self, bars):
        attempt("write into the bars", lambda: bars.close.__setitem__((0, 0), 1.0))
        attempt("make the bars writable", lambda: bars.close.setflags(write=True))
        for name in ("chunk-000000.bin", "chunk-000000.json", "run.json"):
            attempt(f"write {name}", lambda name=name: (IN / name).open("r+b").close())
            attempt(f"remove {name}", (IN / name).unlink)
            attempt(f"truncate {name}", lambda name=name: os.truncate(IN / name, 0))
        attempt("add a chunk", lambda: (IN / "chunk-000001.json").write_text("{}"))
        attempt("say stop", lambda: (IN / "stop").touch())
        attempt("link the bars outwards", lambda: os.link(IN / "chunk-000000.bin", "/exchange/out/bars"))
        attempt("write the node's cache", lambda: Path("/var/lib/tapedeck/cache/x").write_text("x"))
        attempt("see another job's folder", lambda: os.listdir(self.others))
        attempt("see another job's exchange", lambda: sorted(set(os.listdir("/exchange")) - {"in", "out"}) or None)
        return bars.close * 0
