"""What a token stands for: it says itself whether it will be declined."""

from typing import Final

_DECLINE: Final = "tok_decline_"
_CODES: Final = (
    "card_declined",
    "insufficient_funds",
    "authentication_required",
    "source_expired",
    "fraud_suspected",
)


def decline_code(token: str) -> str | None:
    """Return the code a token is declined with: `tok_decline_<code>...`, else card_declined."""
    if not token.startswith(_DECLINE):
        return None
    rest = token.removeprefix(_DECLINE)
    return next((code for code in _CODES if rest.startswith(code)), "card_declined")
