"""Idempotency-Key: its form, its scope, and one request under one key in one transaction."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from psycopg.errors import LockNotAvailable

from libs.foundation.database.transaction import Transaction
from libs.foundation.web.refusals import (
    IdempotencyInProgress,
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
)
from libs.foundation.web.reply import Reply, replayed
from libs.foundation.web.sql import idempotency_keys as keys

KEY_CHARACTERS_MAX: Final = 255
# A string of RFC 8941 (quoted, with \" and \\ as the only escapes), or the bare text many send.
_QUOTED: Final = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"')
_BARE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]+")
_ESCAPE: Final = re.compile(r'\\(["\\])')
_canonical: Final = msgspec.json.Encoder(order="deterministic").encode


class Claim(Struct, frozen=True, kw_only=True):
    """One request's right to its key; `route` is a template, so ids in paths are fingerprinted."""

    principal: str
    method: str
    route: str
    key: str
    fingerprint: bytes

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What is unique: two claims of one name are twins, or a key used twice."""
        return (self.principal, self.method, self.route, self.key)


def parse_key(values: Sequence[str]) -> str:
    """Return the key in the request's Idempotency-Key headers, of which there must be one."""
    if not values:
        raise IdempotencyKeyMissing("a POST needs an Idempotency-Key header")
    key = _parsed(values[0].strip()) if len(values) == 1 else None
    if key is None or len(key) > KEY_CHARACTERS_MAX:
        raise IdempotencyKeyMalformed(
            "the Idempotency-Key must be one quoted string of 1 to 255 printable characters"
        )
    return key


def _parsed(value: str) -> str | None:
    quoted = _QUOTED.fullmatch(value)
    if quoted is not None:
        return _ESCAPE.sub(r"\1", quoted[1])
    return value if _BARE.fullmatch(value) is not None else None


def fingerprint(method: str, path: str, content: object) -> bytes:
    """Hash what the request asks for: equal content in another spelling is the same request."""
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(_canonical(content))
    return digest.digest()


async def once(tx: Transaction, claim: Claim, act: Callable[[], Awaitable[Reply]]) -> Reply:
    """Act under the claim's key, or return what was answered under it before.

    The answer is stored in the transaction that makes it true. A refusal is raised through the
    caller's transaction, whose rollback gives the key back.
    """
    try:
        ours = await keys.claim_waiting(tx, claim)
    except LockNotAvailable:
        raise IdempotencyInProgress from None
    if not ours:
        return await _stored(tx, claim)
    answer = await act()
    await keys.finish(tx, [claim], [answer])
    return answer


async def _stored(tx: Transaction, claim: Claim) -> Reply:
    found = await keys.stored(tx, [claim])
    if not found:
        # It expired between the two statements; the next attempt has the key to itself.
        raise IdempotencyInProgress
    return checked_replay(claim, found[0])


def checked_replay(claim: Claim, stored: keys.StoredAnswer) -> Reply:
    """Return the stored answer for the same request; raise IdempotencyKeyReused for another."""
    if stored.fingerprint != claim.fingerprint:
        raise IdempotencyKeyReused
    return replayed(Reply(status=stored.status, body=stored.body, headers=stored.headers))
