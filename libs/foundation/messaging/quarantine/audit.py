"""Reads what operators have asked for: who, why, and what came of it."""

from msgspec import Struct

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.sql import operator_audit
from libs.foundation.messaging.sql.operator_audit import Audited, AuditNarrowing


class AuditList(Struct, frozen=True, kw_only=True):
    """Requests, the newest first."""

    requests: list[Audited]


async def list_requests(tx: Transaction, narrowing: AuditNarrowing, limit: int) -> AuditList:
    """Return the requests that match."""
    return AuditList(requests=await operator_audit.requests(tx, narrowing, limit))
