"""`orderly topics`: makes the topics of the contracts, and compares them with the brokers'."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from libs.contracts.topics import TOPICS
from libs.foundation.messaging import topics
from libs.foundation.messaging.topics import Difference
from services.operator.settings import KafkaAccess, load_access


class TopicsCommands:
    """Both commands end with 1 when something differs from the contracts."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def apply(self) -> int:
        """Make the topics that are missing; never change one that exists."""
        access = load_access(KafkaAccess, self._environ)
        async with topics.open_admin(access.kafka) as admin:
            for name in await topics.apply(admin, TOPICS):
                self._console.print(f"{name}: made")
            return self._report(await topics.check(admin, TOPICS))

    async def check(self) -> int:
        """Say what differs between the brokers' topics and the contracts."""
        access = load_access(KafkaAccess, self._environ)
        async with topics.open_admin(access.kafka) as admin:
            return self._report(await topics.check(admin, TOPICS))

    def _report(self, differences: Sequence[Difference]) -> int:
        for one in differences:
            self._console.print(f"{one.topic} {one.problem}. Remedy: {one.remedy}")
        if not differences:
            self._console.print(f"{len(TOPICS)} topics are as their contracts say")
        return 1 if differences else 0
