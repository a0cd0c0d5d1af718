"""What a command does to a payment, for what it can meet."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from libs.contracts.payments import AuthorisePayment, PaymentDeclined
from libs.domain.payments import commands
from libs.domain.payments.agenda import Agenda, Reduction
from libs.domain.payments.change import Change
from libs.domain.payments.operation import Kind, OperationState, operation_key
from libs.domain.payments.payment import State
from libs.foundation.ids import new_id
from libs.testkit.payments.commands import authorise, reduce

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PROVIDERS = frozenset({"simulator"})


def asked(command: AuthorisePayment) -> Change:
    return commands.authorise(
        commands.begin(command), command, NOW, providers=PROVIDERS, traceparent="00-a"
    )


def test_an_operation_has_the_same_key_after_any_restart() -> None:
    order_id = new_id()

    first = operation_key(order_id, Kind.AUTHORISE, order_id)

    assert operation_key(order_id, Kind.AUTHORISE, order_id) == first
    assert operation_key(order_id, Kind.RELEASE, order_id) != first
    assert operation_key(order_id, Kind.AUTHORISE, order_id, attempt=2) != first


def test_an_authorisation_is_queued_for_now_with_all_it_needs() -> None:
    command = authorise(now=NOW)

    [queued] = asked(command).queued

    assert (queued.state, queued.next_at) == (OperationState.QUEUED, NOW)
    assert (queued.amount_minor, queued.currency) == (1_999, "EUR")
    assert (queued.source_value, queued.traceparent) == ("tok_ok", "00-a")


@pytest.mark.parametrize(
    ("amount_minor", "provider", "kind", "code"),
    [
        (0, "simulator", "token", "amount_unsupported"),
        (100, "elsewhere", "token", "source_invalid"),
        (100, "simulator", "authorisation", "source_invalid"),
    ],
)
def test_what_cannot_be_asked_is_declined_without_a_call(
    amount_minor: int, provider: str, kind: str, code: str
) -> None:
    command = authorise(amount_minor=amount_minor, now=NOW)
    source = replace(command.payment_source, provider=provider, kind=kind)

    change = asked(replace(command, payment_source=source))

    assert change.queued == ()
    assert change.payment.state is State.DECLINED
    assert change.events == (PaymentDeclined(order_id=command.order_id, decline_code=code),)


def test_a_call_under_way_is_awaited_by_the_reduction() -> None:
    change = asked(authorise(now=NOW))
    [queued] = change.queued
    sent = replace(queued, state=OperationState.SENT)
    reduction = Reduction(order_id=change.payment.order_id, reduction_id=new_id())

    agenda = Agenda(begun=sent, waiting=(reduction,))
    reduced = commands.reduce(change.payment, agenda, reduction, NOW, None)

    assert reduced.payment.state is State.VOIDED
    assert (reduced.resolved, reduced.queued, reduced.events) == (None, (), ())


def test_a_tombstone_knows_no_currency_and_holds_nothing() -> None:
    command = reduce(new_id())
    reduction = Reduction(order_id=command.order_id, reduction_id=command.reduction_id)

    change = commands.reduce(
        commands.tombstone(command), Agenda(waiting=(reduction,)), reduction, NOW, None
    )

    assert change.payment.state is State.VOIDED
    assert change.answered == (command.reduction_id,)
    assert len(change.events) == 1
