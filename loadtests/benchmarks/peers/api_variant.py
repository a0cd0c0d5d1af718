"""Runs Orderly's API with one part taken out: `api_variant without_telemetry`.

What is taken out is replaced before the API's modules import it, so that nothing in the product
has a switch which only a benchmark would turn.
"""

import runpy
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Final

from litestar.types import ASGIApp

from libs.foundation.observability import metrics
from libs.foundation.runtime.readiness import READY, Readiness
from libs.foundation.web import telemetry
from libs.foundation.web.authentication import Principal
from libs.foundation.web.bearer import authenticator

_SCOPES: Final = frozenset({"orders:place", "orders:checkout"})


class _Inert:
    """A metric of any kind, with labels or without, that keeps nothing."""

    def of(self, *values: str) -> "_Inert":
        del values
        return self

    def inc(self, amount: float = 1) -> None:
        del amount

    def set(self, value: float) -> None:
        del value

    def observe(self, amount: float) -> None:
        del amount

    def time(self) -> AbstractContextManager[None]:
        return nullcontext()


class _BelievesEverybody:
    """Stands where tokens are checked."""

    def __init__(self) -> None:
        self._checkout = Principal(kind="machine", name="bench", scopes=_SCOPES)

    async def authenticate(self, authorization: Sequence[str]) -> Principal:
        del authorization
        return self._checkout

    def readiness(self) -> Readiness:
        return READY


def without_telemetry() -> None:
    def inert(*declaration: object, **options: object) -> _Inert:
        del declaration, options
        return _Inert()

    def straight_through(next_layer: ASGIApp, log_ratio: float) -> ASGIApp:
        del log_ratio
        return next_layer

    for kind in ("counter", "counter_by", "gauge", "gauge_by", "histogram", "histogram_by"):
        _replace(metrics, kind, inert)
    _replace(telemetry, "Telemetry", straight_through)


def without_authentication() -> None:
    @asynccontextmanager
    async def unlocked(*settings: object) -> AsyncGenerator[_BelievesEverybody]:
        del settings
        yield _BelievesEverybody()

    _replace(authenticator, "open_authenticator", unlocked)


def _replace(module: object, name: str, stand_in: object) -> None:
    """Replace a name that exists: a part that was renamed must not be measured as left out."""
    if not hasattr(module, name):
        raise AttributeError(f"{module} has no {name} any more: correct the variant")
    setattr(module, name, stand_in)


VARIANTS: Final[dict[str, Callable[[], None]]] = {
    "without_telemetry": without_telemetry,
    "without_authentication": without_authentication,
}

if __name__ == "__main__":
    VARIANTS[sys.argv[1]]()
    runpy.run_module("services.api", run_name="__main__", alter_sys=True)
