"""What an order asks for first, once it is placed."""

from libs.domain.orders.saga import Step, begin
from libs.domain.orders.status import Status
from libs.testkit import build


def test_an_order_without_tracked_stock_begins_with_the_payment() -> None:
    lines = (build.line("GIFT", stock_tracked=False),)

    decision = begin(build.order(lines), lines, build.SOURCE, build.NOW)

    assert decision.saga.step is Step.AUTHORISE
    assert not decision.saga.reserve_sent


def test_an_order_that_needs_nothing_is_confirmed_where_it_is_placed() -> None:
    lines = (build.line("GIFT", total_minor=0, stock_tracked=False),)

    decision = begin(build.order(lines), lines, build.SOURCE, build.NOW)

    assert (decision.order.status, decision.order.version) == (Status.CONFIRMED, 2)
    assert (decision.saga.step, decision.commands) == (Step.CONFIRMED, ())


def test_stock_is_asked_for_per_sku_over_all_lines() -> None:
    lines = (
        build.line("TEE", 2, line_no=1),
        build.line("MUG", 1, line_no=2),
        build.line("TEE", 3, line_no=3),
        build.line("GIFT", 1, line_no=4, stock_tracked=False),
    )
    order = build.order(lines)

    decision = begin(order, lines, build.SOURCE, build.NOW)

    assert decision.commands == (build.reserve_stock(order.id, TEE=5, MUG=1),)
