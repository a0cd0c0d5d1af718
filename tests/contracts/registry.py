"""Every contract, and the golden body of each: bytes as an earlier release wrote them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from libs.contracts import inventory, orders, payments
from libs.contracts.messages import Decoders, Message

DECODERS_OF: Final[Mapping[str, tuple[Decoders, ...]]] = {
    "orders": (orders.DECODERS,),
    "inventory": (inventory.COMMAND_DECODERS, inventory.EVENT_DECODERS),
    "payments": (payments.COMMAND_DECODERS, payments.EVENT_DECODERS),
}
DECODERS: Final = {
    name: decoder
    for tables in DECODERS_OF.values()
    for table in tables
    for name, decoder in table.items()
}
CONTRACTS: Final[Mapping[str, type[Message]]] = {
    name: decoder.type for name, decoder in DECODERS.items() if decoder.type.type == name
}
GOLDEN: Final = Path(__file__).parent / "golden"


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().strip()


def fields(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any])
