"""Makes the secrets of a local stack's API: tokens of staff and customer, two signing keys."""

import base64
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


def make_api_secrets(folder: Path) -> Tokens:
    """Make new secrets, and write to `folder` what the API reads: of tokens only the digests."""
    tokens = Tokens(staff=secrets.token_urlsafe(24), customer=secrets.token_urlsafe(24))
    entries = [
        _entry(tokens.staff, principal="staff-1", kind="staff", scopes=["*"]),
        _entry(tokens.customer, principal=_CUSTOMER, kind="customer", scopes=["*"]),
    ]
    write_atomically(folder / "tokens.json", json.dumps(entries).encode())
    write_atomically(folder / "cursor_secret", secrets.token_urlsafe(32).encode())
    # The simulator signs its webhooks with what the API checks them by.
    webhooks = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    write_atomically(folder / "webhook_secret", webhooks.encode())
    return tokens


def _entry(token: str, *, principal: str, kind: str, scopes: list[str]) -> dict[str, object]:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"token_sha256": digest, "principal": principal, "kind": kind, "scopes": scopes}
