import json
from typing import Any

from sidecar.logs import LogBook


def _lines(lines: list[str]) -> list[dict[str, Any]]:
    assert all("\n" not in line for line in lines)
    return [json.loads(line) for line in lines]


def _book(head: int = 10_000, tail: int = 10_000, line: int = 100) -> LogBook:
    return LogBook(head_bytes=head, tail_bytes=tail, line_bytes=line)


def test_lines_carry_stream_sequence_and_time() -> None:
    book = _book()
    book.feed("stdout", b"one\ntw", "t0")
    book.feed("stderr", b"oops\n", "t1")
    book.feed("stdout", b"o\n", "t2")
    assert _lines(book.ready()) == [
        {"seq": 0, "stream": "stdout", "at": "t0", "text": "one"},
        {"seq": 1, "stream": "stderr", "at": "t1", "text": "oops"},
        {"seq": 2, "stream": "stdout", "at": "t2", "text": "two"},
    ]
    assert book.ready() == []
    assert book.last_lines("stderr") == ["oops"]


def test_an_unfinished_line_is_kept_at_the_end() -> None:
    book = _book()
    book.feed("stdout", b"no newline", "t0")
    assert book.ready() == []
    assert [line["text"] for line in _lines(book.close("t1"))] == ["no newline"]
    assert book.close("t2") == []


def test_an_endless_line_is_cut_and_takes_no_memory() -> None:
    book = _book()
    for _ in range(1000):
        book.feed("stdout", b"x" * 65536, "t")
    assert len(book._partial["stdout"]) == 101
    [line] = _lines(book.close("t"))
    assert line["text"] == "x" * 100 + " … [line cut]"


def test_a_character_that_two_segments_share_is_whole() -> None:
    book = _book()
    body = "grüße\n".encode()
    book.feed("stdout", body[:3], "t")
    book.feed("stdout", body[3:], "t")
    assert _lines(book.ready())[0]["text"] == "grüße"


def test_control_bidi_and_separator_characters_are_taken_out() -> None:
    book = _book()
    book.feed(
        "stdout", "a\x1b[2Jb\x00c\rd\te\u202ef\u2066g\u2028h\u2029i\x85j\x9bk<b>\ufeff\n".encode() + b"\xff\xfe\n", "t"
    )
    first, second = _lines(book.ready())
    assert first["text"] == "a[2Jbcd\tefghijk<b>"
    assert second["text"] == "\ufffd\ufffd"


def test_head_and_tail_of_a_flood_are_kept_and_the_cut_is_stated() -> None:
    book = _book(head=1000, tail=1000)
    total = 50_000
    for i in range(0, total, 500):
        book.feed("stdout", b"".join(b"%d\n" % n for n in range(i, i + 500)), "t")
    lines = _lines(book.ready() + book.close("end"))
    texts = [line["text"] for line in lines if line["stream"] == "stdout"]
    [cut] = [line for line in lines if line["stream"] == "platform"]
    assert texts[0] == "0" and texts[-1] == str(total - 1)
    assert len(texts) < 40
    assert cut["text"].startswith(f"[{total - len(texts)} lines, ")
    assert all(line["text"] == str(line["seq"]) for line in lines if line["stream"] == "stdout")
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)


def test_a_flood_of_empty_lines_is_bounded_as_well() -> None:
    book = _book(head=1000, tail=1000)
    for _ in range(50):
        book.feed("stderr", b"\n" * 65536, "t")
    lines = book.ready() + book.close("t")
    assert len(lines) < 40
    assert book.last_lines("stderr") == [""] * 20
