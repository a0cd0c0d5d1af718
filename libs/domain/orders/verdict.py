"""Where an order is, why it is there, and what to do; a pure function of what is known."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.orders.attention import CAPTURE_FAILED, PAYMENT_UNRESOLVED, REFUND_FAILED
from libs.domain.orders.inspection import OrderFacts, Wait, waits_of
from libs.domain.orders.saga import Step
from libs.domain.orders.status import CLOSED, Status
from libs.foundation.messaging.journey.holds import Hold, command

_RESEND: Final = "resend-step"


class Standing(StrEnum):
    """How an order does."""

    FINAL = "final"  # Closed, and nothing of it is waited for.
    RESTING = "resting"  # Its next step is a person's or the clock's.
    MOVING = "moving"  # On its way, within its time.
    SLOW = "slow"  # Something is in its way that ends by itself.
    STUCK = "stuck"  # A person must act.
    UNKNOWN = "unknown"  # There is no such order.


class Verdict(Struct, frozen=True, kw_only=True):
    """The one answer; `also` holds the other things in its way, which come after this one."""

    standing: Standing
    code: str
    reason: str
    actions: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


def unknown_order(tried: Sequence[str]) -> Verdict:
    """Say that nothing was found under any of the names that were tried."""
    return Verdict(
        standing=Standing.UNKNOWN, code="unknown_order", reason=f"no order: {'; '.join(tried)}"
    )


def verdict_of(
    facts: OrderFacts, holds: Sequence[Hold], at: datetime, *, blind: str | None = None
) -> Verdict:
    """Judge an order by what is known of it, of its messages and of its money.

    `blind` says what could not be looked at, so that nobody takes silence for an answer.
    """
    causes = [*(hold for hold in holds if hold.needs_person), *_left_to_people(facts)]
    waits = waits_of(facts)
    if causes:
        others = [hold for hold in holds if not hold.needs_person]
        return _by(Standing.STUCK, causes[0], [*causes[1:], *others])
    if waits:
        return _waiting(facts, waits, holds, at, blind)
    if holds:
        first = next((hold for hold in holds if hold.is_slow), holds[0])
        standing = Standing.SLOW if first.is_slow else Standing.MOVING
        return _by(standing, first, [hold for hold in holds if hold is not first])
    if facts.order.attention:
        return _flagged(facts)
    return _at_rest(facts)


def _waiting(
    facts: OrderFacts, waits: Sequence[Wait], holds: Sequence[Hold], at: datetime, blind: str | None
) -> Verdict:
    late = [wait for wait in waits if wait.is_late(at)]
    wait = (late or waits)[0]
    text = f"{wait.text}; {_lateness(wait, at)}"
    if holds:
        first = next((hold for hold in holds if hold.is_slow), holds[0])
        standing = Standing.SLOW if late or first.is_slow else Standing.MOVING
        also = tuple(hold.reason for hold in holds if hold is not first)
        return Verdict(
            standing=standing,
            code=first.code if standing is Standing.SLOW else wait.code,
            reason=f"{text}. {first.reason}",
            actions=first.actions,
            also=also,
        )
    if not late:
        return Verdict(standing=Standing.MOVING, code=wait.code, reason=text)
    return _unexplained(facts, text, blind)


def _unexplained(facts: OrderFacts, text: str, blind: str | None) -> Verdict:
    """Nothing that is known holds it up: a command or its answer must have been lost."""
    seen = f"not everything could be looked at ({blind})" if blind else "everything is published"
    order_id = str(facts.order.id)
    actions = [command("order", _RESEND, order_id, reason=True)]
    if facts.order.status is Status.PENDING:
        actions.append(command("order", "reject", order_id, reason=True))
    return Verdict(
        standing=Standing.STUCK,
        code="step_late",
        reason=f"{text}. Nothing that is known holds it up: {seen}, nothing is parked, no call to"
        " the provider is open. Its command or the answer was lost",
        actions=tuple(actions),
    )


def _left_to_people(facts: OrderFacts) -> list[Hold]:
    """Return what nobody but a person decides."""
    order_id = facts.order.id
    found = [
        Hold(
            code="refund_failed",
            reason=f"refund {refund.id} was refused ({refund.failure_code}): try it again, or pay"
            " it back elsewhere and say so",
            actions=(
                f"POST /v1/orders/{order_id}/refunds/{refund.id}/retry",
                f"POST /v1/orders/{order_id}/refunds/{refund.id}/manual-settlement",
            ),
            needs_person=True,
        )
        for refund in facts.refunds
        if refund.failed
    ]
    if CAPTURE_FAILED in facts.order.attention and facts.order.status is Status.CONFIRMED:
        found.append(
            Hold(
                code="capture_failed",
                reason=f"its money could not be taken ({_last_failure(facts)}): ship again, or"
                " cancel",
                actions=(
                    f"POST /v1/orders/{order_id}/shipments",
                    command("order", "cancel", str(order_id), reason=True),
                ),
                needs_person=True,
            )
        )
    if [entry.sequence for entry in facts.timeline] != list(range(1, facts.order.version + 1)):
        found.append(
            Hold(
                code="timeline_broken",
                reason=f"it is at version {facts.order.version}, and its timeline has not exactly"
                " one entry for each: somebody has changed rows by hand",
                needs_person=True,
            )
        )
    return found


def _last_failure(facts: OrderFacts) -> str:
    codes = [each.failure_code for each in facts.shipments if each.failure_code is not None]
    return codes[-1] if codes else "see its timeline"


def _flagged(facts: OrderFacts) -> Verdict:
    codes = facts.order.attention
    known = {REFUND_FAILED, CAPTURE_FAILED, PAYMENT_UNRESOLVED}
    why = "its reason is gone" if known.isdisjoint(codes) else "look at what it was raised for"
    return Verdict(
        standing=Standing.STUCK,
        code="flagged",
        reason=f"flagged {', '.join(codes)}, and nothing is waited for: {why}, then clear it",
        actions=tuple(_clearing(facts.order.id, code) for code in codes),
    )


def _clearing(order_id: UUID, code: str) -> str:
    return f"DELETE /v1/orders/{order_id}/attention/{code}"


def _at_rest(facts: OrderFacts) -> Verdict:
    order, saga = facts.order, facts.saga
    if order.status in CLOSED and saga.step is Step.DONE:
        why = f" ({order.rejected_for})" if order.rejected_for else ""
        return Verdict(
            standing=Standing.FINAL,
            code="final",
            reason=f"it is {order.status.value}{why}, stock and money are settled, and nothing of"
            " it waits anywhere",
        )
    if order.status is Status.SHIPPED:
        return Verdict(
            standing=Standing.RESTING,
            code="waits_for_completion",
            reason=f"it left at {saga.shipped_at}; the clock completes it",
        )
    return Verdict(
        standing=Standing.RESTING,
        code="waits_for_shipment",
        reason=f"it is {order.status.value}: its next step is a shipment or a cancellation",
    )


def _lateness(wait: Wait, at: datetime) -> str:
    if wait.late_at is None:
        return "late, and flagged for it"
    seconds = int((wait.late_at - at).total_seconds())
    return f"late in {seconds} s" if seconds > 0 else f"late for {-seconds} s"


def _by(standing: Standing, hold: Hold, others: Sequence[Hold]) -> Verdict:
    return Verdict(
        standing=standing,
        code=hold.code,
        reason=hold.reason,
        actions=hold.actions,
        also=tuple(other.reason for other in others),
    )
