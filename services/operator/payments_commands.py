"""`orderly payments`: asks for a comparison with the provider, or to settle what it left open."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from rich.console import Console
from rich.table import Table

from libs.domain.payments import manual
from libs.domain.payments.operation import OperationState
from libs.domain.payments.reconciliation import OWNER, VERB, Difference
from libs.domain.payments.sql import reconciliations
from libs.domain.payments.sql.reconciliations import Reconciliation
from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from services.operator.connection import connected
from services.operator.requests import (
    EXIT_DIFFERENT,
    EXIT_FINISHED,
    EXIT_REFUSED,
    EXIT_WAITING,
    Wish,
    ask,
    ask_and_wait,
    outcome_of,
    was_refused,
)
from services.operator.settings import DatabaseAccess, load_access
from services.operator.sql import operations


class PaymentsCommands:
    """A payments worker compares and settles: it alone talks to the provider."""

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

    async def settle(
        self,
        operation: UUID,
        *,
        reason: str,
        by: str | None = None,
        by_hand: bool = False,
        sure: bool = False,
        wait_s: float = 30.0,
    ) -> int:
        """Settle an operation that was left to a person; without --sure it is only shown.

        The provider is asked first, and its word decides. With --by-hand a person's counts where
        it has none: a release or return was done there by hand, all else was never executed.
        """
        access = load_access(DatabaseAccess, self._environ)
        verb = manual.BY_HAND if by_hand else manual.ASK_AGAIN
        wish = Wish(owner=manual.OWNER, verb=verb, key=str(operation), reason=reason, by=by)
        async with connected(access) as connection:
            seen = await operations.read(connection, operation)
            if seen is None or seen.state != OperationState.MANUAL:
                is_ = "not there" if seen is None else seen.state
                self._console.print(f"operation {operation} is {is_}: nothing to settle")
                return EXIT_REFUSED
            self._console.print(
                f"order {seen.order_id}: {seen.kind} {seen.amount_minor} {seen.currency} at"
                f" {seen.provider}, first tried {seen.first_attempt_at}, left open: {seen.outcome}"
            )
            if not sure:
                self._console.print("nothing was asked for; --sure does it")
                return EXIT_FINISHED
            return await ask_and_wait(connection, wish, wait_s=wait_s, console=self._console)

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
