"""Flags for people: each code at most once on an order, raised and cleared as versions."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from libs.domain.orders.errors import UnknownPart
from libs.domain.orders.saga import Decision, Situation, unchanged
from libs.domain.orders.timeline import SYSTEM, Actor, Entry

STEP_LATE: Final = "step_late"
PAYMENT_UNRESOLVED: Final = "payment_unresolved"
CAPTURE_FAILED: Final = "capture_failed"
REFUND_FAILED: Final = "refund_failed"


def with_flag(decision: Decision, code: str, detail: str | None, at: datetime) -> Decision:
    """Add a version that raises `code`, unless the order carries it already."""
    if code in decision.order.attention:
        return decision
    order, event = decision.order.raise_attention(code, detail, at)
    return decision.stepped(order, Entry(event=event, reason=code))


def without_flags(
    decision: Decision, codes: Iterable[str], at: datetime, actor: Actor = SYSTEM
) -> Decision:
    """Add a version for each of `codes` that the order carries and whose reason is gone."""
    for code in codes:
        if code in decision.order.attention:
            order, event = decision.order.clear_attention(code, at)
            decision = decision.stepped(order, Entry(event=event, actor=actor, reason=code))
    return decision


def without_late_flag(decision: Decision, situation: Situation, at: datetime) -> Decision:
    """Clear `step_late` once nothing that was flagged is still waited for."""
    if _some_late(decision.after(situation)):
        return decision
    return without_flags(decision, (STEP_LATE,), at)


def flag_if_late(situation: Situation, at: datetime) -> Decision:
    """Raise `step_late` once for what is waited for past its time; nothing else happens."""
    saga = situation.saga
    late: list[str] = []
    if saga.deadline_at is not None and saga.deadline_at <= at:
        late.append(saga.step.value)
        saga = replace(saga, deadline_at=None)
    shipments = [each for each in situation.shipments if _is_past(each.late_at, at)]
    refunds = [each for each in situation.refunds if _is_past(each.late_at, at)]
    late += [each.step for each in shipments]
    late += ["refund" for _ in refunds]
    decision = Decision(
        order=situation.order,
        saga=saga,
        shipments=tuple(replace(each, late_at=None) for each in shipments),
        refunds=tuple(replace(each, late_at=None) for each in refunds),
    )
    return with_flag(decision, STEP_LATE, late[0], at) if late else decision


def clear_flag(situation: Situation, code: str, actor: Actor, at: datetime) -> Decision:
    """Let a person take a flag away; what it was raised for stays as it is."""
    if code not in situation.order.attention:
        raise UnknownPart(situation.order.id, "flag")
    return without_flags(unchanged(situation), (code,), at, actor)


def _is_past(late_at: datetime | None, at: datetime) -> bool:
    return late_at is not None and late_at <= at


def _some_late(situation: Situation) -> bool:
    """Say whether a wait was flagged and lasts: being flagged once, it has lost its time."""
    saga = situation.saga
    parts = (*situation.shipments, *situation.refunds)
    return (saga.waiting and saga.deadline_at is None) or any(
        each.waiting and each.late_at is None for each in parts
    )
