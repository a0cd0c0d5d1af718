"""What is wrong with our own part of a database: schema, partitions, upkeep, relay, outbox."""

from collections.abc import Iterator, Sequence
from typing import Final

from libs.foundation.database.connections import Connection
from libs.foundation.database.schema import (
    CODE_REVISION,
    CodeOutdated,
    SchemaOutdated,
    check_schema,
)
from libs.foundation.doctor.findings import Finding, broken, note, ok
from libs.foundation.doctor.sql import remedies
from libs.foundation.messaging.sql import upkeep_rounds
from libs.foundation.messaging.sql.upkeep_rounds import ChoreAge
from libs.foundation.messaging.status.outbox import OutboxStatus, measure_outbox
from libs.foundation.messaging.status.partitions import (
    PartitionedTable,
    Partitions,
    partitions_of_all,
)
from libs.foundation.messaging.status.relay import RelayStatus, relay_status

_AHEAD_BROKEN_S: Final = 2 * 3_600.0
_AHEAD_NOTE_S: Final = 12 * 3_600.0
_CHORE_AGE_NOTE_S: Final = 600.0
_OLDEST_BROKEN_S: Final = 60.0
_RUN_A_RELAY: Final = "start a relay: it makes them within a minute"


async def schema_finding(connection: Connection) -> Finding:
    """Compare the schema with what this release needs; nothing else can be read before."""
    try:
        await check_schema(connection)
    except (CodeOutdated, SchemaOutdated) as error:
        problem, _, remedy = str(error).partition(". Remedy: ")
        return broken("schema", problem, remedy)
    return ok("schema", f"it serves this release, revision {CODE_REVISION}")


async def installation_findings(connection: Connection) -> list[Finding]:
    """Look at what the relays keep in order, and at the relays."""
    return [
        *partitions_of(await partitions_of_all(connection)),
        *upkeep_of(await upkeep_rounds.ages(connection)),
        relay_of(await relay_status(connection)),
        outbox_of(await measure_outbox(connection)),
    ]


def partitions_of(found: Partitions) -> Iterator[Finding]:
    """Judge whether rows are taken, now and for the next hours."""
    yield from (finding for table in found.tables for finding in _table(table))
    if all(table.ahead_s >= _AHEAD_NOTE_S and not table.has_default for table in found.tables):
        yield ok("partitions", f"{len(found.tables)} tables take rows for the next hours")
    if found.put_aside:
        yield note(
            "partitions",
            f"a reanchor has put {len(found.put_aside)} aside, {found.put_aside_bytes} bytes",
            remedies.DROP_TABLES.format(tables=", ".join(found.put_aside)),
        )


def _table(table: PartitionedTable) -> Iterator[Finding]:
    if table.has_default:
        yield broken(
            "partitions",
            f"{table.name} has a default partition: its rows keep the right one from being made",
            "move its rows to where they belong, detach it, drop it",
        )
    if table.ahead_s <= 0:
        yield broken("partitions", f"{table.name} refuses rows now", _RUN_A_RELAY)
    elif table.ahead_s < _AHEAD_BROKEN_S:
        text = f"{table.name} takes rows for {table.ahead_s / 60:.0f} min only"
        yield broken("partitions", text, _RUN_A_RELAY)
    elif table.ahead_s < _AHEAD_NOTE_S:
        text = f"{table.name} takes rows for {table.ahead_s / 3_600:.0f} h"
        yield note("partitions", text, _RUN_A_RELAY)


def upkeep_of(chores: Sequence[ChoreAge]) -> Iterator[Finding]:
    """Judge whether the chores of the relays succeed."""
    if not chores:
        yield note("upkeep", "no relay has kept house yet", "start a relay")
        return
    late = [each for each in chores if each.age_s is None or each.age_s > _CHORE_AGE_NOTE_S]
    for chore in late:
        age = "has never succeeded" if chore.age_s is None else f"succeeded {chore.age_s:.0f} s ago"
        yield note("upkeep", f"{chore.chore} {age}", "look for chore_failed in the relays' logs")
    if any(not chore.is_steady for chore in chores):
        yield note(
            "upkeep",
            "nothing is dropped for an hour after the clock has jumped, or all relays were down",
            "check the clock; there is nothing to do if it is right",
        )
    if not late:
        yield ok("upkeep", f"{len(chores)} chores succeed")


def relay_of(status: RelayStatus) -> Finding:
    """Judge whether somebody publishes, and could be replaced."""
    if status.problem is not None:
        return broken("relay", status.problem, status.remedy or "see docs/operations.md")
    if not status.is_held:
        text = f"nobody leads; last it was {status.holder}"
        return broken("relay", text, "start a relay; /readyz of one that runs says what it lacks")
    if status.standbys == 0:
        return note("relay", f"{status.holder} leads and nobody stands by", "start a second relay")
    return ok("relay", f"{status.holder} leads, {status.standbys} stand by")


def outbox_of(status: OutboxStatus | None) -> Finding:
    """Judge whether events leave."""
    if status is None:
        return broken("outbox", "it has no cursor", "orderly outbox reanchor")
    text = f"{status.estimated_rows} rows wait, the oldest {status.oldest_s:.0f} s"
    if status.oldest_s > _OLDEST_BROKEN_S:
        return broken("outbox", text, "orderly relay status, then look at the brokers")
    if status.held_back_keys:
        return note("outbox", f"{status.held_back_keys} keys are held back", "orderly parked list")
    return ok("outbox", text)
