"""One thing that was looked at, how it is, and what helps."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """How a thing is; only `broken` counts for an exit code."""

    OK = "ok"
    NOTE = "note"  # It works, and somebody should know.
    BROKEN = "broken"  # Something is lost, refused or about to be.
    UNKNOWN = "unknown"  # It could not be looked at.


class Finding(Struct, frozen=True, kw_only=True):
    """`remedy` is what a person does about it; None when there is nothing to do."""

    check: str
    verdict: Verdict
    found: str
    remedy: str | None = None


def ok(check: str, found: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, found=found)


def note(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.NOTE, found=found, remedy=remedy)


def broken(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.BROKEN, found=found, remedy=remedy)


def unknown(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.UNKNOWN, found=found, remedy=remedy)
