"""What is wrong with the PostgreSQL server: settings, roles, vacuum, what is left open."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from libs.foundation.database.connections import Connection
from libs.foundation.doctor.findings import Finding, broken, note, ok
from libs.foundation.doctor.sql import remedies, server
from libs.foundation.doctor.sql.server import Horizon, Prepared, Role, ServerSettings, TableHealth

_TIMEOUTS: Final = (
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
)
_DEAD_ROWS_MIN: Final = 10_000
_CLOCK_NOTE_S: Final = 1.0
# Ids made here lie in the future of consumers then: beyond five minutes they are refused.
_CLOCK_BROKEN_S: Final = 30.0
_HORIZON_NOTE_S: Final = 60.0
_HORIZON_BROKEN_S: Final = 900.0
_HORIZON_NOTE_TRANSACTIONS: Final = 1_000_000
_PREPARED_BROKEN_S: Final = 60.0
_CONNECTIONS_SHARE_MAX: Final = 0.8


async def server_findings(
    connection: Connection, roles: Sequence[str], machine_now: datetime
) -> list[Finding]:
    """Look at everything that is not ours but must be right for us."""
    settings = await server.settings(connection)
    return [
        *settings_of(settings),
        clock(settings.database_now, machine_now),
        *roles_of(roles, await server.roles(connection, list(roles))),
        *vacuum(settings, await server.tables(connection, _DEAD_ROWS_MIN)),
        horizon(await server.horizons(connection)),
        prepared(await server.prepared(connection)),
    ]


def settings_of(found: ServerSettings) -> Iterator[Finding]:
    """Judge what a COMMIT is worth on this server."""
    if found.in_recovery:
        yield broken("primary", "this server is a standby", "connect to the primary")
    for name, value in (("fsync", found.fsync), ("full_page_writes", found.full_page_writes)):
        if value == "off":
            remedy = remedies.SWITCH_ON.format(name=name)
            yield broken("durability", f"{name} is off: a crash may destroy everything", remedy)
    if found.synchronous_commit == "off":
        yield broken(
            "durability",
            "synchronous_commit is off: a crash loses what was answered with success",
            remedies.SWITCH_ON.format(name="synchronous_commit"),
        )
    if found.wal_level == "minimal":
        yield note(
            "durability",
            "wal_level is minimal: neither a standby nor recovery to a moment is possible",
            remedies.LOG_ENOUGH,
        )
    if "off" not in {found.fsync, found.full_page_writes, found.synchronous_commit}:
        text = f"fsync on, synchronous_commit {found.synchronous_commit}, wal {found.wal_level}"
        yield ok("durability", text)
    if found.default_transaction_isolation != "read committed":
        yield broken(
            "isolation",
            f"the default is {found.default_transaction_isolation}: old partitions stay for ever",
            remedies.READ_COMMITTED,
        )
    text = f"{found.connections} of {found.max_connections} are used"
    if found.connections > _CONNECTIONS_SHARE_MAX * found.max_connections:
        yield note("connections", text, "raise max_connections, or run fewer processes")
    else:
        yield ok("connections", text)


def clock(database: datetime, machine: datetime) -> Finding:
    """Compare the clock of the database with the one of this machine."""
    apart_s = (database - machine).total_seconds()
    text = f"the database's is {abs(apart_s):.1f} s {'ahead of' if apart_s > 0 else 'behind'} ours"
    if abs(apart_s) > _CLOCK_BROKEN_S:
        return broken("clock", text, "set both clocks by NTP: nothing old is dropped meanwhile")
    if abs(apart_s) > _CLOCK_NOTE_S:
        return note("clock", text, "set both clocks by NTP")
    return ok("clock", text)


def roles_of(wanted: Sequence[str], found: Sequence[Role]) -> Iterator[Finding]:
    """Judge the roles of the processes: there, without power, with their own timeouts."""
    missing = sorted(set(wanted) - {role.name for role in found})
    if missing:
        text = f"missing or without login: {', '.join(missing)}"
        yield broken("roles", text, "orderly migrate, with a role that may create roles")
    wrong = False
    for role in found:
        if role.is_superuser:
            wrong = True
            remedy = remedies.NO_SUPERUSER.format(role=role.name)
            yield broken("roles", f"{role.name} is a superuser", remedy)
        names = {setting.partition("=")[0] for setting in role.settings}
        for timeout in (each for each in _TIMEOUTS if each not in names):
            wrong = True
            yield broken(
                "roles",
                f"{role.name} has no {timeout}: a forgotten session holds everything up",
                remedies.SET_TIMEOUT.format(role=role.name, timeout=timeout),
            )
    if not missing and not wrong:
        yield ok("roles", f"{len(found)} roles with their timeouts")


def vacuum(settings: ServerSettings, tables: Sequence[TableHealth]) -> Iterator[Finding]:
    """Judge whether dead rows are removed."""
    for name, value in (
        ("autovacuum", settings.autovacuum),
        ("track_counts", settings.track_counts),
    ):
        if value == "off":
            remedy = remedies.SWITCH_ON.format(name=name)
            yield broken("autovacuum", f"{name} is off: tables grow and grow slow", remedy)
    for table in tables:
        if table.is_left_out:
            remedy = remedies.VACUUM_AGAIN.format(table=table.name)
            yield broken("autovacuum", f"it leaves {table.name} out", remedy)
        else:
            text = f"{table.name} has {table.dead_rows} dead rows beside {table.live_rows}"
            yield note("autovacuum", text, remedies.VACUUM.format(table=table.name))
    if "off" not in {settings.autovacuum, settings.track_counts} and not tables:
        yield ok("autovacuum", "on, and no table is left to itself")


def horizon(holders: Sequence[Horizon]) -> Finding:
    """Judge what holds back the removal of old row versions: of several the oldest."""
    if not holders:
        return ok("horizon", "nothing holds it back")
    oldest = holders[0]
    who = f"{oldest.kind} {oldest.name or 'without a name'}"
    if oldest.pid is not None:
        who += f", pid {oldest.pid}"
    known = "" if oldest.age_s is None else f", {oldest.age_s:.0f} s"
    text = f"held by {who}: {oldest.age_transactions} transactions{known}"
    age_s = oldest.age_s or 0.0
    remedy = {
        "session": remedies.END_SESSION,
        "replication slot": remedies.DROP_SLOT,
    }.get(oldest.kind, remedies.ROLL_BACK)
    remedy = remedy.format(pid=oldest.pid, name=oldest.name)
    if age_s > _HORIZON_BROKEN_S:
        return broken("horizon", text, remedy)
    if age_s > _HORIZON_NOTE_S or oldest.age_transactions > _HORIZON_NOTE_TRANSACTIONS:
        return note("horizon", text, remedy)
    return ok("horizon", text)


def prepared(found: Sequence[Prepared]) -> Finding:
    """Judge prepared transactions; this platform makes none."""
    if not found:
        return ok("prepared transactions", "none")
    oldest = found[0]
    text = f"{len(found)}, the oldest {oldest.gid}, {oldest.age_s:.0f} s"
    remedy = remedies.END_PREPARED.format(name=oldest.gid)
    if oldest.age_s > _PREPARED_BROKEN_S:
        return broken("prepared transactions", text, remedy)
    return note("prepared transactions", text, remedy)
