"""Faults on demand: which of the next requests go wrong, and how."""

from enum import StrEnum
from random import Random
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

RequestKind = Literal["authorise", "capture", "release", "refund", "lookup", "objects"]


class FaultKind(StrEnum):
    """How a request goes wrong; `*_after` means after the operation took its effect.

    Kinds that begin with `webhook` are about what is told of it, and come beside the others.
    """

    SLOW = "slow"  # The operation happens after the delay.
    DECLINE = "decline"
    RATE_LIMIT = "rate_limit"
    DOWN = "down"
    HANG_AFTER = "hang_after"  # The answer comes after the delay.
    ERROR_AFTER = "error_after"
    RESET_AFTER = "reset_after"
    GARBLED_AFTER = "garbled_after"
    ACCEPTED = "accepted"  # It is done; how it ended is told after the delay.
    WEBHOOK = "webhook"  # Sent, also by a simulator that sends none of itself.
    WEBHOOK_TWICE = "webhook_twice"
    WEBHOOK_LATE = "webhook_late"  # Sent after the delay.
    WEBHOOK_OUT_OF_ORDER = "webhook_out_of_order"  # Sent after the next one, or after the delay.
    WEBHOOK_LOST = "webhook_lost"


_OF_WEBHOOKS: Final = frozenset(kind for kind in FaultKind if kind.value.startswith("webhook"))


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: requests it matches go wrong, up to `count`, with the chance `ratio`.

    Only authorisations carry a token: a rule with a `token_prefix` matches nothing else.
    """

    kind: FaultKind
    operation: RequestKind | None = None
    token_prefix: str = ""
    count: Annotated[int, Meta(ge=1)] | None = None
    ratio: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: int = 0
    delay_ms: Annotated[int, Meta(ge=0, le=600_000)] = 60_000
    decline_code: str = "card_declined"


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.hits = 0
        self._random = Random(fault.seed)  # noqa: S311  # Repeatable on purpose.

    def takes(self, operation: RequestKind, token: str | None) -> bool:
        fault = self.fault
        if fault.operation is not None and fault.operation != operation:
            return False
        if fault.token_prefix and not (token or "").startswith(fault.token_prefix):
            return False
        if fault.count is not None and self.hits >= fault.count:
            return False
        if self._random.random() >= fault.ratio:
            return False
        self.hits += 1
        return True


class ActiveFault(Struct, frozen=True, kw_only=True):
    """A rule and how many requests it has spoiled."""

    fault: Fault
    hits: int


class FaultPlan:
    """The rules in force; the first that takes a request decides."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def replace(self, faults: list[Fault]) -> None:
        """Put new rules in the place of all others."""
        self._armed = [_Armed(fault) for fault in faults]

    def take(self, operation: RequestKind, token: str | None = None) -> Fault | None:
        """Return the fault of the next request, if it has one."""
        armed = (each for each in self._armed if each.fault.kind not in _OF_WEBHOOKS)
        return next((each.fault for each in armed if each.takes(operation, token)), None)

    def take_of_webhook(self, operation: RequestKind, token: str | None = None) -> list[Fault]:
        """Return every fault of the webhook about the next operation."""
        armed = [each for each in self._armed if each.fault.kind in _OF_WEBHOOKS]
        return [each.fault for each in armed if each.takes(operation, token)]

    def active(self) -> list[ActiveFault]:
        """Return the rules and their hits."""
        return [ActiveFault(fault=each.fault, hits=each.hits) for each in self._armed]
