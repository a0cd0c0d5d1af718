"""`orderly payments`: asks for a comparison with the payment provider, and shows what differs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from rich.console import Console
from rich.table import Table

from libs.domain.payments.reconciliation import OWNER, VERB, Difference
from libs.domain.payments.sql import reconciliations
from libs.domain.payments.sql.reconciliations import Reconciliation
from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from services.operator.connection import connected
from services.operator.requests import (
    EXIT_FINISHED,
    EXIT_REFUSED,
    EXIT_WAITING,
    Wish,
    ask,
    outcome_of,
    was_refused,
)
from services.operator.settings import DatabaseAccess, load_access

EXIT_DIFFERENT: Final = 4


class PaymentsCommands:
    """The comparison itself is made by a payments worker, which alone talks to the provider."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def reconcile(
        self, *, reason: str, by: str | None = None, wait_s: float = 60.0, json: bool = False
    ) -> int:
        """Compare the provider's books with ours; ends with 4 when they differ."""
        access = load_access(DatabaseAccess, self._environ)
        wish = Wish(owner=OWNER, verb=VERB, reason=reason, by=by)
        async with connected(access) as connection:
            request_id = await ask(connection, wish)
            outcome = await outcome_of(connection, request_id, wait_s=wait_s)
            found = await _found(connection, request_id)
        run, differences = found
        if json:
            self._console.print(_document(request_id, outcome, run, differences), markup=False)
        else:
            self._print(request_id, outcome, differences)
        if outcome is None:
            return EXIT_WAITING
        if was_refused(outcome):
            return EXIT_REFUSED
        return EXIT_DIFFERENT if differences else EXIT_FINISHED

    def _print(
        self, request_id: UUID, outcome: str | None, differences: Sequence[Difference]
    ) -> None:
        self._console.print(f"request {request_id}: {VERB} asked of {OWNER}")
        self._console.print(outcome or "not finished yet; it stays asked for: is a worker up?")
        if not differences:
            return
        table = Table("kind", "order", "subject", "ours", "theirs")
        for each in differences:
            table.add_row(
                each.kind, each.order_id or "-", each.subject, each.ours or "-", each.theirs or "-"
            )
        self._console.print(table)


async def _found(
    connection: Connection, request_id: UUID
) -> tuple[Reconciliation | None, list[Difference]]:
    async with transaction(connection) as tx:
        run = await reconciliations.of_request(tx, request_id)
        return run, [] if run is None else await reconciliations.differences(tx, run.id)


def _document(
    request_id: UUID,
    outcome: str | None,
    run: Reconciliation | None,
    differences: Sequence[Difference],
) -> str:
    content: dict[str, Any] = {
        "request_id": request_id,
        "outcome": outcome,
        "reconciliation": run,
        "differences": differences,
    }
    return msgspec.json.encode(content).decode()
