"""What the orders worker consumes: each answer and the use case that takes it."""

from typing import Final

from libs.contracts import inventory, payments, topics
from libs.contracts.inventory import (
    StockRejected,
    StockReleased,
    StockReserved,
    StockReturned,
    StockShipped,
)
from libs.contracts.payments import (
    CaptureFailed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentReduced,
    PaymentUnresolved,
    RefundFailed,
    RefundSucceeded,
)
from libs.domain.orders.operator_verbs import VERBS
from libs.domain.orders.use_cases.authorise_payments import authorise_payments
from libs.domain.orders.use_cases.confirm_orders import confirm_orders
from libs.domain.orders.use_cases.finish_compensations import finish_reductions, finish_releases
from libs.domain.orders.use_cases.flag_unresolved_payments import flag_unresolved_payments
from libs.domain.orders.use_cases.move_refunds import (
    fail_refunds,
    finish_refunds,
    record_stock_returned,
)
from libs.domain.orders.use_cases.move_shipments import (
    fail_shipments,
    record_stock_shipped,
    release_shipments,
)
from libs.domain.orders.use_cases.reject_orders import reject_out_of_stock, reject_unpaid
from libs.foundation.messaging.definitions import ConsumerDefinition, Route

CONSUMER: Final = ConsumerDefinition(
    name="orders-worker",
    topics=(topics.INVENTORY_EVENTS, topics.PAYMENTS_EVENTS),
    decoders={**inventory.EVENT_DECODERS, **payments.EVENT_DECODERS},
    routes=(
        Route(StockReserved, authorise_payments),
        Route(StockRejected, reject_out_of_stock),
        Route(PaymentAuthorised, confirm_orders),
        Route(PaymentDeclined, reject_unpaid),
        Route(PaymentUnresolved, flag_unresolved_payments),
        Route(StockReleased, finish_releases),
        Route(PaymentReduced, finish_reductions),
        Route(PaymentCaptured, release_shipments),
        Route(CaptureFailed, fail_shipments),
        Route(StockShipped, record_stock_shipped),
        Route(RefundSucceeded, finish_refunds),
        Route(RefundFailed, fail_refunds),
        Route(StockReturned, record_stock_returned),
    ),
    verbs=VERBS,
)
