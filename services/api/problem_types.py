"""Every problem that the API may answer with, each with its page."""

from typing import Final

from libs.domain.inventory.problem_types import STOCK_PROBLEMS
from libs.domain.orders.problem_types import ORDER_PROBLEMS
from libs.foundation.web.problem_types import WEB_PROBLEMS, catalogue

PROBLEMS: Final = catalogue(WEB_PROBLEMS, ORDER_PROBLEMS, STOCK_PROBLEMS)
