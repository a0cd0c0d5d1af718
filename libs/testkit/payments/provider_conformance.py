"""What every adapter to a provider must do; a test class inherits it and gives a `provider`."""

import asyncio
from typing import ClassVar
from uuid import uuid4

from libs.contracts.money import Money
from libs.domain.payments.provider import (
    DECLINE_CODES,
    Authorisation,
    Declined,
    NotExecuted,
    PaymentProvider,
    Release,
    Succeeded,
)
from libs.foundation.ids import new_id
from libs.foundation.resilience.deadline import Deadline


class ProviderConformance:
    """The suite; `approved_token` and `declined_token` are what the provider knows them by."""

    approved_token: ClassVar[str] = "tok_ok"
    declined_token: ClassVar[str] = "tok_decline_card_declined"

    async def test_an_authorisation_succeeds_and_is_found_by_its_key(
        self, provider: PaymentProvider
    ) -> None:
        request = self._authorisation()

        outcome = await provider.authorise(request, _soon())

        assert isinstance(outcome, Succeeded)
        assert await provider.lookup(request.key, _soon()) == outcome

    async def test_a_repeated_key_has_one_effect_and_one_answer(
        self, provider: PaymentProvider
    ) -> None:
        request = self._authorisation()

        first = await provider.authorise(request, _soon())
        second = await provider.authorise(request, _soon())

        assert isinstance(first, Succeeded)
        assert second == first

    async def test_a_key_used_eight_times_at_once_has_one_answer(
        self, provider: PaymentProvider
    ) -> None:
        request = self._authorisation()

        outcomes = await asyncio.gather(*(provider.authorise(request, _soon()) for _ in range(8)))

        assert isinstance(outcomes[0], Succeeded)
        assert outcomes == [outcomes[0]] * 8

    async def test_a_decline_has_a_known_code_and_stays_a_decline(
        self, provider: PaymentProvider
    ) -> None:
        request = self._authorisation(token=self.declined_token)

        first = await provider.authorise(request, _soon())
        second = await provider.authorise(request, _soon())

        assert isinstance(first, Declined)
        assert first.code in DECLINE_CODES
        assert second == first
        assert await provider.lookup(request.key, _soon()) == first

    async def test_another_request_under_a_used_key_never_succeeds(
        self, provider: PaymentProvider
    ) -> None:
        request = self._authorisation()
        await provider.authorise(request, _soon())
        other = self._authorisation(amount_minor=4_321)

        outcome = await provider.authorise(
            Authorisation(
                key=request.key,
                order_id=other.order_id,
                amount=other.amount,
                token=other.token,
                external_reference=None,
            ),
            _soon(),
        )

        assert not isinstance(outcome, Succeeded | Declined)

    async def test_a_release_gives_the_money_free_once(self, provider: PaymentProvider) -> None:
        request = self._authorisation()
        held = await provider.authorise(request, _soon())
        assert isinstance(held, Succeeded)
        release = Release(key=uuid4(), reference=held.reference, amount=request.amount)

        first = await provider.release(release, _soon())
        second = await provider.release(release, _soon())

        assert isinstance(first, Succeeded)
        assert second == first
        assert await provider.lookup(release.key, _soon()) == first

    async def test_a_second_release_under_another_key_is_refused(
        self, provider: PaymentProvider
    ) -> None:
        request = self._authorisation()
        held = await provider.authorise(request, _soon())
        assert isinstance(held, Succeeded)
        await provider.release(
            Release(key=uuid4(), reference=held.reference, amount=request.amount), _soon()
        )

        again = await provider.release(
            Release(key=uuid4(), reference=held.reference, amount=request.amount), _soon()
        )

        assert isinstance(again, Declined)

    async def test_a_release_of_something_unknown_is_refused(
        self, provider: PaymentProvider
    ) -> None:
        release = Release(key=uuid4(), reference="auth_unknown", amount=_euros(100))

        outcome = await provider.release(release, _soon())

        assert isinstance(outcome, Declined)

    async def test_a_key_never_used_is_clearly_unknown(self, provider: PaymentProvider) -> None:
        assert await provider.lookup(uuid4(), _soon()) is None

    async def test_after_the_deadline_nothing_is_sent(self, provider: PaymentProvider) -> None:
        request = self._authorisation()

        outcome = await provider.authorise(request, Deadline.after_ms(-1))

        assert isinstance(outcome, NotExecuted)
        assert not outcome.attempted
        assert await provider.lookup(request.key, _soon()) is None

    def _authorisation(self, token: str | None = None, amount_minor: int = 1_999) -> Authorisation:
        return Authorisation(
            key=uuid4(),
            order_id=new_id(),
            amount=_euros(amount_minor),
            token=token or self.approved_token,
            external_reference="web-1",
        )


def _euros(amount_minor: int) -> Money:
    return Money(amount=amount_minor, currency="EUR")


def _soon() -> Deadline:
    return Deadline.after_ms(10_000)
