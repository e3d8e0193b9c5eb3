"""What crosses the trust line between sidecar and strategy: folders, file names, byte formats, bounds.

The sidecar (trusted) writes below ``/exchange/in``, which the strategy mounts read-only; the strategy (hostile) writes
below ``/exchange/out``. A file appears by rename, so a name that exists is complete. The sidecar looks only for the
name that it expects next and reads fixed-width bytes: there is no parser on its side but for `failure.json`, which is
bounded and read strictly.

in/   run.json               what to run (schema: `Run`)
      source/NAME            the submitted file
      chunk-000000.json      header of a chunk (schema: `ChunkHeader`); appears after the .bin
      chunk-000000.bin       its arrays, each at a 64-byte boundary, tables symbol-major (NumPy's order "F")
      replay-000001.json     decide again, in a fresh process, on other chunks (schema: `Replay`): the look-ahead audit
      stop                   no more chunks: leave with code 0
out/  hello.bin              HELLO: magic, version, lookback (bars)
      decisions-000000.bin   "on_bar": CLAIM_BYTES of claim, then at most MOST_ORDERS records ORDER; else
                             float64, little endian, symbol-major: each symbol's rows lie together; rows without
                             the lookback (their digest is taken bar by bar: `tapedeck.decisions.by_bar`)
      released-000000        nothing in the strategy's process looks at that chunk any more: its memory may go at once
      failure.json           the strategy's own failure (schema: `Failure`)
      exit.bin               EXIT: how the strategy's process ended and what it took, written by the launcher
      log-stdout-000000.bin  raw bytes of a stream, at most LOG_SEGMENT_BYTES; the sidecar removes what it has read
      log-stderr-000000.bin
"""

from __future__ import annotations

import re
import struct
from typing import Literal, TypedDict

IN = "/exchange/in"
OUT = "/exchange/out"

HELLO = struct.Struct("<4sIQ")  # magic b"TDK1", version, lookback in bars
HELLO_MAGIC = b"TDK1"
HELLO_VERSION = 2  # of all formats here; 2: tables and decisions are symbol-major
EXIT = struct.Struct("<4siQQ")  # magic b"EXIT", wait status as of os.wait4, peak of resident bytes, CPU microseconds
EXIT_MAGIC = b"EXIT"

# An order: bar (counted from the run's first), kind, symbol (column), time in force, zero, the order it refers to,
# quantity or weight, limit, stop. `tapedeck.engine.orders` says what they mean and checks them; the claim is the
# SHA-256 of fills, equity and books as the strategy's process has them after the chunk.
ORDER = struct.Struct("<qiiiiqddd")
CLAIM_BYTES = 32
MOST_ORDERS = 500_000  # of a chunk

LOG_SEGMENT_BYTES = 64 * 1024
LOG_SEGMENTS_WAITING = 64  # per stream; beyond it the launcher drops and counts
LOG_SEGMENTS_A_SECOND = 32  # per stream, after a first burst of LOG_SEGMENTS_WAITING; likewise
FAILURE_BYTES = 64 * 1024
MAX_LOOKBACK_BARS = 1_000_000
ALIGN = 64

POLL_FIRST_S = 0.001
POLL_LAST_S = 0.020

LOG_NAME = re.compile(r"log-(stdout|stderr)-([0-9]{6})\.bin")

FIELDS = ("open", "high", "low", "close", "volume")

Level = Literal["weights", "shares", "on_bar", "main"]
Kind = Literal["script", "notebook", "zip"]


class Run(TypedDict):
    """`in/run.json`: all that the strategy's process needs to know. No secret, no address, no other's name."""

    kind: Kind
    source: str  # file name below in/source
    level: Level
    class_name: str | None  # None: a top-level `main(run)`
    params: dict[str, int | float | str | bool]
    symbols: list[str]
    fields: list[str]  # a subset of FIELDS, in FIELDS' order
    dataset: str
    snapshot: str
    adjust: str  # what `bars` are adjusted for: "split", "total", "raw"
    start: str  # session dates, ISO, both inclusive
    end: str
    seed: int
    chunks: int
    engine: EngineRef  # "on_bar" keeps books of its own to see; those that count are kept outside


class ArraySpec(TypedDict):
    """Where one array lies in `chunk-N.bin`."""

    name: str  # "ts" (int64, us UTC, bar start), "session" (int32, days since 1970-01-01), or a field / "raw." + field
    dtype: Literal["<i8", "<i4", "<f8"]
    shape: list[int]  # [rows] or [rows, symbols]; rows include the lookback; a symbol's rows lie together
    offset: int  # a field that no action changes in this chunk lies where its raw one does


class ChunkHeader(TypedDict):
    """`in/chunk-N.json`."""

    index: int
    rows: int  # bars to decide on: the last `rows` of each array
    lookback: int  # bars of history before them (may be fewer than asked for at the start of the data)
    arrays: list[ArraySpec]
    actions: list[tuple[int, int, int, float]]  # "on_bar": `tapedeck.engine.state.ACTION` of the chunk's sessions


class Replay(TypedDict):
    """`in/replay-N.json`, N from 1: the strategy's host starts again as a new process and decides on these chunks.

    Chunk numbers run on from what came before, so that no file of an earlier pass can be taken for one of this.
    """

    first: int
    chunks: int


class Failure(TypedDict):
    """`out/failure.json`: what the strategy's process says of its own failure; a claim, shown as such."""

    kind: Literal["CODE", "OUT_OF_MEMORY", "LIMIT", "DATA"]
    message: str
    file: str | None
    line: int | None  # line of the submitted file; for a notebook of the cell
    cell: int | None
    traceback: str


class EngineRef(TypedDict):
    """Engine version and settings of a run; `tapedeck.ranges` states the units, 0 = not asked for."""

    version: str
    cash: float
    accounts: Literal["one", "sleeves"]
    size_at: Literal["decision", "fill"]
    rebalance: Literal["change", "day", "month"]
    leverage: float
    fractional: bool
    commission_bps: float
    commission_per_share: float
    commission_minimum: float
    slippage_bps: float
    half_spread_per_share: float
    impact_bps: float
    volume_cap: float
    halt_zero_volume: bool
    borrow_fee_annual: float
    interest_credit_annual: float
    interest_debit_annual: float
    lot_size: float
    maintenance_margin: float


def chunk_header(index: int) -> str:
    """Return the name of a chunk's header below `IN`."""
    return f"chunk-{index:06}.json"


def chunk_data(index: int) -> str:
    """Return the name of a chunk's arrays below `IN`."""
    return f"chunk-{index:06}.bin"


def replay(number: int) -> str:
    """Return the name of a replay's header below `IN`."""
    return f"replay-{number:06}.json"


def decisions(index: int) -> str:
    """Return the name of a chunk's decisions below `OUT`."""
    return f"decisions-{index:06}.bin"


def released(index: int) -> str:
    """Return the name below `OUT` that gives a chunk's arrays back."""
    return f"released-{index:06}"


def log_segment(stream: str, seq: int) -> str:
    """Return the name of a log segment below `OUT`."""
    return f"log-{stream}-{seq:06}.bin"
