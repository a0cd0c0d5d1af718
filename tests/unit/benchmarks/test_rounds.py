"""Which contenders take part in a run, and in which order."""

import pytest

from loadtests.benchmarks.contenders import CONTENDERS
from loadtests.benchmarks.contenders.hello import Hello
from loadtests.benchmarks.contenders.send_batch import SendBatch
from loadtests.benchmarks.rounds import needed_for, order_of
from loadtests.benchmarks.rows import ROWS, Figure, Row, UnknownRow, chosen

_OF_THE_TABLE = {
    "api_vs_pgbench",
    "api_vs_fastapi",
    "api_vs_hello",
    "telemetry",
    "relay_vs_debezium",
    "relay_vs_send_batch",
    "relay_p99_vs_debezium",
    "relay_vs_skip_locked",
    "relay_pinned_xmin",
    "worker_vs_pgbench",
    "hot_sku",
    "end_to_end_vs_pgbench",
    "overload",
}


def test_every_comparison_that_is_promised_has_a_row() -> None:
    assert {row.key for row in ROWS} >= _OF_THE_TABLE


def test_every_contender_is_needed_by_a_row_and_every_row_finds_its_contenders() -> None:
    assert needed_for(ROWS, CONTENDERS) == list(CONTENDERS)


def test_one_row_brings_its_two_contenders_only() -> None:
    needed = needed_for(chosen(["api_vs_pgbench"]), CONTENDERS)

    assert [kind.name for kind in needed] == ["pgbench_orders", "api"]


def test_a_figure_whose_load_another_contender_sizes_brings_it_along() -> None:
    sized = Row(
        key="sized",
        over=Figure("relay", "p99_ms"),
        under=Figure("send_batch"),
        goal=1,
        measured="",
        beside="",
    )

    assert [kind.name for kind in needed_for([sized], CONTENDERS)] == [
        "debezium",
        "relay",
        "send_batch",
    ]


def test_a_figure_that_nobody_sizes_brings_nobody_along() -> None:
    needed = needed_for(chosen(["relay_vs_send_batch"]), CONTENDERS)

    assert [kind.name for kind in needed] == ["relay", "send_batch"]


def test_what_sizes_a_turn_stands_before_it() -> None:
    names = [kind.name for kind in CONTENDERS]

    for kind in CONTENDERS:
        for other in (name for needed in kind.needs.values() for name in needed):
            assert names.index(other) < names.index(kind.name)


def test_every_other_round_runs_backwards() -> None:
    contenders = [Hello(), SendBatch()]

    assert order_of(0, contenders) == contenders
    assert order_of(1, contenders) == contenders[::-1]
    assert order_of(2, contenders) == contenders


def test_an_unknown_row_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UnknownRow, match=r"no row is called nonsense; there are api_vs_pgbench"):
        chosen(["nonsense"])
