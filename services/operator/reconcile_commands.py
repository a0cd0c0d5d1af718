"""`orderly reconcile`: whether the topics and the outbox hold the same messages."""

from collections.abc import Mapping
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from libs.contracts.topics import TOPICS
from libs.foundation.clock import utc_now
from libs.foundation.messaging.reconciliation.comparing import Difference
from libs.foundation.messaging.reconciliation.reconciling import (
    ReconcileRefused,
    Reconciliation,
    Stretch,
    reconcile,
)
from services.operator import output
from services.operator.connection import connected
from services.operator.moments import moment
from services.operator.requests import (
    EXIT_DIFFERENT,
    EXIT_FINISHED,
    EXIT_REFUSED,
    EXIT_WAITING,
)
from services.operator.settings import DatabaseAccess, KafkaAccess, load_access

_TOPICS: Final = tuple(topic.name for topic in TOPICS)


class ReconcileCommands:
    """Only looks: what comes of a difference is for people to decide."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def reconcile(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        topic: Annotated[tuple[str, ...], Parameter(negative="")] = (),
        limit: int = 100,
        timeout_s: float = 300.0,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Compare the topics with the outbox; ends with 4 when they differ, 3 when time is over.

        Parameters
        ----------
        since:
            A time (2026-11-23T08:00Z) or an age (90m); an hour, or what the outbox keeps of it,
            if not given.
        until:
            The same; a minute ago if not given or later.
        limit:
            Most differences of each side that are listed.
        timeout_s:
            Longest time to read.

        """
        database = load_access(DatabaseAccess, self._environ)
        kafka = load_access(KafkaAccess, self._environ).kafka
        now = utc_now()
        async with connected(database) as connection:
            try:
                stretch = Stretch(
                    since=None if since is None else moment(since, now),
                    until=None if until is None else moment(until, now),
                    topics=topic or _TOPICS,
                )
                found = await reconcile(
                    connection, kafka, stretch, listed_max=limit, timeout_s=timeout_s
                )
            except (ReconcileRefused, ValueError) as error:
                self._console.print(f"refused: {error}")
                return EXIT_REFUSED
        if json:
            output.as_json(found)
        else:
            self._show(found)
        if not found.is_equal:
            return EXIT_DIFFERENT
        return EXIT_FINISHED if found.stopped is None else EXIT_WAITING

    def _show(self, found: Reconciliation) -> None:
        self._console.print(
            f"compared from {found.since.isoformat()} until before"
            f" {found.compared_until.isoformat()}"
        )
        if found.stopped is not None:
            self._console.print(
                f"not all until {found.until.isoformat()}: {found.stopped}. Remedy: go on with"
                f" --since {found.compared_until.isoformat()}, or narrow it by --topic"
            )
        output.table(
            self._console,
            ("topic", "records", "rows", "only in Kafka", "only in the outbox", "not judged"),
            [
                (
                    each.topic,
                    str(each.records),
                    str(each.rows),
                    str(each.only_in_kafka),
                    str(each.only_in_outbox),
                    str(each.not_judged),
                )
                for each in found.topics
            ],
        )
        output.table(
            self._console,
            ("side", "topic", "partition", "offset", "id", "type", "subject", "time"),
            [_row(each) for each in found.differences],
        )


def _row(each: Difference) -> tuple[str, ...]:
    return (
        each.side,
        each.topic,
        str(each.partition),
        "-" if each.offset is None else str(each.offset),
        "-" if each.id is None else str(each.id),
        each.type or "-",
        each.subject or "-",
        each.time.isoformat(timespec="milliseconds"),
    )
