"""The whole examination: database first, then the brokers; what is away is a finding."""

from collections.abc import Sequence
from typing import Final

import psycopg
from msgspec import Struct

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.doctor.broker_checks import broker_findings
from libs.foundation.doctor.findings import Finding, Verdict, broken, ok, unknown
from libs.foundation.doctor.installation_checks import installation_findings, schema_finding
from libs.foundation.doctor.server_checks import server_findings
from libs.foundation.messaging.status.partitions import partitions_of_all
from libs.foundation.messaging.topics import WantedTopic
from libs.foundation.redaction import hide_credentials
from libs.foundation.settings import KafkaSettings

_INBOX: Final = "messaging.inbox"


class Expected(Struct, frozen=True, kw_only=True):
    """What an installation must have: the processes' roles, and the topics of the contracts."""

    roles: Sequence[str]
    topics: Sequence[WantedTopic]


class Examination(Struct, frozen=True, kw_only=True):
    """Every finding, in the order of looking."""

    findings: list[Finding]

    @property
    def is_broken(self) -> bool:
        """Whether something needs a person now."""
        return any(finding.verdict is Verdict.BROKEN for finding in self.findings)


async def examine(
    database: DatabaseSettings, kafka: KafkaSettings, expected: Expected
) -> Examination:
    """Look at everything; whatever cannot be reached is broken, and the rest is looked at."""
    findings, inbox_kept_s = await _examine_database(database, expected)
    findings += await broker_findings(kafka, expected.topics, inbox_kept_s)
    return Examination(findings=findings)


async def _examine_database(
    database: DatabaseSettings, expected: Expected
) -> tuple[list[Finding], float | None]:
    findings: list[Finding] = []
    try:
        async with open_connection(database, "orderly doctor") as connection:
            findings.append(ok("database", "it answers"))
            inbox_kept_s = await _look(connection, expected, findings)
    except (psycopg.Error, OSError) as error:
        first_line = hide_credentials(str(error)).partition("\n")[0]
        text = f"it does not answer: {first_line}"
        findings.append(
            broken("database", text, "start it, or correct OPERATOR_DATABASE_URL and its rights")
        )
        return findings, None
    return findings, inbox_kept_s


async def _look(
    connection: Connection, expected: Expected, findings: list[Finding]
) -> float | None:
    schema = await schema_finding(connection)
    findings.append(schema)
    if schema.verdict is not Verdict.OK:
        text = "not looked at: the schema is another one than this release knows"
        findings.append(unknown("installation", text, schema.remedy or "orderly migrate"))
        return None
    findings += await server_findings(connection, expected.roles, utc_now())
    findings += await installation_findings(connection)
    kept = await partitions_of_all(connection)
    return next((table.behind_s for table in kept.tables if table.name == _INBOX), None)
