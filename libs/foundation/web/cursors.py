"""Positions in lists, signed: a client can return one, not make or change one."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from typing import Final

from libs.foundation.web.refusals import FieldError, MalformedRequest

_SIGNATURE_BYTES: Final = 16
SECRET_BYTES_MIN: Final = 16


class Cursors:
    """Signs positions; all processes that serve one API share the secret."""

    def __init__(self, secret: str) -> None:
        if len(secret.encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"the cursor secret must have at least {SECRET_BYTES_MIN} bytes")
        self._secret = secret.encode()

    def sign(self, scope: str, position: str) -> str:
        """Return the cursor behind `position` of the list that `scope` names with its filters."""
        plain = position.encode()
        return urlsafe_b64encode(self._signature(scope, plain) + plain).decode().rstrip("=")

    def position(self, scope: str, cursor: str) -> str:
        """Return the position in a cursor of this list; any other text is a malformed request."""
        try:
            decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (BadBase64, ValueError):
            raise _refusal() from None
        signature, plain = decoded[:_SIGNATURE_BYTES], decoded[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(scope, plain)):
            raise _refusal()
        return plain.decode()

    def _signature(self, scope: str, plain: bytes) -> bytes:
        message = scope.encode() + b"\0" + plain
        return hmac.digest(self._secret, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def _refusal() -> MalformedRequest:
    detail = "Not a cursor of this list with these filters"
    error = FieldError(parameter="cursor", detail=detail)
    return MalformedRequest("the cursor is not valid", [error])
