"""What a contender hands over after its turn."""

from msgspec import Struct, field


class NotMeasured(Exception):
    """Something this contender needs is not to be had here; the message says what."""


class Measurement(Struct, frozen=True, kw_only=True):
    """The figures of one turn; a refused figure is missing, and `refused` says why."""

    figures: dict[str, float] = field(default_factory=dict[str, float])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    facts: dict[str, float] = field(default_factory=dict[str, float])
    """Not compared, but needed to believe the figures: CPU shares, latencies, counts."""


class Sample(Struct, frozen=True, kw_only=True):
    """One turn of one contender, as the report keeps it."""

    contender: str
    round: int
    seconds: float
    measurement: Measurement | None
    failure: str | None = None
    """Why there is no measurement."""
