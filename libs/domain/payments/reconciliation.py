"""Compares the provider's books with ours, both ways, without any input or output."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments.operation import RESOLVABLE, Kind, OperationState
from libs.domain.payments.provider import Declined, Outcome, ProviderObject

OWNER: Final = "payments-reconciliation"
VERB: Final = "reconcile"
# To the provider a return is a refund; a release is no object of its own.
OBJECT_KINDS: Final[Mapping[Kind, str]] = {
    Kind.AUTHORISE: "authorise",
    Kind.CAPTURE: "capture",
    Kind.RETURN: "refund",
    Kind.REFUND: "refund",
}


class DifferenceKind(StrEnum):
    """How the books differ."""

    UNKNOWN_HERE = "unknown_here"
    UNKNOWN_THERE = "unknown_there"
    STATE_DIFFERS = "state_differs"
    AMOUNT_DIFFERS = "amount_differs"


class Difference(Struct, frozen=True, kw_only=True):
    """A row of payments.reconciliation_differences; `subject` names it within its kind."""

    kind: DifferenceKind
    subject: str
    operation_key: UUID | None = None
    order_id: str | None = None
    reference: str | None = None
    ours: str | None = None
    theirs: str | None = None


class OurOperation(Struct, frozen=True, kw_only=True):
    """An operation as far as the comparison goes."""

    key: UUID
    order_id: UUID
    kind: Kind
    state: OperationState
    amount_minor: int
    currency: str
    provider_reference: str | None
    updated_at: datetime


class OurPayment(Struct, frozen=True, kw_only=True):
    """A payment; `busy` while an operation of it is not resolved."""

    order_id: UUID
    captured_minor: int
    released_minor: int
    given_back_minor: int
    updated_at: datetime
    busy: bool


def compare(
    objects: Sequence[ProviderObject],
    operations: Mapping[UUID, OurOperation],
    payments: Mapping[UUID, OurPayment],
    read_from: datetime,
) -> list[Difference]:
    """Compare a page of the provider's books with what we know of the same keys.

    What changed here since the page was asked for, at `read_from` by the database's clock, is
    left to the next comparison: the page may be older than that.
    """
    found: list[Difference] = []
    for each in objects:
        ours = None if each.key is None else operations.get(each.key)
        if ours is None:
            found.append(_unknown_here(each))
        elif ours.state not in RESOLVABLE and ours.updated_at < read_from:
            payment = payments.get(ours.order_id)
            difference = _of_states(each, ours) or _of_amounts(each, ours)
            if difference is None and payment is not None and payment.updated_at < read_from:
                difference = _of_sums(each, ours, payment)
            if difference is not None:
                found.append(difference)
    return found


def missing_there(ours: OurOperation, outcome: Outcome | None) -> Difference | None:
    """Judge an operation that succeeded here and was not listed, by what a lookup says."""
    if outcome is None:
        return _difference(DifferenceKind.UNKNOWN_THERE, ours, _money(ours), None)
    if isinstance(outcome, Declined):
        return _difference(DifferenceKind.STATE_DIFFERS, ours, "succeeded", "declined")
    return None


def _unknown_here(each: ProviderObject) -> Difference:
    return Difference(
        kind=DifferenceKind.UNKNOWN_HERE,
        subject=each.reference,
        operation_key=each.key,
        order_id=each.order_reference or None,
        reference=each.reference,
        theirs=f"{each.kind} {_result(each)} {each.amount.amount} {each.amount.currency}",
    )


def _of_states(each: ProviderObject, ours: OurOperation) -> Difference | None:
    agreed = OperationState.SUCCEEDED if each.succeeded else OperationState.DECLINED
    if ours.state is agreed or (ours.state is OperationState.FAILED and not each.succeeded):
        return None
    return _difference(DifferenceKind.STATE_DIFFERS, ours, ours.state, _result(each))


def _of_amounts(each: ProviderObject, ours: OurOperation) -> Difference | None:
    theirs = f"{each.kind} {each.amount.amount} {each.amount.currency}"
    if theirs != _money(ours):
        return _difference(DifferenceKind.AMOUNT_DIFFERS, ours, _money(ours), theirs)
    if each.succeeded and ours.provider_reference != each.reference:
        return _difference(
            DifferenceKind.AMOUNT_DIFFERS, ours, ours.provider_reference or "", each.reference
        )
    return None


def _of_sums(each: ProviderObject, ours: OurOperation, payment: OurPayment) -> Difference | None:
    if ours.kind is not Kind.AUTHORISE or not each.succeeded or payment.busy:
        return None
    there = _sums(each.captured_minor, each.released_minor, each.refunded_minor)
    here = _sums(payment.captured_minor, payment.released_minor, payment.given_back_minor)
    if here == there:
        return None
    return _difference(DifferenceKind.AMOUNT_DIFFERS, ours, here, there)


def _difference(
    kind: DifferenceKind, ours: OurOperation, here: str, there: str | None
) -> Difference:
    return Difference(
        kind=kind,
        subject=str(ours.key),
        operation_key=ours.key,
        order_id=str(ours.order_id),
        reference=ours.provider_reference,
        ours=here,
        theirs=there,
    )


def _money(ours: OurOperation) -> str:
    return f"{OBJECT_KINDS.get(ours.kind, ours.kind)} {ours.amount_minor} {ours.currency}"


def _result(each: ProviderObject) -> str:
    return "succeeded" if each.succeeded else "declined"


def _sums(captured: int | None, released: int | None, given_back: int | None) -> str:
    return f"captured {captured}, released {released}, given back {given_back}"
