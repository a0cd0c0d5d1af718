"""`orderly parked`: shows what is parked, and asks the owners to retry or skip it."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final, Literal
from uuid import UUID

from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.quarantine import asking, reading
from libs.foundation.messaging.quarantine.asking import Outcome, Refused, Verb
from libs.foundation.messaging.sql.parked_listing import Narrowing
from services.operator import output, parked_tables
from services.operator.ask_options import AskOptions
from services.operator.connection import connected
from services.operator.parked_options import BulkOptions, CauseOptions
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED, EXIT_WAITING
from services.operator.settings import DatabaseAccess, load_access

_LOOK_S: Final = 0.2
_SHOWN_MAX: Final = 100
_ITEMS_MAX: Final = 50
_JSON_ITEMS_MAX: Final = asking.KEYS_MAX
_NO_REASON: Final = "a reason is required: give one with --reason"
_ANY_CAUSE: Final = CauseOptions()
_ASKING: Final = AskOptions()
_BULK: Final = BulkOptions()


class Refusal(Struct, frozen=True, kw_only=True):
    """What a command says to machines when nothing was asked for."""

    refused: str


class ParkedCommands:
    """Keys parked by consumers and by the outbox relay; the owner is the first column."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def list(
        self,
        owner: str | None = None,
        topic: str | None = None,
        key: str | None = None,
        *,
        cause: Annotated[CauseOptions, Parameter(name="*")] = _ANY_CAUSE,
        by: Literal["key", "fingerprint"] = "key",
        limit: int = _SHOWN_MAX,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Show the parked keys, oldest first, or what they are parked for: --by fingerprint."""
        try:
            narrowing = cause.narrowing(owner, topic, key)
        except ValueError as error:
            return self._refuse(str(error), as_json=json)
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection, transaction(connection) as tx:
            if by == "fingerprint":
                groups = await reading.list_causes(tx, narrowing, limit)
                output.as_json(groups) if json else parked_tables.causes(self._console, groups)
            else:
                found = await reading.list_keys(tx, narrowing, limit)
                output.as_json(found) if json else parked_tables.keys(self._console, found)
        return EXIT_FINISHED

    async def show(
        self,
        owner: str,
        topic: str,
        key: str,
        *,
        limit: int = _ITEMS_MAX,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Show the queue of a key in order: headers, position, and every attempt so far."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection, transaction(connection) as tx:
            found = await reading.show_key(tx, owner, topic, key, limit)
        if found is None:
            return self._refuse("the key is not parked", as_json=json)
        output.as_json(found) if json else parked_tables.key(self._console, found)
        return EXIT_FINISHED

    async def retry(
        self,
        owner: str | None = None,
        topic: str | None = None,
        key: str | None = None,
        *,
        cause: Annotated[CauseOptions, Parameter(name="*")] = _ANY_CAUSE,
        options: Annotated[BulkOptions, Parameter(name="*")] = _BULK,
    ) -> int:
        """Run the queues of keys in order; each stops at the first message that fails again.

        One key is named by owner, topic and key; fewer of them, or a cause, choose many.
        """
        return await self._act("retry", (owner, topic, key), cause, options)

    async def skip(
        self,
        owner: str | None = None,
        topic: str | None = None,
        key: str | None = None,
        *,
        cause: Annotated[CauseOptions, Parameter(name="*")] = _ANY_CAUSE,
        options: Annotated[BulkOptions, Parameter(name="*")] = _BULK,
    ) -> int:
        """Leave out the first message of keys for ever, a gap, then run the rest of their queues.

        One key is named by owner, topic and key; fewer of them, or a cause, choose many.
        """
        return await self._act("skip", (owner, topic, key), cause, options)

    async def resume(
        self, owner: str, *, options: Annotated[AskOptions, Parameter(name="*")] = _ASKING
    ) -> int:
        """Let a consumer that has parked too many keys within a minute park again."""
        asker = options.asker()
        if asker is None:
            return self._refuse(_NO_REASON, as_json=options.json)
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            async with transaction(connection) as tx:
                request_id = await asking.ask_resume(tx, owner, asker)
            return await self._wait_for(connection, request_id, options)

    async def stop(
        self, request: UUID, *, options: Annotated[AskOptions, Parameter(name="*")] = _ASKING
    ) -> int:
        """End a retry or skip where it is: keys that are not done stay parked."""
        asker = options.asker()
        if asker is None:
            return self._refuse(_NO_REASON, as_json=options.json)
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            try:
                async with transaction(connection) as tx:
                    request_id = await asking.ask_stop(tx, request, asker)
            except Refused as error:
                return self._refuse(str(error), as_json=options.json)
            return await self._wait_for(connection, request_id, options)

    async def _act(
        self,
        verb: Verb,
        place: tuple[str | None, str | None, str | None],
        cause: CauseOptions,
        options: BulkOptions,
    ) -> int:
        try:
            narrowing = cause.narrowing(*place)
        except ValueError as error:
            return self._refuse(str(error), as_json=options.json)
        if narrowing == Narrowing() and not options.everything:
            return self._refuse(
                "name a key, narrow the choice, or give --all", as_json=options.json
            )
        if options.dry_run:
            return await self._preview(verb, narrowing, options)
        if not asking.is_one_key(narrowing) and not options.yes:
            await self._preview(verb, narrowing, options)
            if not options.json:
                self._console.print("nothing was asked for: many keys take --yes and --reason")
            return EXIT_REFUSED
        return await self._ask(verb, narrowing, options)

    async def _preview(self, verb: Verb, narrowing: Narrowing, options: BulkOptions) -> int:
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection, transaction(connection) as tx:
            found = await asking.plan(
                tx, verb, narrowing, _JSON_ITEMS_MAX if options.json else _SHOWN_MAX
            )
        output.as_json(found) if options.json else parked_tables.plan(self._console, found)
        return EXIT_FINISHED

    async def _ask(self, verb: Verb, narrowing: Narrowing, options: BulkOptions) -> int:
        asker = options.asker()
        if asker is None:
            return self._refuse(_NO_REASON, as_json=options.json)
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            try:
                async with transaction(connection) as tx:
                    asked = await asking.ask(tx, verb, narrowing, asker)
            except Refused as error:
                return self._refuse(str(error), as_json=options.json)
            if not options.json:
                how = f"{asked.new_keys} keys" if asked.new_keys else "asked before, goes on"
                self._console.print(f"request {asked.request_id}: {verb}: {how}")
            return await self._wait_for(connection, asked.request_id, options)

    async def _wait_for(self, connection: Connection, request_id: UUID, options: AskOptions) -> int:
        limit = _JSON_ITEMS_MAX if options.json else _ITEMS_MAX
        found = await _finished(connection, request_id, options.wait_s, limit)
        output.as_json(found) if options.json else parked_tables.outcome(self._console, found)
        request = found.request
        if request.finished_at is None:
            if not options.json:
                self._console.print(
                    f"not finished within {options.wait_s:g} s; it stays asked for. Is the owner"
                    f" up? orderly audit show {request_id} tells how far it is"
                )
            return EXIT_WAITING
        # The owners' words for a request that was not carried out to its end.
        is_done = not (request.outcome or "").startswith(("stopped", "refused"))
        return EXIT_FINISHED if is_done else EXIT_REFUSED

    def _refuse(self, why: str, *, as_json: bool) -> int:
        if as_json:
            output.as_json(Refusal(refused=why))
        else:
            self._console.print(f"refused: {why}")
        return EXIT_REFUSED


async def _finished(connection: Connection, request_id: UUID, wait_s: float, limit: int) -> Outcome:
    """Return the outcome once it is final, or as far as it has come when the time is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        async with transaction(connection) as tx:
            found = await asking.outcome(tx, request_id, limit)
        if found is None:
            raise LookupError(f"request {request_id} is gone")
        if found.request.finished_at is not None or loop.time() >= until:
            return found
        await asyncio.sleep(_LOOK_S)
