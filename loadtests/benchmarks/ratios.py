"""Turns the samples of all rounds into one ratio per row: the median of the rounds' ratios."""

from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import Struct

from loadtests.benchmarks.measurement import Sample
from loadtests.benchmarks.rows import Figure, Row


class RowResult(Struct, frozen=True, kw_only=True):
    """A row's ratio in each round, and what becomes of them; None where there is no figure."""

    ratios: list[float]
    """One for each round in which both sides have a figure."""
    median: float | None
    lowest: float | None
    highest: float | None
    spread: float | None
    """(highest - lowest) / median."""
    met: bool | None
    reasons: list[str]
    """Why a figure is missing in a round, or altogether."""


def result_of(
    row: Row, samples: Sequence[Sample], absent: Mapping[str, str], rounds: int
) -> RowResult:
    """Divide within each round only: a busy minute must trouble both sides of a ratio.

    `absent` says of contenders that never ran why. A row that fewer than half of the rounds
    have a ratio for has no median.
    """
    ratios: list[float] = []
    for number in range(rounds):
        over = _figure(row.over, number, samples)
        under = _figure(row.under, number, samples)
        if over is not None and under:
            ratios.append(over / under)
    needed = 1 if row.once else (rounds + 1) // 2
    reasons = _reasons(row, samples, absent)
    if len(ratios) < needed:
        if not reasons:
            reasons = [f"{len(ratios)} of {rounds} rounds have both figures, {needed} are needed"]
        return _nothing(ratios, reasons)
    middle = median(ratios)
    return RowResult(
        ratios=ratios,
        median=middle,
        lowest=min(ratios),
        highest=max(ratios),
        spread=(max(ratios) - min(ratios)) / middle if middle else 0.0,
        met=row.meets(middle),
        reasons=reasons,
    )


def _nothing(ratios: list[float], reasons: list[str]) -> RowResult:
    return RowResult(
        ratios=ratios,
        median=None,
        lowest=None,
        highest=None,
        spread=None,
        met=None,
        reasons=reasons,
    )


def _figure(figure: Figure, number: int, samples: Sequence[Sample]) -> float | None:
    for sample in samples:
        if (sample.contender, sample.round) == (figure.contender, number) and sample.measurement:
            return sample.measurement.figures.get(figure.name)
    return None


def _reasons(row: Row, samples: Sequence[Sample], absent: Mapping[str, str]) -> list[str]:
    found: dict[str, None] = {}
    for figure in (row.over, row.under):
        if figure.contender in absent:
            found[f"{figure.contender}: {absent[figure.contender]}"] = None
        for sample in samples:
            if sample.contender != figure.contender:
                continue
            reason = sample.failure
            if sample.measurement is not None:
                reason = sample.measurement.refused.get(figure.name)
            if reason is not None:
                found[f"{_named(figure)}, round {sample.round + 1}: {reason.strip()}"] = None
    return list(found)


def _named(figure: Figure) -> str:
    """Name what a contender of several figures could not measure."""
    only = figure.name == Figure(figure.contender).name
    return figure.contender if only else f"{figure.contender} {figure.name}"
