"""Lets the contenders take turns, round by round, and keeps what each one measured."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from msgspec import Struct, field

from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.measurement import NotMeasured, Sample
from loadtests.benchmarks.rows import Row
from loadtests.benchmarks.site import Site

_PREPARE_S: Final = 900
_FAILURES_MAX: Final = 2


class Outcome(Struct, frozen=True, kw_only=True):
    """Every sample in the order of its turn, and why a contender never ran."""

    samples: list[Sample] = field(default_factory=list[Sample])
    absent: dict[str, str] = field(default_factory=dict[str, str])


def needed_for(rows: Sequence[Row], every: Sequence[type[Contender]]) -> list[type[Contender]]:
    """Return the contenders that the rows divide, and those which size their loads, in order."""
    by_name = {kind.name: kind for kind in every}
    figures = [figure for row in rows for figure in (row.over, row.under)]
    names = {figure.contender for figure in figures}
    for figure in figures:
        names.update(by_name[figure.contender].needs.get(figure.name, ()))
    return [kind for kind in every if kind.name in names]


def order_of(number: int, contenders: Sequence[Contender]) -> list[Contender]:
    """Turn every other round around: what always comes second would always find it warm."""
    return list(contenders) if number % 2 == 0 else list(reversed(contenders))


async def run_rounds(site: Site, contenders: Sequence[Contender]) -> Outcome:
    """Prepare all, then run the rounds; what fails is written down and the others go on."""
    outcome = Outcome()
    ready = [each for each in contenders if await _prepared(site, each, outcome)]
    failures = dict.fromkeys((each.name for each in ready), 0)
    for number in range(site.scale.rounds):
        site.say(f"Round {number + 1} of {site.scale.rounds}")
        for contender in order_of(number, ready):
            if failures[contender.name] >= _FAILURES_MAX:
                reason = f"not tried again after {_FAILURES_MAX} failures"
                outcome.samples.append(_failed(contender, number, 0, reason))
                continue
            sample = await _turn(site, contender, number)
            failures[contender.name] += sample.failure is not None
            outcome.samples.append(sample)
            site.say(f"  {_line(sample)}")
    return outcome


async def _prepared(site: Site, contender: Contender, outcome: Outcome) -> bool:
    site.say(f"Preparing {contender.name}")
    try:
        if contender.needs_kafka:
            _ = site.kafka
        async with asyncio.timeout(_PREPARE_S):
            await contender.prepare(site)
    except NotMeasured as error:
        outcome.absent[contender.name] = str(error)
    except Exception as error:  # noqa: BLE001 - named in the report; the others go on.
        outcome.absent[contender.name] = _text(error)
    else:
        return True
    site.say(f"  not measured: {outcome.absent[contender.name]}")
    return False


async def _turn(site: Site, contender: Contender, number: int) -> Sample:
    await site.settle()
    started_s = perf_counter()
    try:
        async with asyncio.timeout(contender.turn_s):
            measurement = await contender.measure(site, number)
    except TimeoutError:
        reason = f"its turn took longer than {contender.turn_s:.0f} s"
        return _failed(contender, number, perf_counter() - started_s, reason)
    except Exception as error:  # noqa: BLE001 - as above.
        return _failed(contender, number, perf_counter() - started_s, _text(error))
    return Sample(
        contender=contender.name,
        round=number,
        seconds=perf_counter() - started_s,
        measurement=measurement,
    )


def _failed(contender: Contender, number: int, seconds: float, reason: str) -> Sample:
    return Sample(
        contender=contender.name, round=number, seconds=seconds, measurement=None, failure=reason
    )


def _text(error: BaseException) -> str:
    """Describe an error; of a group the first member says what happened."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _text(inner[0]) if inner else f"{type(error).__name__}: {error}"


def _line(sample: Sample) -> str:
    if sample.measurement is None:
        return f"{sample.contender:<28} failed: {sample.failure}"
    measured = sample.measurement
    figures = [f"{name} {value:,.0f}" for name, value in measured.figures.items()]
    refused = [f"{name} refused: {reason}" for name, reason in measured.refused.items()]
    return f"{sample.contender:<28} {'; '.join(figures + refused)}"
