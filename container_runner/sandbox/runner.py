"""The host of a strategy, in the strategy's process: loads it, hands it bars, hands its decisions out.

The launcher's child, or started anew for a replay. All of it is as untrusted as the strategy, which can patch anything
here: the sidecar believes nothing but the bytes of the decisions.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import contract
from sandbox.complaint import from_exception
from sandbox.exchange import Chunk, Exchange
from tapedeck import compiled, source, strategy, within
from tapedeck.bars import Array, Bars
from tapedeck.decisions import as_decisions, asking
from tapedeck.run import Run

# -s -P is -I without -E: the environment is the policy's, whole and ours, and PYTHONHASHSEED must hold in it.
AGAIN = [sys.executable, "-s", "-P", "-B", "-u", "-m", "sandbox.runner"]
_RESERVE_BYTES = 4 << 20  # given back when the strategy has used up its memory: to say where takes some


class StoppedError(BaseException):
    """The sidecar needs nothing more of this run; no `except Exception` of the user's is meant to see it."""


class SandboxPort:
    """`tapedeck.run.Port` over the exchange: the whole run is one chunk."""

    def __init__(self, exchange: Exchange, symbols: list[str]) -> None:
        self._exchange = exchange
        self._symbols = symbols
        self._chunk: Chunk | None = None

    def bars(self) -> Bars:
        """Return the bars of the whole run, history first."""
        self._chunk = next(self._exchange.chunks(1), None)
        if self._chunk is None:
            raise StoppedError
        return bars_of(self._chunk, self._symbols)

    def submit(self, decisions: Array) -> None:
        """Hand the decisions out."""
        assert self._chunk is not None  # `Run.submit` reads the bars first
        self._exchange.decide(self._chunk, decisions[self._chunk.history :])


def bars_of(chunk: Chunk, symbols: list[str]) -> Bars:
    """Return a chunk as the strategy sees it."""
    arrays: Mapping[str, Any] = chunk.arrays
    raw = {name.removeprefix("raw."): array for name, array in arrays.items() if name.startswith("raw.")}
    fields = {name: arrays[name] for name in raw}
    return Bars(symbols=symbols, ts=arrays["ts"], session=arrays["session"], fields=fields, raw=raw)


class Host:
    """One run: loads the strategy that `run.json` names and takes it through its chunks."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.asked: object = None  # the strategy's function that was asked last

    def play(self) -> None:
        """Run to the end; raises whatever the strategy's code raises."""
        asked = self._exchange.run()
        random.seed(asked["seed"])
        np.random.seed(asked["seed"])
        path = self._exchange.source(asked["source"])
        loaded = source.load(path, asked["source"], asked["kind"], asked["class_name"])
        self.asked = loaded
        if not isinstance(loaded, type):
            self._main(loaded, 0, asked)
        else:
            instance = strategy.create(loaded, asked["params"])
            if asked["level"] in ("weights", "shares"):
                self._vectorised(instance, asked)
            elif asked["level"] == "on_bar":
                self._on_bar(instance, asked)
            else:
                self._main(instance.main, self._lookback(instance), asked)

    def _vectorised(self, instance: strategy.Strategy, asked: contract.Run) -> None:
        self._exchange.hello(self._lookback(instance))
        compiled.keep_memory()
        self.asked = decide = instance.shares if asked["level"] == "shares" else instance.weights
        for chunk in self._exchange.chunks(asked["chunks"]):
            bars = bars_of(chunk, asked["symbols"])
            with asking(asked["level"], bars):
                made = decide(bars)
            decided = as_decisions(made, bars, asked["level"], copy=False)
            self._exchange.decide(chunk, decided[chunk.history :])
            del chunk, bars, made, decided  # given back before the next one is waited for

    def _on_bar(self, instance: strategy.Strategy, asked: contract.Run) -> None:
        # The engine is this level's alone: the others start without it.
        from tapedeck.engine import EngineSettings, order_state  # noqa: PLC0415
        from tapedeck.engine.state import ACTION  # noqa: PLC0415
        from tapedeck.on_bar import Player, own_block  # noqa: PLC0415

        lookback = self._lookback(instance)
        self._exchange.hello(lookback)
        self.asked = instance.on_bar
        settings = {name: value for name, value in asked["engine"].items() if name != "version"}
        state = order_state.new(asked["symbols"], EngineSettings(**settings))  # type: ignore[arg-type]  # the contract's
        player = Player(state, lookback, instance.on_bar)
        for chunk in self._exchange.chunks(asked["chunks"]):
            bars = bars_of(chunk, asked["symbols"])
            actions = np.array([tuple(action) for action in chunk.actions], dtype=ACTION)
            played = player.play(own_block(bars, chunk.history), actions, bars)
            self._exchange.order(chunk, played.claim, played.orders)
            if chunk.index == 0 and player.compile_seconds is not None:
                print(f"on_bar was compiled in {player.compile_seconds:.1f} s")  # noqa: T201 - the run's log

    def _main(self, main: Callable[[Run], object], history: int, asked: contract.Run) -> None:
        self._exchange.hello(history)
        self.asked = main
        port = SandboxPort(self._exchange, asked["symbols"])
        of = asked["dataset"], asked["snapshot"]
        run = Run(port, asked["symbols"], asked["params"], *of, adjust=asked["adjust"])
        try:
            with within.running(run):
                main(run)
        except SystemExit as left:  # a script may end by sys.exit() once it has decided
            if left.code not in (0, None) or not run.submitted:
                raise
        if not run.submitted:
            raise ValueError("main(run) has ended without decisions: call run.submit(weights)")

    def _lookback(self, instance: strategy.Strategy) -> int:
        self.asked = instance.lookback
        bars: object = instance.lookback()
        if isinstance(bars, bool) or not isinstance(bars, int | np.integer) or bars < 0:
            raise ValueError(f"lookback() returned {bars!r}: it is a number of bars, 0 or more")
        return int(bars)


def main(folders: list[str]) -> int:
    """Run; return the code to leave with: 0, or 1 after the strategy's failure is written down."""
    exchange = Exchange(*(Path(folder) for folder in folders))
    host = Host(exchange)
    reserve = bytearray(_RESERVE_BYTES)
    if exchange.replaying:  # the log is the run's, not its replays'
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - to the process' end
    try:
        host.play()
        if exchange.wait_for_replay():
            source.forget()
            os.execv(sys.executable, [*AGAIN, *folders])  # noqa: S606 - so that nothing seen is remembered
    except StoppedError:
        return 0
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is its result
        del reserve
        failure = from_exception(error, host.asked)
        sys.stderr.write(failure["traceback"] or failure["message"] + "\n")
        exchange.fail(failure)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # other folders than the contract's are for tests
