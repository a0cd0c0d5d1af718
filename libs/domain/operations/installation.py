"""What this installation consists of, as operators must know it: consumers, roles, topics."""

from typing import Final

from libs.contracts.topics import TOPICS
from libs.domain.inventory.consumers import CONSUMER as INVENTORY
from libs.domain.orders.consumers import CONSUMER as ORDERS
from libs.domain.payments.consumers import CONSUMER as PAYMENTS
from libs.foundation.doctor.examination import Expected
from libs.foundation.messaging.replay.selection import reader_of

READERS: Final = tuple(reader_of(definition) for definition in (ORDERS, INVENTORY, PAYMENTS))
EXPECTED: Final = Expected(
    roles=(
        "orderly_api",
        "orderly_worker_orders",
        "orderly_worker_inventory",
        "orderly_worker_payments",
        "orderly_outbox_relay",
        "orderly_operator",
        "orderly_reader",
    ),
    topics=TOPICS,
)
