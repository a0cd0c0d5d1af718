"""Faults hit the requests they name, as often as they say, and the same ones every time."""

from services.payment_simulator.faults import Fault, FaultKind, FaultPlan
from services.payment_simulator.tokens import decline_code


def test_a_fault_with_a_count_ends() -> None:
    plan = FaultPlan()
    plan.replace([Fault(kind=FaultKind.DOWN, count=2)])

    taken = [plan.take("authorise") is not None for _ in range(3)]

    assert taken == [True, True, False]
    assert [active.hits for active in plan.active()] == [2]


def test_a_fault_hits_only_what_it_names() -> None:
    plan = FaultPlan()
    plan.replace([Fault(kind=FaultKind.DECLINE, operation="authorise", token_prefix="tok_a")])

    assert plan.take("authorise", "tok_a1") is not None
    assert plan.take("authorise", "tok_b1") is None
    assert plan.take("release") is None


def test_the_first_rule_that_takes_a_request_decides() -> None:
    plan = FaultPlan()
    plan.replace([Fault(kind=FaultKind.DOWN, count=1), Fault(kind=FaultKind.SLOW)])

    taken = [plan.take("lookup"), plan.take("lookup")]

    assert [fault.kind for fault in taken if fault] == [FaultKind.DOWN, FaultKind.SLOW]


def test_a_ratio_hits_the_same_requests_for_the_same_seed() -> None:
    rule = Fault(kind=FaultKind.DOWN, ratio=0.3, seed=7)
    plans = [FaultPlan(), FaultPlan()]
    for plan in plans:
        plan.replace([rule])

    first, second = ([plan.take("authorise") is not None for _ in range(200)] for plan in plans)

    assert first == second
    assert 30 < sum(first) < 90


def test_a_token_says_how_it_is_declined() -> None:
    tokens = ("tok_ok_1", "tok_decline_insufficient_funds_12", "tok_decline_12")

    assert [decline_code(token) for token in tokens] == [
        None,
        "insufficient_funds",
        "card_declined",
    ]
