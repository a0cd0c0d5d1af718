"""Which rows of the outbox a replay is about, and who would read them."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.foundation.messaging.definitions import ConsumerDefinition


class Selection(Struct, frozen=True, kw_only=True):
    """Published rows written from `since` until before `until`; an empty tuple means every one."""

    since: datetime | None = None
    until: datetime | None = None
    topics: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class ReplayAsked(Selection, frozen=True, kw_only=True):
    """A selection to be copied, so many rows a second at most."""

    rate_per_s: int


class ForgetAsked(Selection, frozen=True, kw_only=True):
    """A selection whose marks in the inbox of one consumer are to be deleted."""

    consumer: str


class StopAsked(Struct, frozen=True, kw_only=True):
    """A request that is to end where it is."""

    request: UUID


class Reader(Struct, frozen=True, kw_only=True):
    """A consumer as a replay sees it; `types` is None when nobody here knows what it handles."""

    name: str
    topics: tuple[str, ...]
    types: tuple[str, ...] | None = None


def reader_of(definition: ConsumerDefinition) -> Reader:
    """Return what a consumer's definition says about what it reads."""
    return Reader(
        name=definition.name,
        topics=tuple(topic.name for topic in definition.topics),
        types=tuple(definition.handlers),
    )
