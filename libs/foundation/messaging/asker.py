"""Who asks something of a process, for the audit."""

from msgspec import Struct


class Asker(Struct, frozen=True, kw_only=True):
    """Who wants it and why: both stand in the request for good."""

    requested_by: str
    reason: str
