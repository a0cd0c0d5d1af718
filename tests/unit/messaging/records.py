"""Records and items for tests without a broker."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from libs.foundation.ids import new_id
from libs.foundation.messaging.consumer.records import Item, Refusal


class ToyRecord(Struct, frozen=True, kw_only=True):
    """What the broker would have given."""

    topic: str = "toys.events"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = b"k"
    value: bytes | None = b"{}"
    headers: Sequence[tuple[str, bytes]] = ()


def item(
    key: str, offset: int, type_: str = "a", *, partition: int = 0, refused: bool = False
) -> Item:
    refusal = Refusal(code="toy", error="refused") if refused else None
    return Item(
        record=ToyRecord(partition=partition, offset=offset, key=key.encode()),
        key=key,
        event_id=new_id(),
        claimable=True,
        type=type_,
        refusal=refusal,
    )


def offsets(items: Sequence[Any]) -> list[int]:
    return [each.record.offset for each in items]
