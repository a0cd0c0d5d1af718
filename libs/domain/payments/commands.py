"""What a command does to a payment, decided without any input or output."""

from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from msgspec.structs import replace

from libs.contracts.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentDeclined,
    ReducePayment,
    RefundPayment,
)
from libs.domain.payments.agenda import SUPERSEDED, Agenda, Reduction, reduced, refusal
from libs.domain.payments.answers import answer_of, authorised, success_of
from libs.domain.payments.change import Change, answer, carry_on
from libs.domain.payments.errors import IllegalPaymentStep, OperationReused
from libs.domain.payments.operation import Kind, Operation, OperationState, operation_key
from libs.domain.payments.payment import NO_CURRENCY, NO_PROVIDER, Payment, State, Step

TOKEN: Final = "token"  # noqa: S105  # A kind of source, no credential.
CURRENCY_DIFFERS: Final = "currency_differs"
MoneyCommand: TypeAlias = CapturePayment | RefundPayment


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
        return answer(payment.decline(code), [_declined(payment, code)])
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
    return Change(payment=payment, queued=(operation,))


def authorise_again(payment: Payment) -> Change:
    """Give a repeated command the answer that holds now; none while the first one is open."""
    match payment.state:
        case State.PENDING:
            return Change(payment=payment)
        case State.AUTHORISED | State.SETTLED:
            return answer(payment, [authorised(payment)])
        case State.DECLINED:
            return answer(payment, [_declined(payment, payment.decline_code or "other")])
        case State.VOIDED:
            return answer(payment, [_declined(payment, SUPERSEDED)])


def operation_of(payment: Payment, command: MoneyCommand, traceparent: str | None) -> Operation:
    """Return the operation that a capture or refund asks for, as it waits for its turn."""
    kind, subject_id, attempt = _subject(command)
    return Operation(
        key=key_of(command),
        order_id=payment.order_id,
        provider=payment.provider,
        kind=kind,
        subject_id=subject_id,
        subject_attempt=attempt,
        amount_minor=command.amount.amount,
        currency=command.amount.currency,
        next_at=None,
        traceparent=traceparent,
    )


def key_of(command: MoneyCommand) -> UUID:
    """Return the key that this capture or refund has for ever."""
    kind, subject_id, attempt = _subject(command)
    return operation_key(command.order_id, kind, subject_id, attempt)


def move_money(payment: Payment, agenda: Agenda, operation: Operation, now: datetime) -> Change:
    """Queue a capture or refund behind what was asked for before it."""
    if operation.amount_minor == 0:
        # Gateways refuse 0, and there is nothing to do: no call, nothing to remember.
        done = success_of(payment, operation)
        return answer(payment, [] if done is None else [done])
    if payment.currency not in (operation.currency, NO_CURRENCY):
        operation = replace(operation, state=OperationState.FAILED, outcome=CURRENCY_DIFFERS)
        told = answer_of(payment, operation)
        return replace(answer(payment, [] if told is None else [told]), queued=(operation,))
    return carry_on(Change(payment=payment), agenda.followed_by(operation), now=now)


def move_money_again(payment: Payment, known: Operation, command: MoneyCommand) -> Change:
    """Give a repeated capture or refund its answer again; none while it is under way."""
    if (known.amount_minor, known.currency) != (command.amount.amount, command.amount.currency):
        raise OperationReused(payment.order_id, known.subject_id)
    told = answer_of(payment, known)
    return answer(payment, [] if told is None else [told])


def reduce(
    payment: Payment,
    agenda: Agenda,
    reduction: Reduction,
    now: datetime,
    traceparent: str | None,
) -> Change:
    """Plan for less at once; what that leaves to give back waits for its turn.

    An operation that is provably idle and that the new plan makes pointless is not called at all.
    The reduction is the last entry of the agenda.
    """
    planned = payment.plan_less(reduction.amount_minor)
    change = Change(payment=planned, traceparent=traceparent)
    given_up = _given_up(planned, agenda.begun)
    if given_up is None:
        return carry_on(change, agenda, now=now)
    told = answer_of(planned, given_up)
    if given_up.kind is not Kind.AUTHORISE and told is not None:
        change = replace(change, events=(told,))
    return carry_on(replace(change, resolved=given_up), agenda.without_begun(), now=now)


def demand_currency(payment: Payment, command: ReducePayment) -> None:
    """Refuse a reduction in another currency than the payment's: no answer could say it."""
    if command.amount is not None and command.amount.currency != payment.currency:
        step = f"{Step.REDUCE} by {command.amount.currency}"
        raise IllegalPaymentStep(payment.order_id, payment.state, step)


def reduce_again(payment: Payment, known: Reduction, amount_minor: int | None) -> Change:
    """Give a repeated reduction its answer again; none while it is still under way."""
    if known.amount_minor != amount_minor:
        raise OperationReused(payment.order_id, known.reduction_id)
    return answer(payment, [reduced(payment, known.reduction_id)] if known.answered else [])


def _given_up(payment: Payment, begun: Operation | None) -> Operation | None:
    if begun is None or not begun.provably_idle:
        return None
    if begun.kind is Kind.AUTHORISE and payment.state is State.VOIDED:
        code: str | None = SUPERSEDED
    elif begun.kind is Kind.CAPTURE:
        code = refusal(payment, begun)
    else:
        code = None
    if code is None:
        return None
    return replace(begun, state=OperationState.FAILED, next_at=None, outcome=code)


def _subject(command: MoneyCommand) -> tuple[Kind, UUID, int]:
    if isinstance(command, CapturePayment):
        return Kind.CAPTURE, command.shipment_id, 1
    return Kind.REFUND, command.refund_id, command.attempt


def _refusal(command: AuthorisePayment, providers: frozenset[str]) -> str | None:
    if command.amount.amount <= 0:
        return "amount_unsupported"
    source = command.payment_source
    if source.kind != TOKEN or source.provider not in providers:
        return "source_invalid"
    return None


def _declined(payment: Payment, code: str) -> PaymentDeclined:
    return PaymentDeclined(order_id=payment.order_id, decline_code=code)
