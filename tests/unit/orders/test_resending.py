"""What is sent again: exactly what is waited for, under the ids it was sent under before."""

import pytest
from msgspec.structs import replace

from libs.contracts.inventory import ReleaseStock, ReserveStock, ReturnStock, ShipStock
from libs.contracts.payments import CapturePayment, ReducePayment, RefundPayment
from libs.domain.orders.answers import reject
from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.refund import RefundReason
from libs.domain.orders.refunding import RefundWish, request_refund
from libs.domain.orders.resending import NothingToResend, SourceNotKept, resend
from libs.domain.orders.saga import Step
from libs.domain.orders.shipping import release_shipment, request_shipment, stock_shipped
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.timeline import SYSTEM, Actor, ActorKind
from libs.testkit import build
from libs.testkit.build import NOW

ADA = Actor(kind=ActorKind.STAFF, id="ada")


def test_a_reservation_is_asked_for_again_with_every_tracked_piece() -> None:
    lines = [build.line("TEE", 2), build.line("CAP", line_no=2, stock_tracked=False)]
    now = build.situation(Step.RESERVE, Status.PENDING, lines)

    decision = resend(now)

    (command,) = decision.commands
    assert isinstance(command, ReserveStock)
    assert [(item.sku, item.quantity) for item in command.items] == [("TEE", 2)]
    assert not decision.changes(now)


def test_what_pays_is_not_kept_so_the_authorisation_is_left_to_the_relay() -> None:
    with pytest.raises(SourceNotKept):
        resend(build.situation(Step.AUTHORISE, Status.PENDING))


@pytest.mark.parametrize(
    ("step", "status"),
    [(Step.CONFIRMED, Status.CONFIRMED), (Step.DONE, Status.REJECTED)],
)
def test_an_order_that_waits_for_nothing_has_nothing_to_send(step: Step, status: Status) -> None:
    with pytest.raises(NothingToResend):
        resend(build.situation(step, status))


def test_a_compensation_is_sent_again_under_its_ids_and_only_what_is_open() -> None:
    before = build.situation(Step.AUTHORISE, Status.PENDING)
    decision, _ = cancel(before, CancellationReason.OTHER, SYSTEM, NOW)
    now = decision.after(before)

    both = resend(now).commands
    released = replace(now, saga=replace(now.saga, release_done=True))
    (only,) = resend(released).commands

    assert both == decision.commands
    assert isinstance(both[0], ReleaseStock)
    assert isinstance(only, ReducePayment)
    assert only.reduction_id == now.saga.reduction_id


def test_a_shipment_asks_again_for_its_money_and_then_for_its_pieces() -> None:
    before = build.confirmed()
    requested, shipment = request_shipment(before, SYSTEM, NOW)
    awaiting = requested.after(before)
    taken = build.amounts(2_000, captured_minor=2_000)
    released = release_shipment(awaiting, shipment, taken, NOW)
    leaving = released.after(awaiting)

    capture, ship = resend(awaiting).commands, resend(leaving).commands

    assert capture == requested.commands
    assert isinstance(capture[0], CapturePayment)
    assert ship == released.commands
    assert isinstance(ship[0], ShipStock)
    left = stock_shipped(leaving, leaving.shipments[0], NOW).after(leaving)
    with pytest.raises(NothingToResend):
        resend(left)


def test_a_refund_is_asked_for_again_as_the_same_attempt() -> None:
    before = build.shipped()
    wish = RefundWish(reason=RefundReason.RETURN, restock=True)
    requested, _ = request_refund(before, wish, SYSTEM, NOW)

    commands = resend(requested.after(before)).commands

    assert commands == requested.commands
    assert [type(command) for command in commands] == [RefundPayment, ReturnStock]


@pytest.mark.parametrize("step", [Step.RESERVE, Step.AUTHORISE])
def test_a_person_rejects_a_pending_order_and_everything_is_undone(step: Step) -> None:
    now = build.situation(step, Status.PENDING)

    decision = reject(now, ADA, NOW)

    assert decision.order.status is Status.REJECTED
    assert decision.saga.step is Step.COMPENSATE
    assert [(entry.actor, entry.reason) for entry in decision.entries] == [(ADA, "timed_out")]
    assert [type(command) for command in decision.commands] == [ReleaseStock, ReducePayment]


@pytest.mark.parametrize("status", [Status.CONFIRMED, Status.SHIPPED, Status.CANCELLED])
def test_an_order_that_is_not_pending_is_not_rejected(status: Status) -> None:
    with pytest.raises(IllegalTransition):
        reject(build.situation(Step.CONFIRMED, status), ADA, NOW)
