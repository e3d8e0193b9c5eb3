"""A compiled `on_bar` where strategies run: Numba works within the limits, and decides as plain Python does."""

from __future__ import annotations

from pathlib import Path

from tests.sandbox.conftest import Cluster
from tests.unit import dice

CODE = Path(dice.__file__).read_text().split("if __name__")[0]


def test_a_compiled_strategy_decides_in_the_sandbox_as_plain_python_does_outside(cluster: Cluster) -> None:
    found = cluster.run(CODE + "\nmain()\n").printed()
    for seed, claims in found["claims"].items():
        played, _ = dice.play(dice.ByBook(seed=int(seed)), int(seed), [100, 101, 400])
        assert claims == [chunk.claim.hex() for chunk in played]
    assert all(seconds > 0 for seconds in found["seconds"])
