"""What is kept of a failure: its class, code and place, and words free of what it failed on."""

import os
import socket
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from traceback import walk_tb
from typing import Final

from msgspec import Struct

from libs.foundation.clock import utc_now
from libs.foundation.messaging.poison import (
    Verdict,
    decoding_text,
    error_code,
    error_text,
    judge,
)
from libs.foundation.messaging.storable import storable
from libs.foundation.version import build

_ROOT: Final = f"{Path(__file__).resolve().parents[4]}{os.sep}"
# Every statement passes here, so that a frame of it tells nothing; its caller does.
_PLUMBING: Final = "libs/foundation/database/"


class FailureClass(StrEnum):
    """What a failure says about the message."""

    POISON = "poison"  # Bad by itself: no retry with the same code and data can pass.
    UNEXPLAINED = "unexplained"  # It failed alone, again and again, while others passed.
    ENVIRONMENT = "environment"  # Nothing; but an operator's retry came no further.
    REFUSED = "refused"  # The broker would not take it.


class Failure(Struct, frozen=True, kw_only=True):
    """One failed attempt; `type` is that of the exception and `frame` our first frame of it."""

    error_class: FailureClass
    code: str
    error: str
    at: datetime
    type: str | None = None
    frame: str | None = None

    @property
    def fingerprint(self) -> str:
        """What failures of one cause share; the code alone where nothing was raised."""
        if self.type is None:
            return self.code
        return self.type if self.frame is None else f"{self.type}@{self.frame}"


class Author(Struct, frozen=True, kw_only=True):
    """Which process of which release made an attempt."""

    process: str
    release: str


@cache
def author() -> Author:
    """Return this process and its release."""
    made_of = build()
    return Author(
        process=f"{socket.gethostname()}:{os.getpid()}",
        release=f"{made_of.version}+{made_of.commit[:12]}",
    )


def refused(code: str, error: str) -> Failure:
    """Describe a refusal that nothing was raised for."""
    return Failure(error_class=FailureClass.POISON, code=code, error=storable(error), at=utc_now())


def poison_of(error: BaseException, code: str) -> Failure:
    """Describe what made a message unreadable; the text says where, never what stands there."""
    return Failure(
        error_class=FailureClass.POISON,
        code=code,
        error=decoding_text(error),
        at=utc_now(),
        type=type(error).__qualname__,
        frame=first_own_frame(error),
    )


def failure_of(error: Exception) -> Failure:
    """Describe what a handler raised."""
    return Failure(
        error_class=_CLASSES[judge(error)],
        code=error_code(error),
        error=error_text(error),
        at=utc_now(),
        type=type(error).__qualname__,
        frame=first_own_frame(error),
    )


def refusal_of(error: Exception) -> Failure:
    """Describe why a broker does not take a record."""
    return Failure(
        error_class=FailureClass.REFUSED,
        code=type(error).__qualname__,
        error=storable(f"{type(error).__qualname__}: {error}"),
        at=utc_now(),
        type=type(error).__qualname__,
        frame=first_own_frame(error),
    )


def first_own_frame(error: BaseException) -> str | None:
    """Return `file:function` of the frame of ours that is nearest to where it was raised.

    Without line numbers: what moves a line must not make a new cause of an old one.
    """
    found: str | None = None
    for frame, _ in walk_tb(error.__traceback__):
        path = _own_path(frame.f_code.co_filename)
        if path is not None and (found is None or not path.startswith(_PLUMBING)):
            found = f"{path}:{frame.f_code.co_qualname}"
    return found


def _own_path(file: str) -> str | None:
    """Return the path inside this project; None for libraries, also those below its folder."""
    if not file.startswith(_ROOT) or "site-packages" in file:
        return None
    return file.removeprefix(_ROOT).replace(os.sep, "/")


_CLASSES: Final = {
    Verdict.POISON: FailureClass.POISON,
    Verdict.UNEXPLAINED: FailureClass.UNEXPLAINED,
    Verdict.ENVIRONMENT: FailureClass.ENVIRONMENT,
}
