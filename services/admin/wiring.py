"""Puts the operators' routes behind the layers every request passes."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from litestar.types import ASGIApp

from libs.domain.operations.installation import EXPECTED, READERS
from libs.domain.operations.order_routes import OrderInspectionRoutes
from libs.foundation.administration.parked_routes import ParkedRoutes
from libs.foundation.administration.problem_types import ADMINISTRATION_PROBLEMS
from libs.foundation.administration.replay_routes import ReplayRoutes
from libs.foundation.administration.request_routes import RequestRoutes
from libs.foundation.administration.scopes import ACT, READ
from libs.foundation.administration.status_routes import Installation, StatusRoutes
from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.runtime.readiness import Check
from libs.foundation.version import build
from libs.foundation.web.admission import Admission
from libs.foundation.web.application import Access, Limits, application
from libs.foundation.web.bearer.authenticator import open_authenticator
from libs.foundation.web.endpoint import Endpoint
from libs.foundation.web.openapi import describe
from libs.foundation.web.pages import openapi_route, problem_routes
from libs.foundation.web.pressure import AdmissionSettings, Pressure
from libs.foundation.web.problem_types import WEB_PROBLEMS, catalogue
from libs.foundation.web.problems import Problems
from libs.foundation.web.protection import Protection
from libs.foundation.web.telemetry import Telemetry
from services.admin.settings import AdminSettings

TITLE: Final = "Orderly, for operators"
PROBLEMS: Final = catalogue(WEB_PROBLEMS, ADMINISTRATION_PROBLEMS)
ReadyWhen: TypeAlias = Callable[[Check], None]
_SCOPES: Final = frozenset({READ, ACT})
_OPEN_TO: Final = {"customer": frozenset[str](), "staff": _SCOPES, "machine": _SCOPES}
# Operators are let in whatever the pressure is: they come because of it.
_UNPRESSED: Final = AdmissionSettings()


@asynccontextmanager
async def open_application(
    settings: AdminSettings, ready_when: ReadyWhen
) -> AsyncGenerator[ASGIApp]:
    """Open the pool and yield the application."""
    installation = Installation(
        database=settings.database, kafka=settings.kafka, expected=EXPECTED, readers=READERS
    )
    async with (
        open_pool(settings.database, "admin") as pool,
        open_authenticator(settings.authentication, _OPEN_TO) as authenticator,
    ):
        ready_when(authenticator.readiness)
        access = Access(authenticator=authenticator, quotas=None)
        inner = _inner(settings, endpoints_of(pool, installation), access)
        yield _layered(settings, inner, pool)


def _inner(settings: AdminSettings, endpoints: Sequence[Endpoint], access: Access) -> ASGIApp:
    return application(
        endpoints,
        public=[openapi_route(described(endpoints)), *problem_routes(PROBLEMS)],
        access=access,
        problems=Problems(settings.problem_types_url),
        limits=Limits(body_bytes_max=settings.body_bytes_max, deadline_ms=settings.deadline_ms),
    )


def _layered(settings: AdminSettings, inner: ASGIApp, pool: Pool) -> ASGIApp:
    return Admission(
        Telemetry(Protection(inner), settings.access_log_ratio),
        Problems(settings.problem_types_url),
        doors={},
        pressure=Pressure(_UNPRESSED),
        settings=_UNPRESSED,
        pool_waiting=lambda: pool.get_stats().get("requests_waiting", 0),
        in_flight_max=settings.in_flight_max,
    )


def described(endpoints: Sequence[Endpoint]) -> bytes:
    """Return the OpenAPI document of the operators' interface."""
    return describe(TITLE, build().version, endpoints, [], PROBLEMS)


def endpoints_of(pool: Pool, installation: Installation) -> tuple[Endpoint, ...]:
    """Return every endpoint, in the order of the description."""
    return (
        *StatusRoutes(pool, installation).endpoints(),
        *ParkedRoutes(pool).endpoints(),
        *RequestRoutes(pool).endpoints(),
        *ReplayRoutes(pool).endpoints(),
        *OrderInspectionRoutes(pool, installation.kafka).endpoints(),
    )
