import pytest

from sandbox import policy
from sidecar import limits
from sidecar.failures import RunError


def test_a_month_of_minutes_of_a_hundred_symbols_fits() -> None:
    limits.check(policy.load(), rows=23 * 390, history=390, symbols=100, fields=5)


@pytest.mark.parametrize("level", ["weights", "main"])
@pytest.mark.parametrize("fields", [1, 2, 5])
@pytest.mark.parametrize("symbols", [1, 7, 500])
def test_what_is_planned_to_fit_fits_and_main_fills_the_pod(level: str, fields: int, symbols: int) -> None:
    rules = policy.load()
    rows = rules.chunk_bytes(level, fields) // (12 + 16 * fields * symbols)
    limits.check(rules, rows=rows, history=0 if level == "main" else rows // 10, symbols=symbols, fields=fields)
    with pytest.raises(RunError):
        limits.check(rules, rows=3 * rows, history=rows, symbols=symbols, fields=fields)


@pytest.mark.parametrize(
    ("rows", "history", "symbols", "fields", "words"),
    [
        (10_000, 0, 500, 1, "the decisions on a chunk of 10000 bars"),
        (1_000, 20_000, 500, 5, "20000 of history"),
        (8_000, 40_000, 500, 1, "working on a chunk"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused_with_its_sizes(
    rows: int, history: int, symbols: int, fields: int, words: str
) -> None:
    with pytest.raises(RunError, match=r"[0-9.]+ MiB, [0-9.]+ MiB are there") as refused:
        limits.check(policy.load(), rows=rows, history=history, symbols=symbols, fields=fields)
    assert refused.value.kind == "LIMIT" and words in refused.value.message
