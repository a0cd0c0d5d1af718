"""The signature is that of the standard, and a secret that is none never starts a process."""

import base64
import hashlib
import hmac
import time

import pytest

from libs.foundation.redaction import Secret
from libs.foundation.web.webhook_signatures import WebhookSignatureInvalid, WebhookSignatures

KEY = bytes(range(32))
SECRET = Secret("whsec_" + base64.b64encode(KEY).decode())
BODY = b'{"a": "\xc3\xa4"}'


def headers(body: bytes = BODY, key: bytes = KEY) -> dict[str, str]:
    """Sign by the letter of the standard, without the library that checks."""
    moment = str(int(time.time()))
    digest = hmac.digest(key, b"evt_1." + moment.encode() + b"." + body, hashlib.sha256)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": moment,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_a_signature_by_the_letter_of_the_standard_is_accepted() -> None:
    assert WebhookSignatures([SECRET]).verify(headers(), BODY) == "evt_1"


def test_one_of_several_signatures_is_enough() -> None:
    sent = headers()
    sent["webhook-signature"] = f"v1a,AAAA v1,AAAA {sent['webhook-signature']}"

    assert WebhookSignatures([SECRET]).verify(sent, BODY) == "evt_1"


def test_another_key_or_body_is_refused() -> None:
    for sent in (headers(key=b"x" * 32), headers(body=BODY + b" ")):
        with pytest.raises(WebhookSignatureInvalid):
            WebhookSignatures([SECRET]).verify(sent, BODY)


@pytest.mark.parametrize("text", ["whsec_", "whsec_AAA\u00e4", "whsec_QQQQQ"])
def test_a_secret_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a webhook secret must be whsec_ and base64$"):
        WebhookSignatures([Secret(text)])
