"""The problems of the orders context, explained to those who call it."""

from typing import Final

from libs.foundation.web.problem_types import ProblemType

_SKUS: Final = {"skus": "The SKUs it is about."}

ORDER_PROBLEMS: Final = (
    ProblemType(
        code="illegal-transition",
        status=409,
        meaning="The status of the order, or the state of its refund, does not allow this.",
        remedy="Read the order; `allowed` lists what it can still come to.",
        fields={
            "order_status": "The order's status, if it is about the order.",
            "refund_state": "The refund's state, if it is about a refund.",
            "allowed": "What can follow it.",
        },
    ),
    ProblemType(
        code="quantity-unavailable",
        status=409,
        meaning="Units are wanted that are in a shipment, cancelled or refunded already.",
        remedy="Read the order, and ask for what is open.",
        fields={"lines": "A list of {line_no, open}: what is left of each line."},
    ),
    ProblemType(
        code="shipment-in-progress",
        status=409,
        meaning="A shipment of the order waits for its money; its end decides what may follow.",
        remedy="Wait as `Retry-After` says, read the order, and ask again.",
    ),
    ProblemType(
        code="refund-exceeds-refundable",
        status=409,
        meaning="More would be given back than is due, counted with every refund before.",
        remedy="Refund at most `refundable`.",
        fields={"refundable": "What may still be given back."},
    ),
    ProblemType(
        code="order-limit-exceeded",
        status=409,
        meaning="The order has as many shipments or refunds as one may have.",
        remedy="Nothing is to be repeated: settle the rest outside.",
        fields={"limit": "How many an order may have."},
    ),
    ProblemType(
        code="external-reference-taken",
        status=409,
        meaning="Another order, which is not rejected, has this `external_reference`.",
        remedy="Most likely it is the same purchase under another Idempotency-Key: read it.",
        fields={"order_id": "The other order; only if the caller may read it."},
    ),
    ProblemType(
        code="unknown-sku",
        status=422,
        meaning="A line names a SKU that no product has.",
        remedy="Read the catalogue, or create the product first.",
        fields=_SKUS,
    ),
    ProblemType(
        code="sku-inactive",
        status=422,
        meaning="A product is not for sale.",
        remedy="Take the line out, or activate the product.",
        fields=_SKUS,
    ),
    ProblemType(
        code="price-missing",
        status=422,
        meaning="A product has no catalogue price, so that only supplied prices can sell it.",
        remedy="Give the product a price, or let a checkout supply prices for every line.",
        fields=_SKUS,
    ),
    ProblemType(
        code="total-mismatch",
        status=422,
        meaning="The order comes to another total than `expected_total`: never silently more nor"
        " less than the customer saw.",
        remedy="Show the customer the new total, and send that.",
        fields={
            "expected": "What was sent.",
            "computed": "What it comes to.",
            "lines": "The total of each line.",
        },
    ),
    ProblemType(
        code="currency-mismatch",
        status=422,
        meaning="An amount is in another currency than the order.",
        remedy="Send every amount in the currency of the order.",
    ),
    ProblemType(
        code="currency-not-supported",
        status=422,
        meaning="The currency is not enabled.",
        remedy="Use an enabled currency of ISO 4217.",
    ),
    ProblemType(
        code="card-data-refused",
        status=422,
        meaning="The payment source looks like a card number. It was neither stored nor logged.",
        remedy="Send the token that the payment provider made of the card.",
    ),
)
