"""Looks for shipped orders whose time to complain has passed, and completes them."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Final

from msgspec import Meta, Struct

from libs.domain.orders.timers import Timer, Work
from libs.domain.orders.use_cases.complete_orders import complete_orders
from libs.foundation.database.connections import Pool
from libs.foundation.observability.metrics import counter

_DUE: Final = counter("orders_completions_due_total", "Shipped orders found due for completion.")


class CompletionsSettings(Struct, frozen=True, kw_only=True):
    """When shipped orders are completed, and in what portions."""

    after_days: Annotated[int, Meta(ge=1, le=365)] = 14
    """Time from the last release to the completion; a change holds for orders shipped before."""
    interval_ms: Annotated[int, Meta(ge=1)] = 60_000
    """Mean time between two looks."""
    orders_max: Annotated[int, Meta(ge=1, le=1_000)] = 200
    """Orders completed in one transaction."""


def completions(pool: Pool, settings: CompletionsSettings) -> Timer:
    work = Work(
        name="completions",
        handle=partial(
            complete_orders,
            complete_after=timedelta(days=settings.after_days),
            orders_max=settings.orders_max,
        ),
        orders_max=settings.orders_max,
        interval_ms=settings.interval_ms,
        seen=_DUE,
    )
    return Timer(pool, work)
