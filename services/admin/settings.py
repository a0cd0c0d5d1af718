"""Settings of the admin process; the prefix is ADMIN_."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.settings import KafkaSettings, ProcessSettings
from libs.foundation.web.bearer.settings import AuthenticationSettings

# A question to the brokers takes seconds, and a search for a trace up to 20.
_DEADLINE_MS: Final = 30_000


class AdminSettings(Struct, frozen=True, kw_only=True):
    """What the operators' HTTP door needs to know."""

    database: DatabaseSettings
    kafka: KafkaSettings
    process: ProcessSettings
    port: Annotated[int, Meta(ge=0, le=65_535)]
    """Port to listen on; 0 takes a free one and logs it."""
    host: str = "127.0.0.1"
    """Address to listen on; one that the public reaches is a mistake."""
    keep_alive_grace_ms: Annotated[int, Meta(ge=0)] = 1_000
    """Time at the end in which open connections may send one more request before they close."""
    authentication: AuthenticationSettings
    problem_types_url: str = "/problems/"
    """Where the types of problems are explained; each problem's code follows it."""
    in_flight_max: Annotated[int, Meta(ge=1)] = 16
    """Most requests being answered at once; further ones are answered 503. There is no quota."""
    body_bytes_max: Annotated[int, Meta(ge=1)] = 16_384
    """Largest request body; a larger one is answered 413 before it is read."""
    deadline_ms: Annotated[int, Meta(ge=1)] = _DEADLINE_MS
    """Longest time for one request, its body included."""
    access_log_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of successful requests that are logged; refused ones always are."""
