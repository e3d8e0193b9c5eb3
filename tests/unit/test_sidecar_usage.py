"""What the strategy's container says that it took."""

import pytest

from sandbox import policy
from sidecar.exchange import Exit
from sidecar.usage import claimed

MIB = 1024 * 1024


def test_what_the_container_says_is_taken_as_its_own_word() -> None:
    assert claimed(Exit(0, 300 * MIB, 1_500_000), policy.load(), "gvisor") == {
        "peak_memory_bytes": 300 * MIB,
        "cpu_seconds": 1.5,
        "sandbox": "gvisor",
        "reported_by": "strategy",
    }


@pytest.mark.parametrize("ended", [None, Exit(0, 2**64 - 1, 1), Exit(0, 1, 2**64 - 1)])
def test_no_word_and_an_impossible_one_are_nothing(ended: Exit | None) -> None:
    usage = claimed(ended, policy.load(), "gvisor")
    assert (usage["peak_memory_bytes"], usage["cpu_seconds"], usage["sandbox"]) == (None, None, "gvisor")
