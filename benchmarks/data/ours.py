"""A sidecar's read off the node's cache: the daemon a process of its own, the block summed column by column."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.data import market, report
from benchmarks.data.where import FOLDER, SYMBOLS
from sidecar.near import NodeCache
from tapedeck.market import memory, months, reader, years

_DAEMON = """
import sys; from pathlib import Path; from cache import __main__ as cache; from tapedeck.market.store import FolderStore
cache.connect = lambda settings: FolderStore(Path(sys.argv[1]))
sys.exit(cache.main())
"""


def main() -> None:
    """Print one measurement of a read that hits."""
    store, snapshot = market.load()
    folder = FOLDER / "cache"
    folder.mkdir(exist_ok=True)
    environ = {"MARKET_BUCKET": "none", "CACHE_DIR": str(folder), "CACHE_LISTEN": "127.0.0.1:0"}
    memory.BLOCKS.limit = 1 << 30  # as in a sidecar, which reads chunk after chunk
    months._CACHE._limit = 0  # the process's own memory of months is not what is measured
    daemon = subprocess.Popen(
        [sys.executable, "-c", _DAEMON, str(Path(store.root))],
        env={**os.environ, **environ, "CACHE_BYTES": str(4 << 30)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert daemon.stdout is not None
        near = NodeCache(f"http://127.0.0.1:{json.loads(daemon.stdout.readline())['port']}", folder)
        leaves = snapshot.leaves(SYMBOLS).values()
        asked = [year for leaf in leaves for year in years.wanted(snapshot.dataset, leaf, market.FIRST, market.LAST)]
        while not all(near.ask(asked)):  # the daemon makes what is not there yet
            pass
        near._asked = 0

        def run() -> float:
            block = reader.read_block(store, snapshot, SYMBOLS, report.asked(), market.FIRST, market.LAST, near=near)
            return sum(float(values.sum()) for values in block.fields.values())

        report.second(run)
        assert near._taken == near._asked  # every year came from the cache
    finally:
        daemon.terminate()
        daemon.wait(30)


main()
