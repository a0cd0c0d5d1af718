"""A provider in memory: its ledger is a dictionary, its mishaps are scripted."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts.money import EXPONENTS, Money
from libs.domain.payments.provider import (
    AMOUNT_UNSUPPORTED,
    Accepted,
    Authorisation,
    Capture,
    Declined,
    NotExecuted,
    Notice,
    ObjectPage,
    Outcome,
    ProviderObject,
    Refund,
    Release,
    Succeeded,
    Unknown,
)
from libs.domain.payments.provider_amounts import expressible
from libs.foundation.resilience.deadline import Deadline

Request: TypeAlias = Authorisation | Capture | Release | Refund
_PAGE_MAX: Final = 3


class Mishap(StrEnum):
    """What happens to one call."""

    REFUSED = "refused"  # Nobody listens: provably not executed.
    LOST_BEFORE = "lost-before"  # Not executed, but the caller cannot know.
    LOST_AFTER = "lost-after"  # Executed, and the answer is lost.
    ANSWERED_LATER = "answered-later"
    CRASH = "crash"  # The adapter raises after the request left.


class Held(Struct, kw_only=True):
    """One authorisation."""

    order_id: UUID
    amount: Money
    captured: int = 0
    released: int = 0
    refunded: int = 0

    @property
    def open(self) -> int:
        return self.amount.amount - self.captured - self.released

    @property
    def live(self) -> bool:
        """Say whether money is held."""
        return self.open > 0


class _Object(Struct, kw_only=True):
    at: datetime
    kind: str
    key: UUID
    reference: str
    held: str
    amount: Money
    succeeded: bool


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
        self._objects: list[_Object] = []
        self.arrived = asyncio.Event()

    async def authorise(self, request: Authorisation, deadline: Deadline) -> Outcome:
        return await self._call(request, deadline)

    async def capture(self, request: Capture, deadline: Deadline) -> Outcome:
        return await self._call(request, deadline)

    async def release(self, request: Release, deadline: Deadline) -> Outcome:
        return await self._call(request, deadline)

    async def refund(self, request: Refund, deadline: Deadline) -> Outcome:
        return await self._call(request, deadline)

    async def lookup(self, key: UUID, deadline: Deadline) -> Outcome | None:
        if deadline.passed:
            return NotExecuted(reason="deadline_before_call", attempted=False)
        found = self._answers.get(key)
        return None if found is None else found[1]

    async def objects(
        self, since: datetime, cursor: str | None, deadline: Deadline
    ) -> ObjectPage | NotExecuted | Unknown:
        if deadline.passed:
            return NotExecuted(reason="deadline_before_call", attempted=False)
        first = int(cursor or 0)
        listed = [each for each in self._objects if each.at >= since]
        page = listed[first : first + _PAGE_MAX]
        last = first + len(page)
        return ObjectPage(
            objects=tuple(self._shown(each) for each in page),
            next_cursor=str(last) if last < len(listed) else None,
        )

    def notice(self, body: bytes) -> Notice | None:
        said = json.loads(body)
        if "key" not in said:
            return None
        outcome = (
            Declined(code=said["code"])
            if "code" in said
            else Succeeded(reference=said["reference"])
        )
        return Notice(key=UUID(said["key"]), outcome=outcome)

    def webhook(self, key: UUID) -> bytes:
        """Return the body that tells what became of `key`."""
        _, outcome = self._answers[key]
        assert isinstance(outcome, Succeeded | Declined)
        return msgspec.json.encode({"key": key, **msgspec.structs.asdict(outcome)})

    def tell(self, key: UUID, outcome: Succeeded | Declined) -> None:
        """Answer so whoever asks about a key: people have found it in the books."""
        self._answers[key] = (None, outcome)

    def make(self, amount: Money) -> str:
        """Make an authorisation that nobody asked for under a key of ours."""
        key = UUID(int=len(self._objects))
        made = Authorisation(
            key=key, order_id=key, amount=amount, token="tok_ok", external_reference=None
        )
        self._first(made)
        return f"auth_{key.hex}"

    def live(self) -> Sequence[Held]:
        """Return the authorisations that hold money."""
        return [each for each in self.held.values() if each.live]

    def _shown(self, each: _Object) -> ProviderObject:
        held = self.held.get(each.reference)
        return ProviderObject(
            kind=each.kind,
            reference=each.reference,
            key=each.key,
            order_reference=str(self.held[each.held].order_id) if each.held in self.held else "",
            amount=each.amount,
            succeeded=each.succeeded,
            captured_minor=None if held is None else held.captured,
            released_minor=None if held is None else held.released,
            refunded_minor=None if held is None else held.refunded,
        )

    async def _call(self, request: Request, deadline: Deadline) -> Outcome:
        if not expressible(request.amount, EXPONENTS):
            return Declined(code=AMOUNT_UNSUPPORTED)
        if deadline.passed:
            return NotExecuted(reason="deadline_before_call", attempted=False)
        key = request.key
        self.calls[key] += 1
        self._under_way[key] += 1
        self.together_max = max(self.together_max, self._under_way[key])
        self.arrived.set()
        try:
            await self.gate.wait()
            return self._execute(key, request)
        finally:
            self._under_way[key] -= 1

    def _execute(self, key: UUID, request: Request) -> Outcome:
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

    def _first(self, request: Request) -> Outcome:
        if isinstance(request, Authorisation):
            return self._authorise(request)
        held = self.held.get(request.reference)
        if held is None or held.amount.currency != request.amount.currency:
            return Declined(code="nothing_held")
        return self._act(held, request)

    def _authorise(self, request: Authorisation) -> Outcome:
        reference = f"auth_{request.key.hex}"
        declined = request.token.startswith("tok_decline")
        if not declined:
            self.held[reference] = Held(order_id=request.order_id, amount=request.amount)
        self._note("authorise", request, reference, reference, succeeded=not declined)
        return Declined(code="card_declined") if declined else Succeeded(reference=reference)

    def _act(self, held: Held, request: Capture | Release | Refund) -> Outcome:
        wanted = request.amount.amount
        match request:
            case Release():
                if wanted != held.open:
                    return Declined(code="nothing_held")
                held.released += wanted
                return Succeeded(reference=request.reference)
            case Capture():
                fits, kind, reference = wanted <= held.open, "capture", f"cap_{request.key.hex}"
                held.captured += wanted if fits else 0
            case Refund():
                fits = wanted <= held.captured - held.refunded
                kind, reference = "refund", f"ref_{request.key.hex}"
                held.refunded += wanted if fits else 0
        self._note(kind, request, reference, request.reference, succeeded=fits)
        return Succeeded(reference=reference) if fits else Declined(code="amount_exceeds")

    def _note(
        self, kind: str, request: Request, reference: str, held: str, *, succeeded: bool
    ) -> None:
        self._objects.append(
            _Object(
                at=datetime.now(UTC),
                kind=kind,
                key=request.key,
                reference=reference,
                held=held,
                amount=request.amount,
                succeeded=succeeded,
            )
        )
