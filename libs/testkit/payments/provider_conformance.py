"""What every adapter to a provider must do; a test class inherits it and gives a `provider`.

The provider approves APPROVED_TOKEN and declines DECLINED_TOKEN.
"""

import asyncio
from typing import Final
from uuid import UUID, uuid4

from libs.contracts.money import Money
from libs.domain.payments.provider import (
    DECLINE_CODES,
    Authorisation,
    Capture,
    Declined,
    NotExecuted,
    PaymentProvider,
    Refund,
    Release,
    Succeeded,
)
from libs.foundation.ids import new_id
from libs.foundation.resilience.deadline import Deadline

APPROVED_TOKEN: Final = "tok_ok"
DECLINED_TOKEN: Final = "tok_decline_card_declined"


def authorisation(
    token: str = APPROVED_TOKEN,
    amount_minor: int = 1_999,
    key: UUID | None = None,
    amount: Money | None = None,
) -> Authorisation:
    """Return a request to hold money, under a key of its own."""
    return Authorisation(
        key=key or uuid4(),
        order_id=new_id(),
        amount=amount or euros(amount_minor),
        token=token,
        external_reference="web-1",
    )


def euros(amount_minor: int) -> Money:
    return Money(amount=amount_minor, currency="EUR")


def soon() -> Deadline:
    return Deadline.after_ms(10_000)


