"""When a figure says more about the load generator than about what it loads."""

from typing import Final

GENERATOR_CORES_MAX: Final = 0.9
"""A generator of one thread that is busier than this may be the bottleneck itself."""
OFFERED_SHARE_MIN: Final = 0.99
OTHER_ANSWERS_MAX: Final = 0.01
COUNT_DIFFERENCE_MAX: Final = 0.02


def busy_generator(cores: float) -> str | None:
    """Refuse what a saturated generator measured."""
    if cores <= GENERATOR_CORES_MAX:
        return None
    return (
        f"the generator took {cores:.2f} of a core: it was the bottleneck, or close to it"
        f" (at most {GENERATOR_CORES_MAX})"
    )


def missed_load(wanted: float, offered: float) -> str | None:
    """Refuse a figure under a load that was not reached."""
    if offered >= wanted * OFFERED_SHARE_MIN:
        return None
    return f"offered {offered:,.0f}/s instead of {wanted:,.0f}/s"


def other_answers(accepted: int, other: int) -> str | None:
    """Refuse a rate of acceptance when too many answers were something else."""
    total = accepted + other
    if total and other / total <= OTHER_ANSWERS_MAX:
        return None
    return f"{other:,} of {total:,} answers were no acceptance"


def uncounted(reported: float, written: float, tolerated: float) -> str | None:
    """Refuse a rate when the database holds less than was answered.

    `tolerated` is what may be in flight when the load ends, on top of a small share.
    """
    if abs(reported - written) <= tolerated + reported * COUNT_DIFFERENCE_MAX:
        return None
    return f"{reported:,.0f} were answered and {written:,.0f} are in the database"


def first(*refusals: str | None) -> str | None:
    """Return the first reason to refuse, if there is one."""
    return next((refusal for refusal in refusals if refusal is not None), None)
