"""Makes what a local stack's API is told: secrets, its issuer, and tokens for its callers."""

import base64
import json
import secrets
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.local.layout import write_atomically
from deploy.local.signing import ALGORITHM, AUDIENCE, ISSUER, KINDS, SigningKeys

KEYS_FILE: Final = "issuer/keys.json"
ISSUERS_FILE: Final = "issuers.json"
_STAFF: Final = "staff-1"
_CUSTOMER: Final = "customer-1"


class Tokens(Struct, frozen=True):
    """What `var/stack.env` hands to a person or a load generator."""

    staff: str
    customer: str


def make_api_secrets(folder: Path) -> Tokens:
    """Write the API's secrets to `folder`, and return tokens by the keys that the issuer has there.

    The keys stay when a stack is started again, and so do the tokens that were handed out.
    """
    write_atomically(folder / "cursor_secret", secrets.token_urlsafe(32).encode())
    # The simulator signs its webhooks with what the API checks them by.
    webhooks = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    write_atomically(folder / "webhook_secret", webhooks.encode())
    keys = SigningKeys.in_file(folder / KEYS_FILE)
    return Tokens(staff=keys.token(_STAFF, "staff"), customer=keys.token(_CUSTOMER, "customer"))


def pin_issuer(folder: Path, url: str) -> None:
    """Write down the one issuer that the API trusts: the development issuer at `url`."""
    issuer = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "kinds": KINDS,
        "algorithms": [ALGORITHM],
        "jwks_url": f"{url}/jwks.json",
    }
    write_atomically(folder / ISSUERS_FILE, json.dumps([issuer]).encode())
