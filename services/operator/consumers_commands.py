"""`orderly consumers`: how far behind they are, and making one forget what it has seen."""

from collections.abc import Mapping
from typing import Annotated, Final

from cyclopts import Parameter
from msgspec.structs import asdict
from rich.console import Console

from libs.domain.operations.installation import READERS
from libs.foundation.messaging.replay.asking import ask
from libs.foundation.messaging.replay.preview import ReplayRefused, marks_of
from libs.foundation.messaging.replay.selection import ForgetAsked
from libs.foundation.messaging.status.consumers import ConsumersStatus, consumers_status
from services.operator import output
from services.operator.ask_options import RehearsedOptions
from services.operator.connection import connected
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED
from services.operator.row_options import RowOptions, wait_for
from services.operator.settings import DatabaseAccess, KafkaAccess, load_access

_DEFAULTS: Final = (RowOptions(), RehearsedOptions())


class ConsumersCommands:
    """What the brokers do not tell is shown as unknown: the rest is worth knowing too."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def status(
        self, *, sample_s: float = 2.0, json: Annotated[bool, Parameter(negative="")] = False
    ) -> int:
        """Show lag in messages and seconds, how fast it falls, and what is parked.

        Parameters
        ----------
        sample_s:
            How long to look for the rates.

        """
        access = load_access(DatabaseAccess, self._environ)
        kafka = load_access(KafkaAccess, self._environ).kafka
        async with connected(access) as connection:
            found = await consumers_status(connection, kafka, READERS, sample_s=sample_s)
        if json:
            output.as_json(found)
        else:
            self._show(found)
        return EXIT_FINISHED

    async def forget(
        self,
        name: str,
        *,
        rows: Annotated[RowOptions, Parameter(name="*")] = _DEFAULTS[0],
        asking: Annotated[RehearsedOptions, Parameter(name="*")] = _DEFAULTS[1],
    ) -> int:
        """Delete a consumer's marks of selected messages: a replay of them takes effect again.

        Without --reason only say how many it would be.
        """
        access = load_access(DatabaseAccess, self._environ)
        asker = asking.asker()
        async with connected(access) as connection:
            try:
                selection = rows.selection()
                found = await marks_of(connection, selection, name)
            except (ReplayRefused, ValueError) as error:
                self._console.print(f"refused: {error}")
                return EXIT_REFUSED
            if asking.json and asker is None:
                output.as_json(found)
            elif not asking.json:
                self._console.print(
                    f"dry run: {name} would forget {found.forgotten} messages and keep the marks of"
                    f" {found.kept} that wait in the parking"
                )
            if asker is None:
                return EXIT_FINISHED
            wanted = ForgetAsked(**asdict(selection), consumer=name)
            request_id = await ask(connection, "forget", wanted, asker)
            return await wait_for(connection, request_id, asking, self._console)

    def _show(self, found: ConsumersStatus) -> None:
        if found.broker_problem is not None:
            self._console.print(found.broker_problem)
        rows: list[tuple[str, ...]] = []
        for each in found.consumers:
            stopped = ", parking stopped" if each.parking_stopped else ""
            common = (
                output.number(each.members),
                output.rate(each.finished_per_s),
                output.seconds(each.drain_s),
                f"{each.parked_keys}{stopped}",
            )
            if each.topics is None:
                rows.append((each.name, "-", output.UNKNOWN, output.UNKNOWN, *common))
            for lag in each.topics or ():
                behind = (output.number(lag.lag_messages), output.seconds(lag.lag_s))
                rows.append((each.name, lag.topic, *behind, *common))
        columns = ("consumer", "topic", "lag", "lag age", "members", "finished", "through in")
        output.table(self._console, (*columns, "parked keys"), rows)
