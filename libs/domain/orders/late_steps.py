"""Looks for late saga steps, and flags their orders for people."""

from functools import partial
from typing import Annotated, Final

from msgspec import Meta, Struct

from libs.domain.orders.timers import Timer, Work
from libs.domain.orders.use_cases.flag_late_steps import flag_late_steps
from libs.foundation.database.connections import Pool
from libs.foundation.observability.metrics import counter

_FLAGGED: Final = counter("orders_late_steps_total", "Saga steps found past their deadline.")


class LateStepsSettings(Struct, frozen=True, kw_only=True):
    """How often and in what portions sagas are looked at."""

    interval_ms: Annotated[int, Meta(ge=1)] = 10_000
    """Mean time between two looks."""
    orders_max: Annotated[int, Meta(ge=1, le=1_000)] = 200
    """Orders flagged in one transaction."""


def late_steps(pool: Pool, settings: LateStepsSettings) -> Timer:
    work = Work(
        name="late_steps",
        handle=partial(flag_late_steps, orders_max=settings.orders_max),
        orders_max=settings.orders_max,
        interval_ms=settings.interval_ms,
        seen=_FLAGGED,
    )
    return Timer(pool, work)
