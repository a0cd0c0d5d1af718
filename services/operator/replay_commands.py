"""`orderly replay`: sends kept messages again, after a dry run that tells what would come of it."""

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from cyclopts import Parameter
from msgspec import Struct
from msgspec.structs import asdict
from rich.console import Console

from libs.domain.operations.installation import EXPECTED, READERS
from libs.foundation.messaging.replay.asking import RATE_PER_S, ask
from libs.foundation.messaging.replay.preview import Preview, ReplayRefused, preview
from libs.foundation.messaging.replay.selection import Reader, ReplayAsked, StopAsked
from libs.foundation.messaging.sql import row_requests
from libs.foundation.messaging.sql.row_requests import Listed
from services.operator import output
from services.operator.ask_options import AskOptions, RehearsedOptions
from services.operator.connection import connected
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED
from services.operator.row_options import RowOptions, exit_code_of, wait_for
from services.operator.settings import DatabaseAccess, load_access

_LISTED_MAX: Final = 50
_DEFAULTS: Final = (RowOptions(), RehearsedOptions())
_ASKING: Final = AskOptions()
_VERDICTS: Final = ("processed", "queued", "dropped", "skipped", "refused")


class Replays(Struct, frozen=True, kw_only=True):
    """The list that `orderly replay status --json` prints."""

    requests: list[Listed]


class ReplayCommands:
    """The dry run is always shown first; only with a reason is anything asked for."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def replay(
        self,
        *,
        rows: Annotated[RowOptions, Parameter(name="*")] = _DEFAULTS[0],
        rate_per_s: int = RATE_PER_S,
        consumer: Annotated[tuple[str, ...], Parameter(negative="")] = (),
        asking: Annotated[RehearsedOptions, Parameter(name="*")] = _DEFAULTS[1],
    ) -> int:
        """Append copies of published rows to the outbox; without --reason only say what would come.

        Parameters
        ----------
        rate_per_s:
            Most copies a second.
        consumer:
            A further consumer, of any topic, that the dry run is to tell about.

        """
        access = load_access(DatabaseAccess, self._environ)
        asker = asking.asker()
        async with connected(access) as connection:
            try:
                selection = rows.selection()
                found = await preview(connection, selection, _readers(consumer, rows.topic))
            except (ReplayRefused, ValueError) as error:
                self._console.print(f"refused: {error}")
                return EXIT_REFUSED
            if asker is None or not asking.json:
                self._show(found, as_json=asking.json)
            if asker is None:
                return EXIT_FINISHED
            wanted = ReplayAsked(**asdict(selection), rate_per_s=max(1, rate_per_s))
            request_id = await ask(connection, "replay", wanted, asker)
            return await wait_for(connection, request_id, asking, self._console)

    async def status(
        self, request: UUID | None = None, *, json: Annotated[bool, Parameter(negative="")] = False
    ) -> int:
        """Show replays and what consumers were made to forget, open ones first."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            if request is None:
                found = await row_requests.listed(connection, _LISTED_MAX)
            else:
                one = await row_requests.about(connection, request)
                found = [one] if one is not None else []
        if json:
            output.as_json(Replays(requests=found))
        else:
            self._show_requests(found)
        if request is None:
            return EXIT_FINISHED
        return exit_code_of(found[0]) if found else EXIT_REFUSED

    async def stop(
        self,
        request: UUID,
        *,
        asking: Annotated[AskOptions, Parameter(name="*")] = _ASKING,
    ) -> int:
        """End a replay where it is; what it has appended by then is published."""
        asker = asking.asker()
        if asker is None:
            self._console.print("nothing was asked for: give a --reason")
            return EXIT_REFUSED
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            request_id = await ask(connection, "stop", StopAsked(request=request), asker)
            return await wait_for(connection, request_id, asking, self._console)

    def _show(self, found: Preview, *, as_json: bool) -> None:
        if as_json:
            output.as_json(found)
            return
        self._console.print(
            f"dry run: {found.chosen} rows, written from {found.since.isoformat()}"
            f" until before {found.until.isoformat()}"
        )
        output.table(
            self._console,
            ("topic", "would be copied", "not published yet", "held back"),
            [
                (each.topic, str(each.chosen), str(each.unpublished), str(each.held_back))
                for each in found.topics
            ],
        )
        output.table(
            self._console,
            ("consumer", "topic", *_VERDICTS, "for example"),
            [
                (
                    each.consumer,
                    each.topic,
                    *(str(getattr(each, verdict)) for verdict in _VERDICTS),
                    next((str(ids[0]) for ids in each.samples.values() if ids), "-"),
                )
                for each in found.consumers
            ],
        )

    def _show_requests(self, found: list[Listed]) -> None:
        if not found:
            self._console.print("nobody has asked for a replay")
            return
        output.table(
            self._console,
            ("request", "verb", "by", "reason", "asked at", "rows", "outcome"),
            [
                (
                    str(each.id),
                    each.verb,
                    each.requested_by,
                    each.reason,
                    each.requested_at.isoformat(timespec="seconds"),
                    str(each.touched),
                    each.outcome or "not begun",
                )
                for each in found
            ],
        )


def _readers(names: tuple[str, ...], topics: tuple[str, ...]) -> list[Reader]:
    """Return our own consumers and the named ones, which may read every topic that is asked for."""
    known = {reader.name for reader in READERS}
    every = topics or tuple(topic.name for topic in EXPECTED.topics)
    return [*READERS, *(Reader(name=name, topics=every) for name in names if name not in known)]
