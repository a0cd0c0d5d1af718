"""How much a kind of principal may ask for, and what its callers are told about it."""

from typing import Annotated, Final

from msgspec import Meta, Struct

_MICROSECONDS: Final = 1_000_000
# A process takes a bucket in so many parts: large enough to be rare, small enough to be shared.
_PARTS: Final = 16


class QuotaSettings(Struct, frozen=True, kw_only=True):
    """A bucket of `requests_max` that fills once in `window_s`."""

    requests_max: Annotated[int, Meta(ge=1)]
    """Requests of one principal in a window, in one burst or spread."""
    window_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    """Time in which an empty quota becomes whole again."""

    def __post_init__(self) -> None:
        if self.requests_max > self.window_s * _MICROSECONDS:
            raise ValueError("requests_max <= window_s * 1,000,000 must hold")


class Quota(Struct, frozen=True):
    """The arithmetic of one policy, in whole microseconds of the database's clock."""

    requests_max: int
    window_s: int

    @property
    def interval_us(self) -> int:
        """Time in which one request comes back; rounded up, so that none comes back early."""
        return -(-self.window_s * _MICROSECONDS // self.requests_max)

    @property
    def window_us(self) -> int:
        """Time in which an empty bucket is full."""
        return self.interval_us * self.requests_max

    @property
    def allotment(self) -> int:
        """Requests that a process asks for at once."""
        return -(-self.requests_max // _PARTS)

    def requests_in(self, microseconds: int) -> int:
        return max(0, microseconds) // self.interval_us


def quota_of(settings: QuotaSettings) -> Quota:
    return Quota(settings.requests_max, settings.window_s)
