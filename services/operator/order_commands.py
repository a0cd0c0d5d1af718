"""`orderly order`: where an order is, and why it is stuck."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from getpass import getuser
from typing import Annotated, Final
from uuid import UUID

from cyclopts import Parameter
from msgspec.structs import asdict
from rich.console import Console

from libs.contracts.payments import AuthorisePayment
from libs.contracts.topics import PAYMENTS_COMMANDS
from libs.domain.operations.order_inspection import Place, inspect, list_stuck, place_of
from libs.domain.orders.consumers import CONSUMER as ORDERS
from libs.domain.orders.operator_verbs import CANCEL, REJECT, RESEND_STEP
from libs.domain.orders.saga import Step
from libs.domain.orders.stuck import FIRST, StuckOrders
from libs.domain.orders.verdict import Standing
from libs.domain.payments.consumers import CONSUMER as PAYMENTS
from libs.foundation.database.connections import Connection
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.replay.asking import RATE_PER_S, ask
from libs.foundation.messaging.replay.selection import ForgetAsked, ReplayAsked, Selection
from services.operator import order_tables, output
from services.operator.ask_options import AskOptions
from services.operator.connection import connected
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED, Wish, ask_and_wait
from services.operator.row_options import wait_for
from services.operator.settings import DatabaseAccess, KafkaAccess, load_access

EXIT_STUCK: Final = 4
# The row was written when the saga moved; a transaction may begin 30 s earlier.
_MARGIN: Final = timedelta(minutes=1)
_LISTED_MAX: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Why, who, and how long to wait for the outcome."""

    reason: str
    by: str | None = None
    wait_s: float = 15.0


class OrderCommands:
    """Reading needs no right to change anything; changes are asked of the worker of orders."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def show(
        self,
        name: str,
        *,
        principal: str | None = None,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Say where an order is, why, and what to do; 1 when there is none, 4 when it is stuck.

        Parameters
        ----------
        name:
            Its id, number or external reference, an idempotency key, an event id or a trace id.
        principal:
            Whose idempotency key it is, as `kind:subject`: makes the search fast and exact.

        """
        access = load_access(DatabaseAccess, self._environ)
        kafka = load_access(KafkaAccess, self._environ).kafka
        async with connected(access) as connection:
            report = await inspect(connection, kafka, name, principal)
        if json:
            output.as_json(report)
        else:
            order_tables.show(self._console, report)
        match report.verdict.standing:
            case Standing.UNKNOWN:
                return EXIT_REFUSED
            case Standing.STUCK:
                return EXIT_STUCK
            case Standing.FINAL | Standing.RESTING | Standing.MOVING | Standing.SLOW:
                return EXIT_FINISHED

    async def resend_step(
        self, order_id: UUID, *, asking: Annotated[Asking, Parameter(name="*")]
    ) -> int:
        """Send the commands of what an order waits for once more; it changes nothing else."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            place = await place_of(connection, order_id)
            if place is not None and place.step is Step.AUTHORISE:
                return await self._send_authorisation_again(connection, order_id, place, asking)
            return await self._ask(connection, RESEND_STEP, order_id, asking)

    async def cancel(
        self,
        order_id: UUID,
        *,
        if_version: int | None = None,
        asking: Annotated[Asking, Parameter(name="*")],
    ) -> int:
        """Cancel a whole order: final at once; stock and money are given back.

        Parameters
        ----------
        if_version:
            The version that was decided on; the one of this moment if not given.

        """
        return await self._decide(CANCEL, order_id, if_version, asking)

    async def reject(
        self,
        order_id: UUID,
        *,
        if_version: int | None = None,
        asking: Annotated[Asking, Parameter(name="*")],
    ) -> int:
        """Give up a pending order as timed out: its reference is free again, all is undone.

        Parameters
        ----------
        if_version:
            The version that was decided on; the one of this moment if not given.

        """
        return await self._decide(REJECT, order_id, if_version, asking)

    async def _decide(
        self, verb: str, order_id: UUID, if_version: int | None, asking: Asking
    ) -> int:
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            place = await place_of(connection, order_id)
            seen = None if place is None else place.version
            version = seen if if_version is None else if_version
            return await self._ask(connection, verb, order_id, asking, version)

    async def _ask(
        self,
        connection: Connection,
        verb: str,
        order_id: UUID,
        asking: Asking,
        version: int | None = None,
    ) -> int:
        wish = Wish(
            owner=ORDERS.name,
            verb=verb,
            key=str(order_id),
            reason=asking.reason,
            by=asking.by,
            expected_version=version,
        )
        return await ask_and_wait(connection, wish, wait_s=asking.wait_s, console=self._console)

    async def _send_authorisation_again(
        self, connection: Connection, order_id: UUID, place: Place, asking: Asking
    ) -> int:
        """Orders keeps nothing that pays, so the relay sends the message itself again.

        Payments forgets it first, else it would drop it; it knows its operation by the order.
        """
        asker = Asker(requested_by=asking.by or getuser(), reason=asking.reason)
        selection = Selection(
            since=place.moved_at - _MARGIN,
            topics=(PAYMENTS_COMMANDS.name,),
            keys=(str(order_id),),
            types=(AuthorisePayment.type,),
        )
        forgetting = ForgetAsked(**asdict(selection), consumer=PAYMENTS.name)
        replaying = ReplayAsked(**asdict(selection), rate_per_s=RATE_PER_S)
        options = AskOptions(wait_s=asking.wait_s)
        forgot = await wait_for(
            connection, await ask(connection, "forget", forgetting, asker), options, self._console
        )
        if forgot != EXIT_FINISHED:
            return forgot
        again = await ask(connection, "replay", replaying, asker)
        return await wait_for(connection, again, options, self._console)

    async def list(
        self,
        *,
        stuck: Annotated[bool, Parameter(negative="")] = False,
        after: UUID = FIRST,
        limit: int = 50,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """List orders that need a look, the oldest first: late, flagged, left to a person, parked.

        Parameters
        ----------
        stuck:
            Must be said: all orders are listed by GET /v1/orders.
        after:
            The order to go on behind, as the last page has told.

        """
        if not stuck:
            self._console.print("say --stuck; all orders are listed by GET /v1/orders")
            return EXIT_REFUSED
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            found = await list_stuck(connection, after, max(1, min(limit, _LISTED_MAX)))
        if json:
            output.as_json(found)
        else:
            self._show_list(found)
        return EXIT_FINISHED

    def _show_list(self, found: StuckOrders) -> None:
        if not found.orders and found.after is None:
            self._console.print("no order needs a look")
        output.table(
            self._console,
            ("order", "number", "status", "step", "placed", "why"),
            [
                (
                    str(each.order.id),
                    str(each.order.number),
                    each.order.status.value,
                    each.order.step,
                    each.order.placed_at.isoformat(sep=" ", timespec="seconds"),
                    "; ".join(each.why),
                )
                for each in found.orders
            ],
        )
        if found.after is not None:
            self._console.print(f"more: orderly order list --stuck --after {found.after}")
