"""What is a difference between two books, and what is only under way."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.domain.payments.operation import Kind, OperationState
from libs.domain.payments.provider import Accepted, Declined, ProviderObject, Succeeded
from libs.domain.payments.provider_amounts import expressible
from libs.domain.payments.reconciliation import (
    DifferenceKind,
    OurOperation,
    OurPayment,
    compare,
    missing_there,
)
from libs.foundation.ids import new_id

READ_FROM = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
BEFORE = READ_FROM - timedelta(seconds=1)
OURS = OurOperation(
    key=uuid4(),
    order_id=new_id(),
    kind=Kind.AUTHORISE,
    state=OperationState.SUCCEEDED,
    amount_minor=1_999,
    currency="EUR",
    provider_reference="auth_1",
    updated_at=BEFORE,
)
PAYMENT = OurPayment(
    order_id=OURS.order_id,
    captured_minor=1_000,
    released_minor=999,
    given_back_minor=300,
    updated_at=BEFORE,
    busy=False,
)
THEIRS = ProviderObject(
    kind="authorise",
    reference="auth_1",
    key=OURS.key,
    order_reference=str(OURS.order_id),
    amount=Money(amount=1_999, currency="EUR"),
    succeeded=True,
    captured_minor=1_000,
    released_minor=999,
    refunded_minor=300,
)


def kinds(
    theirs: ProviderObject = THEIRS, ours: OurOperation = OURS, payment: OurPayment = PAYMENT
) -> list[DifferenceKind]:
    found = compare([theirs], {ours.key: ours}, {payment.order_id: payment}, READ_FROM)
    return [each.kind for each in found]


def test_equal_books_do_not_differ() -> None:
    assert kinds() == []


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        (replace(THEIRS, key=uuid4()), DifferenceKind.UNKNOWN_HERE),
        (replace(THEIRS, key=None), DifferenceKind.UNKNOWN_HERE),
        (replace(THEIRS, succeeded=False), DifferenceKind.STATE_DIFFERS),
        (replace(THEIRS, reference="auth_2"), DifferenceKind.AMOUNT_DIFFERS),
        (replace(THEIRS, captured_minor=999), DifferenceKind.AMOUNT_DIFFERS),
        (replace(THEIRS, kind="capture"), DifferenceKind.AMOUNT_DIFFERS),
        (
            replace(THEIRS, amount=Money(amount=1_999, currency="USD")),
            DifferenceKind.AMOUNT_DIFFERS,
        ),
    ],
)
def test_whatever_is_told_otherwise_differs(theirs: ProviderObject, kind: DifferenceKind) -> None:
    assert kinds(theirs) == [kind]


@pytest.mark.parametrize("state", [OperationState.SENT, OperationState.UNKNOWN])
def test_an_operation_under_way_is_left_alone(state: OperationState) -> None:
    assert kinds(replace(THEIRS, succeeded=False), replace(OURS, state=state)) == []


@pytest.mark.parametrize("state", [OperationState.FAILED, OperationState.MANUAL])
def test_a_success_that_we_gave_up_differs(state: OperationState) -> None:
    assert kinds(THEIRS, replace(OURS, state=state)) == [DifferenceKind.STATE_DIFFERS]


def test_what_changed_since_the_page_was_asked_for_is_left_alone() -> None:
    other = replace(THEIRS, captured_minor=0)

    assert kinds(other, payment=replace(PAYMENT, updated_at=READ_FROM)) == []
    assert kinds(other, payment=replace(PAYMENT, busy=True)) == []
    assert kinds(replace(THEIRS, succeeded=False), replace(OURS, updated_at=READ_FROM)) == []


def test_only_a_clear_answer_makes_a_success_missing_there() -> None:
    unlisted = missing_there(OURS, None)
    declined = missing_there(OURS, Declined(code="other"))

    assert unlisted is not None
    assert unlisted.kind is DifferenceKind.UNKNOWN_THERE
    assert declined is not None
    assert declined.kind is DifferenceKind.STATE_DIFFERS
    assert missing_there(OURS, Succeeded(reference="auth_1")) is None
    assert missing_there(OURS, Accepted()) is None


@pytest.mark.parametrize(
    ("currency", "amount", "exponents", "possible"),
    [
        ("EUR", 1, {"EUR": 2}, True),
        ("EUR", 0, {"EUR": 2}, False),
        ("EUR", 10**12, {"EUR": 2}, False),
        ("USD", 1, {"EUR": 2}, False),
        ("ISK", 100, {"ISK": 2}, False),
        ("KWD", 1_000, {"KWD": 3}, True),
    ],
)
def test_an_amount_is_expressible_only_in_its_own_exponent(
    *, currency: str, amount: int, exponents: dict[str, int], possible: bool
) -> None:
    assert expressible(Money(amount=amount, currency=currency), exponents) is possible