class ProviderConformance:
    """Authorise, capture, release, refund and look up."""

    async def test_an_authorisation_succeeds_and_is_found_by_its_key(
        self, provider: PaymentProvider
    ) -> None:
        request = authorisation()

        outcome = await provider.authorise(request, soon())

        assert isinstance(outcome, Succeeded)
        assert await provider.lookup(request.key, soon()) == outcome

    async def test_a_repeated_key_has_one_effect_and_one_answer(
        self, provider: PaymentProvider
    ) -> None:
        request = authorisation()

        first = await provider.authorise(request, soon())
        second = await provider.authorise(request, soon())

        assert isinstance(first, Succeeded)
        assert second == first

    async def test_a_key_used_eight_times_at_once_has_one_answer(
        self, provider: PaymentProvider
    ) -> None:
        request = authorisation()

        outcomes = await asyncio.gather(*(provider.authorise(request, soon()) for _ in range(8)))

        assert isinstance(outcomes[0], Succeeded)
        assert outcomes == [outcomes[0]] * 8

    async def test_a_decline_has_a_known_code_and_stays_a_decline(
        self, provider: PaymentProvider
    ) -> None:
        request = authorisation(token=DECLINED_TOKEN)

        first = await provider.authorise(request, soon())
        second = await provider.authorise(request, soon())

        assert isinstance(first, Declined)
        assert first.code in DECLINE_CODES
        assert second == first
        assert await provider.lookup(request.key, soon()) == first

    async def test_another_request_under_a_used_key_never_succeeds(
        self, provider: PaymentProvider
    ) -> None:
        request = authorisation()
        await provider.authorise(request, soon())
        other = authorisation(amount_minor=4_321)

        outcome = await provider.authorise(
            Authorisation(
                key=request.key,
                order_id=other.order_id,
                amount=other.amount,
                token=other.token,
                external_reference=None,
            ),
            soon(),
        )

        assert not isinstance(outcome, Succeeded | Declined)

    async def test_a_release_gives_the_money_free_once(self, provider: PaymentProvider) -> None:
        request = authorisation()
        held = await provider.authorise(request, soon())
        assert isinstance(held, Succeeded)
        release = Release(key=uuid4(), reference=held.reference, amount=request.amount)

        first = await provider.release(release, soon())
        second = await provider.release(release, soon())

        assert isinstance(first, Succeeded)
        assert second == first
        assert await provider.lookup(release.key, soon()) == first

    async def test_a_second_release_under_another_key_is_refused(
        self, provider: PaymentProvider
    ) -> None:
        request = authorisation()
        held = await provider.authorise(request, soon())
        assert isinstance(held, Succeeded)
        await provider.release(
            Release(key=uuid4(), reference=held.reference, amount=request.amount), soon()
        )

        again = await provider.release(
            Release(key=uuid4(), reference=held.reference, amount=request.amount), soon()
        )

        assert isinstance(again, Declined)

    async def test_a_release_of_something_unknown_is_refused(
        self, provider: PaymentProvider
    ) -> None:
        release = Release(key=uuid4(), reference="auth_unknown", amount=euros(100))

        outcome = await provider.release(release, soon())

        assert isinstance(outcome, Declined)

    async def test_a_key_never_used_is_clearly_unknown(self, provider: PaymentProvider) -> None:
        assert await provider.lookup(uuid4(), soon()) is None

    async def test_after_the_deadline_nothing_is_sent(self, provider: PaymentProvider) -> None:
        request = authorisation()

        outcome = await provider.authorise(request, Deadline.after_ms(-1))

        assert isinstance(outcome, NotExecuted)
        assert not outcome.attempted
        assert await provider.lookup(request.key, soon()) is None

    async def test_captures_take_parts_until_nothing_is_held(
        self, provider: PaymentProvider
    ) -> None:
        reference = await self._held(provider)
        first = Capture(key=uuid4(), reference=reference, amount=euros(1_000))
        rest = Capture(key=uuid4(), reference=reference, amount=euros(999))

        taken = [await provider.capture(each, soon()) for each in (first, first, rest)]
        more = await provider.capture(
            Capture(key=uuid4(), reference=reference, amount=euros(1)), soon()
        )

        assert [type(each) for each in taken] == [Succeeded] * 3
        assert taken[0] == taken[1] != taken[2]
        assert await provider.lookup(first.key, soon()) == taken[0]
        assert isinstance(more, Declined)

    async def test_more_than_is_held_is_not_captured(self, provider: PaymentProvider) -> None:
        reference = await self._held(provider)

        outcome = await provider.capture(
            Capture(key=uuid4(), reference=reference, amount=euros(2_000)), soon()
        )

        assert isinstance(outcome, Declined)

    async def test_the_rest_of_a_captured_authorisation_is_released(
        self, provider: PaymentProvider
    ) -> None:
        reference = await self._held(provider)
        await provider.capture(
            Capture(key=uuid4(), reference=reference, amount=euros(1_500)), soon()
        )

        released = await provider.release(
            Release(key=uuid4(), reference=reference, amount=euros(499)), soon()
        )
        late = await provider.capture(
            Capture(key=uuid4(), reference=reference, amount=euros(1)), soon()
        )

        assert isinstance(released, Succeeded)
        assert isinstance(late, Declined)

    async def test_refunds_give_back_at_most_what_was_captured(
        self, provider: PaymentProvider
    ) -> None:
        reference = await self._held(provider)
        early = await provider.refund(
            Refund(key=uuid4(), reference=reference, amount=euros(1)), soon()
        )
        await provider.capture(
            Capture(key=uuid4(), reference=reference, amount=euros(1_500)), soon()
        )
        refund = Refund(key=uuid4(), reference=reference, amount=euros(1_200))

        first = await provider.refund(refund, soon())
        second = await provider.refund(refund, soon())
        more = await provider.refund(
            Refund(key=uuid4(), reference=reference, amount=euros(301)), soon()
        )

        assert isinstance(first, Succeeded)
        assert second == first
        assert isinstance(early, Declined)
        assert isinstance(more, Declined)

    async def test_an_amount_it_cannot_express_is_refused_before_any_call(
        self, provider: PaymentProvider
    ) -> None:
        key, amount = uuid4(), Money(amount=1_000, currency="XXX")

        outcomes = [
            await provider.authorise(authorisation(key=key, amount=amount), soon()),
            await provider.capture(Capture(key=key, reference="a", amount=amount), soon()),
            await provider.release(Release(key=key, reference="a", amount=amount), soon()),
            await provider.refund(Refund(key=key, reference="a", amount=amount), soon()),
        ]

        assert outcomes == [Declined(code="amount_unsupported")] * 4
        assert await provider.lookup(key, soon()) is None

    async def _held(self, provider: PaymentProvider) -> str:
        held = await provider.authorise(authorisation(), soon())
        assert isinstance(held, Succeeded)
        return held.reference
