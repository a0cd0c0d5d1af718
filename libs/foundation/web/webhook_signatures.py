"""Checks signed webhooks (Standard Webhooks 1.0): HMAC-SHA256 over id, time and raw body."""

from collections.abc import Mapping, Sequence
from typing import Final

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from libs.foundation.errors import ErrorKind
from libs.foundation.redaction import Secret
from libs.foundation.web.public import Proof
from libs.foundation.web.refusals import HttpRefusal

SIGNED: Final = Proof(
    name="webhook",
    header="webhook-signature",
    meaning="Standard Webhooks 1.0: `v1,` and the base64 of an HMAC-SHA256 over"
    " `webhook-id.webhook-timestamp.body` by the shared secret; several stand between spaces.",
    made_of={
        "webhook-id": "The webhook's own id, the same in each repeat.",
        "webhook-timestamp": "When it was sent, in seconds since 1970; at most 300 s away.",
    },
)
# The standard's own time tolerance, 300 s either way, is the library's.
_HEADERS: Final = (*SIGNED.made_of, SIGNED.header)


class WebhookSignatureInvalid(HttpRefusal):
    """Not signed by a secret we share with the sender, or not at this time."""

    kind = ErrorKind.MALFORMED
    code = "webhook-signature-invalid"

    def __init__(self) -> None:
        super().__init__("the webhook carries no valid signature of this moment")


class WebhookSignatures:
    """Accepts what one of several secrets signed, so that a secret can be replaced."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._signers = [_signer(secret) for secret in secrets]

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the id of the webhook; comparisons take the same time for any signature."""
        signed = {name: headers[name] for name in _HEADERS if name in headers}
        if not any(_accepts(signer, signed, body) for signer in self._signers):
            raise WebhookSignatureInvalid
        return signed["webhook-id"]


def _signer(secret: Secret) -> Webhook:
    try:
        return Webhook(secret.reveal())
    except Exception:  # noqa: BLE001  # Its text may show the secret.
        raise ValueError("a webhook secret must be whsec_ and base64") from None


def _accepts(signer: Webhook, headers: dict[str, str], body: bytes) -> bool:
    try:
        signer.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # The library lets malformed base64, UTF-8 and lists of signatures escape as ValueError.
        return False
    return True
