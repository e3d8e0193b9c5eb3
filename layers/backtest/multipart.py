"""multipart/form-data (RFC 7578): parts cut at the boundary, their headers read by the standard library.

The email package's own multipart parser follows nested parts wherever a hostile body leads it; a form has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from email.parser import BytesHeaderParser

from backtest.errors import CallerError

MAX_PARTS = 16
MAX_HEADER_BYTES = 8192


@dataclass(frozen=True)
class Part:
    """One field of a form; `filename` is what the client calls the file."""

    filename: str | None
    body: bytes


def parse_form(content_type: str, body: bytes) -> dict[str, Part]:
    """Return the parts by name; raises `CallerError` when the body is no form or names a part twice."""
    parts: dict[str, Part] = {}
    for piece in _pieces(_boundary(content_type), body):
        head, blank, content = piece.partition(b"\r\n\r\n")
        if not blank or len(head) > MAX_HEADER_BYTES:
            raise _bad("a part without headers")
        header = _headers(head)
        name = header.get_param("name", header="content-disposition")
        if header.get_content_disposition() != "form-data" or not isinstance(name, str):
            raise _bad("a part without a name")
        if name in parts:
            raise CallerError(
                400, "REPEATED_PART", f"the part {name[:100]!r} stands twice in the form", part=name[:100]
            )
        parts[name] = Part(header.get_filename(), content)
    return parts


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary or not 1 <= len(boundary) <= 70:
        raise CallerError(415, "NOT_MULTIPART", "the body is a multipart/form-data form with the parts code and params")
    try:
        return boundary.encode("ascii")
    except UnicodeEncodeError:
        raise _bad("a boundary that is not ASCII") from None


def _pieces(boundary: bytes, body: bytes) -> list[bytes]:
    """Return what stands between the boundaries; the text before the first and after the last means nothing."""
    delimiter = b"\r\n--" + boundary
    first, *rest = (b"\r\n" + body).split(delimiter, MAX_PARTS + 2)
    if not rest or first.strip():
        raise _bad("no boundary")
    pieces: list[bytes] = []
    for piece in rest:
        if piece.startswith(b"--"):
            return pieces
        line_end = piece.find(b"\r\n")
        if line_end < 0 or piece[:line_end].strip(b" \t"):
            raise _bad("a boundary that does not end its line")
        pieces.append(piece[line_end + 2 :])
    raise _bad(f"no closing boundary, or more than {MAX_PARTS} parts")


def _headers(head: bytes) -> Message:
    try:
        return BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    except (MessageError, ValueError) as e:
        raise _bad("headers that do not parse") from e


def _bad(what: str) -> CallerError:
    return CallerError(400, "BAD_FORM", f"the form does not parse: {what}")
