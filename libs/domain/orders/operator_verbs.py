"""What operators may ask of the worker of orders: through the same guards as everybody else."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from libs.domain.orders.answers import reject
from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.errors import UnknownOrder
from libs.domain.orders.resending import resend
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.advance_sagas import store
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.domain.orders.use_cases.held_order import hold_order
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.definitions import Asked, Verb

RESEND_STEP: Final = "resend_step"
CANCEL: Final = "cancel"
REJECT: Final = "reject"
_NOBODY: Final = UUID(int=0)


async def resend_step(tx: Transaction, asked: Asked) -> str:
    """Send the commands of what the order waits for again, as new messages."""
    locked, situation = await hold_order(tx, _order_id(asked), None, _actor(asked))
    decision = resend(situation)
    await store(tx, locked, [decision])
    return f"sent again: {', '.join(command.type for command in decision.commands)}"


async def cancel(tx: Transaction, asked: Asked) -> str:
    """Cancel the order as the API does."""
    order_id, actor = _order_id(asked), _actor(asked)
    order = await cancel_order(
        tx, order_id, asked.expected_version, CancellationReason.OTHER, actor
    )
    return f"the order is {order.status}, version {order.version}"


async def reject_order(tx: Transaction, asked: Asked) -> str:
    """Reject a pending order as the saga does when time has run out."""
    actor = _actor(asked)
    locked, situation = await hold_order(tx, _order_id(asked), asked.expected_version, actor)
    decision = reject(situation, actor, utc_now())
    await store(tx, locked, [decision])
    return f"the order is {decision.order.status}, version {decision.order.version}"


VERBS: Final[Mapping[str, Verb]] = {
    RESEND_STEP: resend_step,
    CANCEL: cancel,
    REJECT: reject_order,
}


def _order_id(asked: Asked) -> UUID:
    try:
        return UUID(asked.key or "")
    except ValueError:
        raise UnknownOrder(_NOBODY) from None


def _actor(asked: Asked) -> Actor:
    return Actor(kind=ActorKind.STAFF, id=asked.requested_by)
