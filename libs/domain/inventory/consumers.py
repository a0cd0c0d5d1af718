"""What the inventory worker consumes: each command and the use case that takes it."""

from typing import Final

from libs.contracts import topics
from libs.contracts.inventory import (
    COMMAND_DECODERS,
    ReleaseStock,
    ReserveStock,
    ReturnStock,
    ShipStock,
)
from libs.domain.inventory.use_cases.move_stock import release_stock, return_stock, ship_stock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.foundation.messaging.definitions import ConsumerDefinition, Route

CONSUMER: Final = ConsumerDefinition(
    name="inventory-worker",
    topics=(topics.INVENTORY_COMMANDS,),
    decoders=COMMAND_DECODERS,
    routes=(
        Route(ReserveStock, reserve_stock),
        Route(ReleaseStock, release_stock),
        Route(ShipStock, ship_stock),
        Route(ReturnStock, return_stock),
    ),
)
