"""`orderly order`: where an order is, and why it is stuck."""

from collections.abc import Mapping
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from libs.domain.orders.verdict import Standing
from services.operator import order_tables, output
from services.operator.connection import connected
from services.operator.order_inspection import inspect
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED
from services.operator.settings import DatabaseAccess, KafkaAccess, load_access

EXIT_STUCK: Final = 4


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
