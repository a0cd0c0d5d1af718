"""The scenarios: who sends how much when, and what else happens."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

MANY_SKUS: Final = 1_000
_CLIMB: Final = 1.3
_STEPS: Final = 16


class Stage(Struct, frozen=True):
    """A stretch of time in which the rate of arrivals changes evenly."""

    from_rate: float
    to_rate: float
    seconds: float


class Slowed(Struct, frozen=True, kw_only=True):
    """A process that is stopped for most of every moment, from one second to another."""

    process: str
    from_s: float
    to_s: float


class Scenario(Struct, frozen=True, kw_only=True):
    """One kind of load; rates are orders a second, whatever is answered."""

    name: str
    what: str
    stages: tuple[Stage, ...]
    skus: int = MANY_SKUS
    slowed: Slowed | None = None
    climbs: bool = False
    """Whether each stage is a step that must hold before the next one is tried."""

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)


def steady(rate: float, seconds: float) -> Stage:
    return Stage(rate, rate, seconds)


def scenarios(scale: float, soak_minutes: float) -> Sequence[Scenario]:
    """Return every scenario; `scale` multiplies all rates."""
    usual = 100 * scale
    return (*_even(usual, soak_minutes), *_uneven(usual))


def _even(usual: float, soak_minutes: float) -> Sequence[Scenario]:
    return (
        Scenario(
            name="smoke",
            what="a few orders a second: does everything work at all?",
            stages=(steady(usual / 10, 10),),
        ),
        Scenario(
            name="steady",
            what="a rate the platform should carry all day",
            stages=(steady(usual, 60),),
        ),
        Scenario(
            name="soak",
            what="half of the usual rate for a long time: does anything grow?",
            stages=(steady(usual / 2, soak_minutes * 60),),
        ),
        Scenario(
            name="slow-consumer",
            what="the inventory worker gets a quarter of its time for a while, and catches up",
            stages=(steady(usual / 2, 60),),
            slowed=Slowed(process="worker-inventory", from_s=15, to_s=35),
        ),
        Scenario(
            name="hot-sku",
            what="every order is for the same SKU",
            stages=(steady(usual, 45),),
            skus=1,
        ),
    )


def _uneven(usual: float) -> Sequence[Scenario]:
    return (
        Scenario(
            name="spike",
            what="ten times as many within two seconds, and back",
            stages=(
                steady(usual / 2, 15),
                Stage(usual / 2, usual * 5, 2),
                steady(usual * 5, 10),
                Stage(usual * 5, usual / 2, 2),
                steady(usual / 2, 20),
            ),
        ),
        Scenario(
            name="breakpoint",
            what="step by step more, until the latency goal does not hold: where is the knee?",
            stages=tuple(steady(usual * _CLIMB**step, 8) for step in range(_STEPS)),
            climbs=True,
        ),
    )
