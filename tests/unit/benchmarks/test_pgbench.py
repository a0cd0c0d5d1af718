"""Reading what pgbench prints."""

import pytest

from loadtests.benchmarks.commands import CommandFailed
from loadtests.benchmarks.pgbench import rate_in

PROCESSED = "number of transactions actually processed: "


def test_the_rate_is_read() -> None:
    output = f"{PROCESSED}1203\nlatency average = 3.3 ms\ntps = 300.512345 (without connecting)\n"

    assert rate_in(output) == pytest.approx(300.5, rel=0.001)


def test_a_try_in_which_nothing_ended_is_slow_and_no_failure() -> None:
    assert rate_in(f"duration: 1 s\n{PROCESSED}0\n") == 0


def test_anything_else_is_a_failure_with_its_words() -> None:
    with pytest.raises(CommandFailed, match="connection refused"):
        rate_in("connection refused")
