"""Sends the commands of what an order waits for once more; nothing about the order changes."""

from uuid import UUID

from msgspec.structs import replace

from libs.contracts.inventory import ReleaseStock, ReserveStock
from libs.contracts.messages import Command
from libs.contracts.payments import ReducePayment
from libs.domain.orders.refunding import commands_of
from libs.domain.orders.saga import Decision, Saga, Situation, Step, stock_items, unchanged
from libs.domain.orders.shipping import capture_of, leaving_of
from libs.foundation.errors import AppError, ErrorKind


class NothingToResend(AppError):
    """Nobody owes the order an answer."""

    kind = ErrorKind.CONFLICT
    code = "nothing-to-resend"

    def __init__(self, order_id: UUID, step: Step) -> None:
        super().__init__(f"order {order_id} waits for nothing: its step is {step}")
        self.order_id = order_id


class SourceNotKept(AppError):
    """What pays is kept only until it is sent: orders cannot ask for the money a second time."""

    kind = ErrorKind.CONFLICT
    code = "source-not-kept"

    def __init__(self, order_id: UUID) -> None:
        super().__init__(
            f"what pays for order {order_id} is not kept; only the relay can send it again"
        )
        self.order_id = order_id


def resend(situation: Situation) -> Decision:
    """Send what is waited for again, under the ids that make it idempotent for ever.

    Whoever has done it answers as before, whoever has not does it now. Raises NothingToResend
    and SourceNotKept.
    """
    order, saga = situation.order, situation.saga
    if saga.step is Step.AUTHORISE:
        raise SourceNotKept(order.id)
    commands: list[Command] = [*_of_the_saga(situation, saga)]
    for shipment in situation.shipments:
        if shipment.awaits_capture:
            commands.append(capture_of(order, shipment))
        elif shipment.waiting:
            commands.append(leaving_of(situation, shipment))
    commands += [command for refund in situation.refunds for command in commands_of(order, refund)]
    if not commands:
        raise NothingToResend(order.id, saga.step)
    return replace(unchanged(situation), commands=tuple(commands))


def _of_the_saga(situation: Situation, saga: Saga) -> tuple[Command, ...]:
    if saga.step is Step.RESERVE:
        items = stock_items(
            (line.sku, line.quantity) for line in situation.lines if line.stock_tracked
        )
        return (ReserveStock(order_id=saga.order_id, items=items),)
    if saga.step is not Step.COMPENSATE:
        return ()
    commands: tuple[Command, ...] = ()
    if saga.release_id is not None and not saga.release_done:
        commands = (ReleaseStock(order_id=saga.order_id, release_id=saga.release_id),)
    if saga.reduction_id is not None and not saga.reduction_done:
        # The source, if it was never sent, went with the first one: a repeat needs none.
        reduce = ReducePayment(
            order_id=saga.order_id, reduction_id=saga.reduction_id, payment_source=None
        )
        commands = (*commands, reduce)
    return commands
