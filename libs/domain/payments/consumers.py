"""Which command of orders is handled by which use case."""

from typing import Final

from libs.contracts import topics
from libs.contracts.payments import (
    COMMAND_DECODERS,
    AuthorisePayment,
    CapturePayment,
    ReducePayment,
    RefundPayment,
)
from libs.domain.payments.use_cases.authorise_payments import authorise_payments
from libs.domain.payments.use_cases.move_money import capture_payments, refund_payments
from libs.domain.payments.use_cases.reduce_payments import reduce_payments
from libs.foundation.messaging.definitions import ConsumerDefinition, Route

CONSUMER: Final = ConsumerDefinition(
    name="payments-worker",
    topics=(topics.PAYMENTS_COMMANDS,),
    decoders=COMMAND_DECODERS,
    routes=(
        Route(AuthorisePayment, authorise_payments),
        Route(CapturePayment, capture_payments),
        Route(ReducePayment, reduce_payments),
        Route(RefundPayment, refund_payments),
    ),
)
