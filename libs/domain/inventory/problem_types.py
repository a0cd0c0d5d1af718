"""The problems of the inventory context, explained to those who call it."""

from typing import Final

from libs.foundation.web.problem_types import ProblemType

STOCK_PROBLEMS: Final = (
    ProblemType(
        code="stock-reserved",
        status=409,
        meaning="The adjustment would leave fewer pieces than are promised to orders.",
        remedy="Cancel orders first, then correct the stock.",
        fields={"order_ids": "Orders that hold pieces, at most 100 of them."},
    ),
    ProblemType(
        code="stock-limit-exceeded",
        status=422,
        meaning="The adjustment would bring in more pieces than one SKU may have.",
        remedy="Check the figure.",
        fields={"on_hand_max": "The most pieces one SKU may have."},
    ),
)
