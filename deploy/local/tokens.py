"""Makes the bearer tokens of a local stack: one of staff, one of a customer."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.local.layout import write_atomically

_CUSTOMER: Final = "customer-1"


class Tokens(Struct, frozen=True):
    """What `var/stack.env` hands to a person or a load generator."""

    staff: str
    customer: str


def make_tokens(file: Path) -> Tokens:
    """Make new tokens and write what the API knows of them: their digests, never themselves."""
    tokens = Tokens(staff=secrets.token_urlsafe(24), customer=secrets.token_urlsafe(24))
    entries = [
        _entry(tokens.staff, principal="staff-1", kind="staff", scopes=["*"]),
        _entry(tokens.customer, principal=_CUSTOMER, kind="customer", scopes=["*"]),
    ]
    write_atomically(file, json.dumps(entries).encode())
    return tokens


def _entry(token: str, *, principal: str, kind: str, scopes: list[str]) -> dict[str, object]:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"token_sha256": digest, "principal": principal, "kind": kind, "scopes": scopes}
