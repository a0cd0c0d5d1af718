"""`orderly partitions` and `orderly doctor`: whether this installation is in order."""

from collections.abc import Mapping
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from libs.domain.operations.installation import EXPECTED
from libs.foundation.doctor.examination import examine
from libs.foundation.doctor.findings import Verdict
from libs.foundation.doctor.installation_checks import partitions_of
from libs.foundation.messaging.status.partitions import PartitionedTable, partitions_of_all
from services.operator import output
from services.operator.connection import connected
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED
from services.operator.settings import DatabaseAccess, KafkaAccess, load_access

_STYLES: Final = {Verdict.BROKEN: "bold red", Verdict.NOTE: "yellow", Verdict.UNKNOWN: "yellow"}


class InstallationCommands:
    """Both end with 1 when something is broken, so that a script may ask them."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def partitions(self, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Show what the partitions of each table cover: ahead, behind, gaps, sizes."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            found = await partitions_of_all(connection)
        if json:
            output.as_json(found)
        else:
            output.table(
                self._console,
                ("table", "partitions", "behind", "ahead", "gaps", "size", "default"),
                [_row(table) for table in found.tables],
            )
            for name in found.put_aside:
                self._console.print(f"put aside by a reanchor: {name}")
        is_broken = any(each.verdict is Verdict.BROKEN for each in partitions_of(found))
        return EXIT_REFUSED if is_broken else EXIT_FINISHED

    async def doctor(self, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Look at database, brokers, relays and partitions; each finding has its remedy."""
        database = load_access(DatabaseAccess, self._environ).database
        kafka = load_access(KafkaAccess, self._environ).kafka
        found = await examine(database, kafka, EXPECTED)
        if json:
            output.as_json(found)
        else:
            for each in found.findings:
                style = _STYLES.get(each.verdict)
                remedy = "" if each.remedy is None else f". Remedy: {each.remedy}"
                line = f"{each.verdict:<8} {each.check}: {each.found}{remedy}"
                self._console.print(line, style=style, markup=False)
        return EXIT_REFUSED if found.is_broken else EXIT_FINISHED


def _row(table: PartitionedTable) -> tuple[str, ...]:
    gaps = ", ".join(f"{gap.since:%m-%d %H:%M} to {gap.until:%m-%d %H:%M}" for gap in table.gaps)
    return (
        table.name,
        str(table.partitions),
        output.seconds(table.behind_s),
        output.seconds(table.ahead_s),
        gaps or "none",
        output.size(table.bytes),
        "yes: a trap" if table.has_default else "no",
    )
