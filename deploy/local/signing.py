"""The keys of the development issuer: in one file that only its owner reads, and tokens by them."""

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from deploy.local.layout import write_atomically

ISSUER: Final = "urn:orderly:development"
AUDIENCE: Final = "orderly"
ALGORITHM: Final = "EdDSA"
KINDS: Final = ("customer", "staff", "machine")
# Every scope there is: the API drops what the kind of a principal may not have.
SCOPES: Final = (
    "orders:place",
    "orders:checkout",
    "orders:read",
    "contacts:read",
    "orders:cancel",
    "orders:ship",
    "orders:refund",
    "catalogue:write",
    "stock:read",
    "stock:write",
    "webhooks:manage",
    "privacy:erase",
    "operations:read",
    "operations:act",
)
WEEK_S: Final = 7 * 24 * 3_600


class _StoredKey(Struct, frozen=True):
    kid: str
    private: str


class SigningKeys:
    """Ed25519 keys, the newest last; it signs, and all are published until they are withdrawn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[_StoredKey] = []

    @classmethod
    def in_file(cls, path: Path) -> "SigningKeys":
        """Read the keys, or make the first one where there is no file."""
        keys = cls(path)
        if path.exists():
            keys._keys = msgspec.json.decode(path.read_bytes(), type=list[_StoredKey])
        else:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            keys.rotate()
        return keys

    @property
    def current(self) -> str:
        """The id of the key that signs."""
        return self._keys[-1].kid

    def rotate(self) -> str:
        """Make a new key that signs from now on, and return its id; the others stay published."""
        private = Ed25519PrivateKey.generate().private_bytes_raw()
        self._keys.append(_StoredKey(uuid.uuid4().hex, _base64url(private)))
        self._save()
        return self.current

    def withdraw(self, kid: str) -> None:
        """Publish a key no longer; raise KeyError for the one that signs, or one unknown."""
        if kid == self.current or all(key.kid != kid for key in self._keys):
            raise KeyError(kid)
        self._keys = [key for key in self._keys if key.kid != kid]
        self._save()

    def public(self) -> bytes:
        """Return the JSON Web Key Set."""
        return msgspec.json.encode({"keys": [_public(key) for key in self._keys]})

    def token(
        self, subject: str, kind: str, scopes: Sequence[str] = SCOPES, lifetime_s: int = WEEK_S
    ) -> str:
        """Return an access token (RFC 9068) for `subject`."""
        now_s = int(time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "client_id": "development",
            "jti": uuid.uuid4().hex,
            "iat": now_s,
            "exp": now_s + lifetime_s,
            "scope": " ".join(scopes),
            "principal_kind": kind,
        }
        headers = {"kid": self.current, "typ": "at+jwt"}
        return jwt.encode(claims, _private(self._keys[-1]), ALGORITHM, headers)

    def _save(self) -> None:
        write_atomically(self._path, msgspec.json.encode(self._keys))


def _private(key: _StoredKey) -> Ed25519PrivateKey:
    plain = urlsafe_b64decode(key.private + "=" * (-len(key.private) % 4))
    return Ed25519PrivateKey.from_private_bytes(plain)


def _public(key: _StoredKey) -> dict[str, str]:
    public = _private(key).public_key().public_bytes_raw()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _base64url(public),
        "kid": key.kid,
        "use": "sig",
        "alg": ALGORITHM,
    }


def _base64url(plain: bytes) -> str:
    return urlsafe_b64encode(plain).rstrip(b"=").decode()
