"""Why a token is not accepted: one word for the metric, one sentence for its sender."""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """What is wrong with a token."""

    MALFORMED = "malformed"
    HEADER = "header"
    CLAIMS = "claims"
    ISSUER = "issuer"
    ALGORITHM = "algorithm"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    LIFETIME = "lifetime"
    KIND = "kind"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"


_SENTENCES: Final = {
    Reason.MALFORMED: "it is not a signed JWT in compact form",
    Reason.HEADER: "its header is not that of an access token (typ at+jwt, alg, kid)",
    Reason.CLAIMS: "it needs iss, sub, aud, exp, iat and principal_kind, in their documented form",
    Reason.ISSUER: "its issuer is not one of those accepted here",
    Reason.ALGORITHM: "its issuer does not sign with that algorithm",
    Reason.AUDIENCE: "it is meant for another audience",
    Reason.EXPIRED: "it has expired",
    Reason.NOT_YET_VALID: "it is not valid yet",
    Reason.LIFETIME: "it is valid for longer than is accepted here",
    Reason.KIND: "its issuer does not speak for that kind of principal",
    Reason.UNKNOWN_KEY: "its issuer has no such key",
    Reason.SIGNATURE: "its signature does not fit",
}


class TokenRefused(Exception):
    """A token is not accepted; the text repeats nothing of it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason = reason
