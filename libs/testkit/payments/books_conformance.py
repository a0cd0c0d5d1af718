"""What every adapter must tell of the provider's books, by list and by webhook."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

from libs.domain.payments.provider import (
    Authorisation,
    Capture,
    Declined,
    Notice,
    ObjectPage,
    PaymentProvider,
    ProviderObject,
    Refund,
    Release,
    Succeeded,
)
from libs.testkit.payments.provider_conformance import (
    DECLINED_TOKEN,
    authorisation,
    euros,
    soon,
)

WebhookOf: TypeAlias = Callable[[UUID], Awaitable[bytes]]


class BooksConformance:
    """List and webhook; `webhook_of` gives the body of the webhook about a key."""

    async def test_every_object_is_listed_once_with_what_became_of_it(
        self, provider: PaymentProvider
    ) -> None:
        began = datetime.now(UTC) - timedelta(seconds=1)
        held, capture, refund = await self._sold(provider)

        listed = await self._listed(provider, began)

        of_ours = {each.key: each for each in listed}
        assert len(of_ours) == len(listed)
        assert [of_ours[key].kind for key in (held.key, capture.key, refund.key)] == [
            "authorise",
            "capture",
            "refund",
        ]
        shown = of_ours[held.key]
        assert (shown.captured_minor, shown.released_minor, shown.refunded_minor) == (
            1_500,
            499,
            300,
        )
        assert shown.order_reference == str(held.order_id)
        assert (of_ours[capture.key].amount, of_ours[refund.key].amount) == (
            euros(1_500),
            euros(300),
        )
        assert all(each.succeeded for each in (shown, of_ours[capture.key], of_ours[refund.key]))

    async def test_a_list_begins_at_the_moment_that_is_asked_for(
        self, provider: PaymentProvider
    ) -> None:
        await self._sold(provider)

        assert await self._listed(provider, datetime.now(UTC) + timedelta(hours=1)) == []

    async def test_a_webhook_says_what_a_lookup_says(
        self, provider: PaymentProvider, webhook_of: WebhookOf
    ) -> None:
        good, bad = authorisation(), authorisation(DECLINED_TOKEN)
        outcomes = [await provider.authorise(each, soon()) for each in (good, bad)]

        notices = [provider.notice(await webhook_of(each.key)) for each in (good, bad)]

        assert notices == [
            Notice(key=request.key, outcome=outcome)
            for request, outcome in zip((good, bad), outcomes, strict=True)
            if isinstance(outcome, Succeeded | Declined)
        ]

    async def _sold(self, provider: PaymentProvider) -> tuple[Authorisation, Capture, Refund]:
        """Authorise, capture a part, release the rest, refund some."""
        request = authorisation()
        held = await provider.authorise(request, soon())
        assert isinstance(held, Succeeded)
        reference = held.reference
        capture = Capture(key=uuid4(), reference=reference, amount=euros(1_500))
        release = Release(key=uuid4(), reference=reference, amount=euros(499))
        refund = Refund(key=uuid4(), reference=reference, amount=euros(300))
        outcomes = [
            await provider.capture(capture, soon()),
            await provider.release(release, soon()),
            await provider.refund(refund, soon()),
        ]
        assert [type(each) for each in outcomes] == [Succeeded] * 3
        return request, capture, refund

    async def _listed(self, provider: PaymentProvider, since: datetime) -> list[ProviderObject]:
        found: list[ProviderObject] = []
        cursor: str | None = None
        while True:
            page = await provider.objects(since, cursor, soon())
            assert isinstance(page, ObjectPage)
            found += page.objects
            if page.next_cursor is None:
                return found
            cursor = page.next_cursor
