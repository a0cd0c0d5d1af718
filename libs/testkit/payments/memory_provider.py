"""A provider in memory: its ledger is a dictionary, its mishaps are scripted."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from libs.contracts.money import Money
from libs.domain.payments.provider import (
    Accepted,
    Authorisation,
    Declined,
    NotExecuted,
    Outcome,
    Release,
    Succeeded,
    Unknown,
)
from libs.foundation.resilience.deadline import Deadline


class Mishap(StrEnum):
    """What happens to one call."""

    REFUSED = "refused"  # Nobody listens: provably not executed.
    LOST_BEFORE = "lost-before"  # Not executed, but the caller cannot know.
    LOST_AFTER = "lost-after"  # Executed, and the answer is lost.
    ANSWERED_LATER = "answered-later"
    CRASH = "crash"  # The adapter raises after the request left.


class Held(Struct, kw_only=True):
    """One authorisation; `live` while the money is held."""

    order_id: UUID
    amount: Money
    live: bool = True


class MemoryProvider:
    """Answers like a provider; tokens that begin with `tok_decline` are declined.

    `gate` holds every call back while it is cleared; `calls` counts calls by key, `together_max`
    is the most calls ever under way for one key.
    """

    def __init__(self, name: str = "simulator") -> None:
        self.name = name
        self.held: dict[str, Held] = {}
        self.mishaps: list[Mishap] = []
        self.always: Mishap | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: Counter[UUID] = Counter()
        self.together_max = 0
        self._under_way: Counter[UUID] = Counter()
        self._answers: dict[UUID, tuple[object, Outcome]] = {}
        self.arrived = asyncio.Event()

    async def authorise(self, request: Authorisation, deadline: Deadline) -> Outcome:
        return await self._call(request.key, request, deadline)

    async def release(self, request: Release, deadline: Deadline) -> Outcome:
        return await self._call(request.key, request, deadline)

    async def lookup(self, key: UUID, deadline: Deadline) -> Outcome | None:
        if deadline.passed:
            return NotExecuted(reason="deadline_before_call", attempted=False)
        found = self._answers.get(key)
        return None if found is None else found[1]

    def live(self) -> Sequence[Held]:
        """Return the authorisations that hold money."""
        return [each for each in self.held.values() if each.live]

    async def _call(
        self, key: UUID, request: Authorisation | Release, deadline: Deadline
    ) -> Outcome:
        if deadline.passed:
            return NotExecuted(reason="deadline_before_call", attempted=False)
        self.calls[key] += 1
        self._under_way[key] += 1
        self.together_max = max(self.together_max, self._under_way[key])
        self.arrived.set()
        try:
            await self.gate.wait()
            return self._execute(key, request)
        finally:
            self._under_way[key] -= 1

    def _execute(self, key: UUID, request: Authorisation | Release) -> Outcome:
        mishap = self.mishaps.pop(0) if self.mishaps else self.always
        if mishap is Mishap.REFUSED:
            return NotExecuted(reason="refused")
        if mishap is Mishap.LOST_BEFORE:
            return Unknown(reason="lost")
        known = self._answers.get(key)
        if known is not None and known[0] != request:
            return Unknown(reason="key_reused")
        outcome = known[1] if known is not None else self._first(request)
        self._answers[key] = (request, outcome)
        match mishap:
            case Mishap.LOST_AFTER:
                return Unknown(reason="lost")
            case Mishap.ANSWERED_LATER:
                return Accepted()
            case Mishap.CRASH:
                raise RuntimeError("the adapter is faulty")
            case _:
                return outcome

    def _first(self, request: Authorisation | Release) -> Outcome:
        match request:
            case Authorisation(token=token) if token.startswith("tok_decline"):
                return Declined(code="card_declined")
            case Authorisation():
                reference = f"auth_{request.key.hex}"
                self.held[reference] = Held(order_id=request.order_id, amount=request.amount)
                return Succeeded(reference=reference)
            case Release():
                held = self.held.get(request.reference)
                if held is None or not held.live or held.amount != request.amount:
                    return Declined(code="nothing_held")
                held.live = False
                return Succeeded(reference=request.reference)
