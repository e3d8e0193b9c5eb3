"""The strategy's output as log lines: bounded per run, made plain, numbered.

The first `head_bytes` of a run go out as they come; of the rest the last `tail_bytes` are kept, and one line between
them states what was cut. A line longer than `line_bytes` is cut as well. `seq` counts the cut lines too.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sidecar.text import plain_bytes

STREAMS = ("stdout", "stderr")
_LINE_COST = 64  # bytes that a line's own frame counts against the bounds, so that empty lines are not free
_LAST_LINES = 20
_LATEST_CHARS = 500


@dataclass(frozen=True)
class _Line:
    seq: int
    stream: str
    at: str
    raw: bytes

    @property
    def cost(self) -> int:
        return len(self.raw) + _LINE_COST


class LogBook:
    """Bytes in, JSON lines `{"seq", "stream", "at", "text"}` out."""

    def __init__(self, *, head_bytes: int, tail_bytes: int, line_bytes: int) -> None:
        self._head_left = head_bytes
        self._tail_left = tail_bytes
        self._line_bytes = line_bytes
        self._most_lines = tail_bytes // _LINE_COST + 1
        self._seq = 0
        self._partial = dict.fromkeys(STREAMS, b"")
        self._last: dict[str, deque[bytes]] = {stream: deque(maxlen=_LAST_LINES) for stream in STREAMS}
        self._latest: deque[bytes] = deque(maxlen=_LAST_LINES)
        self._ready: list[_Line] = []
        self._tail: deque[_Line] = deque()
        self._cut_lines = 0
        self._cut_bytes = 0

    def feed(self, stream: str, data: bytes, at: str) -> None:
        """Take bytes that a stream carried, read at time `at` (ISO 8601, UTC)."""
        lines = (self._partial[stream] + data).split(b"\n")
        self._partial[stream] = lines.pop()[: self._line_bytes + 1]
        if self._head_left <= 0 and (surplus := len(lines) - self._most_lines) > 0:
            self._cut_lines += surplus
            self._cut_bytes += sum(map(len, lines[:surplus]))
            self._seq += surplus
            lines = lines[surplus:]
        for raw in lines:
            self._add(stream, raw, at)

    def ready(self) -> list[str]:
        """Return the lines of the head that have come since the last call, as JSON."""
        lines, self._ready = self._ready, []
        return [self._json(line) for line in lines]

    def close(self, at: str) -> list[str]:
        """Return all that is left: unfinished lines, the statement of what was cut, the tail."""
        for stream, raw in self._partial.items():
            if raw:
                self._add(stream, raw, at)
        self._partial = dict.fromkeys(STREAMS, b"")
        lines = self.ready()
        if self._cut_lines:
            text = f"[{self._cut_lines} lines, {self._cut_bytes} bytes, are cut here]"
            lines.append(json.dumps({"seq": self._tail[0].seq - 1, "stream": "platform", "at": at, "text": text}))
        lines += [self._json(line) for line in self._tail]
        self._tail.clear()
        self._cut_lines = self._cut_bytes = 0
        return lines

    def last_lines(self, stream: str) -> list[str]:
        """Return the last lines of a stream, plain."""
        return [plain_bytes(raw, self._line_bytes) for raw in self._last[stream]]

    def latest(self) -> list[str]:
        """Return the last lines of both streams, plain and short."""
        return [plain_bytes(raw, _LATEST_CHARS) for raw in self._latest]

    def _add(self, stream: str, raw: bytes, at: str) -> None:
        if len(raw) > self._line_bytes:
            raw = raw[: self._line_bytes] + " … [line cut]".encode()
        line = _Line(self._seq, stream, at, raw)
        self._seq += 1
        self._last[stream].append(raw)
        self._latest.append(raw)
        if self._head_left > 0:
            self._head_left -= line.cost
            self._ready.append(line)
            return
        self._tail.append(line)
        self._tail_left -= line.cost
        for dropped in self._overflow():
            self._cut_lines += 1
            self._cut_bytes += len(dropped.raw)
            self._tail_left += dropped.cost

    def _overflow(self) -> Iterator[_Line]:
        while self._tail_left < 0 and len(self._tail) > 1:
            yield self._tail.popleft()

    def _json(self, line: _Line) -> str:
        text = plain_bytes(line.raw, 2 * self._line_bytes)
        return json.dumps({"seq": line.seq, "stream": line.stream, "at": line.at, "text": text}, ensure_ascii=False)
