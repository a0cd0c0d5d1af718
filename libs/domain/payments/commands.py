"""What a command does to a payment, decided without any input or output."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from libs.contracts.payments import (
    AuthorisePayment,
    PaymentAuthorised,
    PaymentDeclined,
    PaymentEvent,
    ReducePayment,
)
from libs.domain.payments.change import Change, reductions_done, release_of
from libs.domain.payments.errors import PartialReductionUnsupported
from libs.domain.payments.operation import Kind, Operation, OperationState, operation_key
from libs.domain.payments.payment import NO_CURRENCY, NO_PROVIDER, Payment, State

TOKEN: Final = "token"  # noqa: S105  # A kind of source, no credential.
SUPERSEDED: Final = "superseded"


def begin(command: AuthorisePayment) -> Payment:
    """Return the payment as it is before anything was asked of the provider."""
    return Payment(
        order_id=command.order_id,
        provider=command.payment_source.provider,
        source_kind=command.payment_source.kind,
        state=State.PENDING,
        currency=command.amount.currency,
        planned_minor=command.amount.amount,
    )


def tombstone(command: ReducePayment) -> Payment:
    """Return the payment of an order that gave up before it asked for money."""
    source = command.payment_source
    return Payment(
        order_id=command.order_id,
        provider=NO_PROVIDER if source is None else source.provider,
        source_kind=TOKEN if source is None else source.kind,
        state=State.VOIDED,
        currency=NO_CURRENCY if command.amount is None else command.amount.currency,
        planned_minor=0,
    )


def authorise(
    payment: Payment,
    command: AuthorisePayment,
    now: datetime,
    *,
    providers: frozenset[str],
    traceparent: str | None,
) -> Change:
    """Queue the authorisation of a payment that has just begun, or decline what cannot be asked."""
    code = _refusal(command, providers)
    if code is not None:
        return _answer(payment.decline(code), _declined(payment.order_id, code))
    operation = Operation(
        key=operation_key(payment.order_id, Kind.AUTHORISE, payment.order_id),
        order_id=payment.order_id,
        provider=payment.provider,
        kind=Kind.AUTHORISE,
        subject_id=payment.order_id,
        amount_minor=command.amount.amount,
        currency=command.amount.currency,
        source_value=command.payment_source.value,
        external_reference=command.external_reference,
        next_at=now,
        deadline_at=command.deadline_at,
        traceparent=traceparent,
    )
    return Change(payment=payment, queued=operation)


def authorise_again(payment: Payment) -> Change:
    """Give a repeated command the answer that holds now; none while the first one is open."""
    match payment.state:
        case State.PENDING:
            return Change(payment=payment)
        case State.AUTHORISED:
            return _answer(payment, authorised(payment))
        case State.DECLINED:
            code = payment.decline_code or "other"
            return _answer(payment, _declined(payment.order_id, code))
        case State.VOIDED:
            return _answer(payment, _declined(payment.order_id, SUPERSEDED))


def reduce(
    payment: Payment,
    unresolved: Operation | None,
    command: ReducePayment,
    waiting: tuple[UUID, ...],
    now: datetime,
    traceparent: str | None,
) -> Change:
    """Plan for nothing, and give back what is held once no operation is open.

    `unresolved` is the payment's operation whose effect is not settled, `waiting` the reductions
    not yet answered, this one among them.
    """
    _refuse_part(payment, command)
    planned = payment.plan_nothing()
    if unresolved is not None and unresolved.provably_idle and unresolved.kind is Kind.AUTHORISE:
        given_up = replace(
            unresolved, state=OperationState.FAILED, next_at=None, outcome=SUPERSEDED
        )
        return _reduced(planned, waiting, given_up)
    if unresolved is not None:
        return Change(payment=planned)
    if planned.open_minor > 0:
        release = release_of(planned, command.reduction_id, now, traceparent)
        return Change(payment=planned, queued=release)
    return _reduced(planned, waiting, None)


def reduce_again(payment: Payment, reduction_id: UUID, *, answered: bool) -> Change:
    """Give a repeated reduction its answer again; none while it is still under way."""
    if not answered:
        return Change(payment=payment)
    return _reduced(payment, (reduction_id,), None)


def authorised(payment: Payment) -> PaymentAuthorised:
    """Say that the money is held."""
    return PaymentAuthorised(
        order_id=payment.order_id,
        amounts=payment.amounts,
        capture_before=payment.capture_before,
    )


def _refusal(command: AuthorisePayment, providers: frozenset[str]) -> str | None:
    if command.amount.amount <= 0:
        return "amount_unsupported"
    source = command.payment_source
    if source.kind != TOKEN or source.provider not in providers:
        return "source_invalid"
    return None


def _refuse_part(payment: Payment, command: ReducePayment) -> None:
    if command.amount is not None and command.amount.amount < payment.planned_minor:
        raise PartialReductionUnsupported(payment.order_id, command.reduction_id)


def _declined(order_id: UUID, code: str) -> PaymentDeclined:
    return PaymentDeclined(order_id=order_id, decline_code=code)


def _reduced(payment: Payment, waiting: tuple[UUID, ...], resolved: Operation | None) -> Change:
    return Change(
        payment=payment.announced(len(waiting)),
        resolved=resolved,
        answered=waiting,
        events=reductions_done(payment, waiting),
    )


def _answer(payment: Payment, event: PaymentEvent) -> Change:
    return Change(payment=payment.announced(1), events=(event,))
