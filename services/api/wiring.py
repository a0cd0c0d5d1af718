"""Puts the contexts' routes behind the layers every request passes."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeAlias

from litestar.types import ASGIApp
from msgspec.structs import replace

from libs.domain.inventory.routes.stock import StockRoutes
from libs.domain.orders.oldest_waiting import OldestWaiting
from libs.domain.orders.routes.attention import AttentionRoutes
from libs.domain.orders.routes.orders import CANCEL, OrderRoutes
from libs.domain.orders.routes.placing import CHECKOUT, PATH, PLACE, PlacingRoute
from libs.domain.orders.routes.products import ProductRoutes
from libs.domain.orders.routes.refunds import RefundRoutes
from libs.domain.orders.routes.shipments import ShipmentRoutes
from libs.domain.orders.use_cases.read_orders import READ, READ_CONTACTS
from libs.domain.payments.provider_names import SIMULATOR
from libs.domain.payments.routes.webhooks import WebhookRoute
from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.runtime.readiness import Check
from libs.foundation.version import build
from libs.foundation.web.admission import Admission
from libs.foundation.web.application import Access, Limits, application
from libs.foundation.web.bearer.authenticator import open_authenticator
from libs.foundation.web.cursors import Cursors
from libs.foundation.web.endpoint import Endpoint
from libs.foundation.web.openapi import describe
from libs.foundation.web.pages import openapi_route, problem_routes, reference_routes
from libs.foundation.web.pressure_watch import PressureWatch, watching
from libs.foundation.web.problems import Problems
from libs.foundation.web.protection import Protection
from libs.foundation.web.public import PublicEndpoint, public_route
from libs.foundation.web.quotas.quotas import open_quotas
from libs.foundation.web.telemetry import Telemetry
from libs.foundation.web.webhook_signatures import WebhookSignatures
from services.api.problem_types import PROBLEMS
from services.api.settings import ApiSettings

_TITLE: Final = "Orderly"
_OF_CUSTOMERS: Final = frozenset({PLACE, READ, CANCEL, READ_CONTACTS})
ReadyWhen: TypeAlias = Callable[[Check], None]
# A flush divides at most log2(128) = 7 times behind one locked row, each try waiting this share.
_FLUSH_LOCK_SHARE: Final = 8


@asynccontextmanager
async def open_application(settings: ApiSettings, ready_when: ReadyWhen) -> AsyncGenerator[ASGIApp]:
    """Open the pools, yield the application, and answer what it accepted before closing them."""
    async with (
        open_pool(settings.database, "api") as pool,
        _open_placing_pool(settings) as placing_pool,
        watching(settings.database, OldestWaiting(), settings.admission) as watch,
    ):
        ready_when(watch.readiness)
        placing = PlacingRoute(placing_pool, settings.group_commit)
        endpoints = endpoints_of(pool, placing, Cursors(settings.cursor_secret.reveal()))
        async with _open_access(settings, endpoints, ready_when) as access:
            inner = _inner(settings, endpoints, _webhooks(settings, pool), access)
            yield _layered(settings, inner, pool, placing, watch)
            await placing.drained()


@asynccontextmanager
async def _open_access(
    settings: ApiSettings, endpoints: Sequence[Endpoint], ready_when: ReadyWhen
) -> AsyncGenerator[Access]:
    """Say which kinds of principals there are, what each may have, and how often each may ask."""
    every_scope = frozenset(scope for each in endpoints for scope in each.scopes) | {READ_CONTACTS}
    open_to = {"customer": _OF_CUSTOMERS, "staff": every_scope, "machine": every_scope}
    quotas_by_kind = {
        "customer": settings.quota_customer,
        "staff": settings.quota_staff,
        "machine": settings.quota_machine,
    }
    async with (
        open_authenticator(settings.authentication, open_to) as authenticator,
        open_quotas(settings.database, quotas_by_kind) as quotas,
    ):
        ready_when(authenticator.readiness)
        yield Access(authenticator=authenticator, quotas=quotas)


def _open_placing_pool(settings: ApiSettings) -> AbstractAsyncContextManager[Pool]:
    """Give flushes connections of their own, so that reads never take them."""
    commits = settings.group_commit
    database = replace(
        settings.database,
        pool_size_max=commits.flushes_max,
        lock_timeout_ms=max(1, commits.twin_wait_ms // _FLUSH_LOCK_SHARE),
    )
    return open_pool(database, "api-placing", by_key=True)


def _inner(
    settings: ApiSettings,
    endpoints: Sequence[Endpoint],
    webhooks: PublicEndpoint,
    access: Access,
) -> ASGIApp:
    problems = Problems(settings.problem_types_url)
    return application(
        endpoints,
        public=[
            openapi_route(described(endpoints, [webhooks])),
            *problem_routes(PROBLEMS),
            *(reference_routes(_TITLE) if settings.reference_page else ()),
            public_route(webhooks, problems, deadline_ms=settings.deadline_ms),
        ],
        access=access,
        problems=problems,
        limits=Limits(body_bytes_max=settings.body_bytes_max, deadline_ms=settings.deadline_ms),
    )


def _layered(
    settings: ApiSettings, inner: ASGIApp, pool: Pool, placing: PlacingRoute, watch: PressureWatch
) -> ASGIApp:
    return Admission(
        Telemetry(Protection(inner), settings.access_log_ratio),
        Problems(settings.problem_types_url),
        doors={("POST", PATH): lambda: placing.full},
        pressure=watch.pressure,
        settings=settings.admission,
        pool_waiting=lambda: pool.get_stats().get("requests_waiting", 0),
        in_flight_max=settings.in_flight_max,
    )


def _webhooks(settings: ApiSettings, pool: Pool) -> PublicEndpoint:
    secrets = {SIMULATOR: settings.simulator_webhook_secrets}
    signatures = {name: WebhookSignatures(each) for name, each in secrets.items() if each}
    return WebhookRoute(pool, signatures).endpoint()


def described(endpoints: Sequence[Endpoint], public: Sequence[PublicEndpoint]) -> bytes:
    """Return the OpenAPI document of the API."""
    return describe(_TITLE, build().version, endpoints, public, PROBLEMS)


def endpoints_of(pool: Pool, placing: PlacingRoute, cursors: Cursors) -> tuple[Endpoint, ...]:
    """Return every endpoint of the API, in the order of its description."""
    return (
        placing.endpoint(),
        *OrderRoutes(pool, cursors).endpoints(),
        *ShipmentRoutes(pool).endpoints(),
        *RefundRoutes(pool).endpoints(),
        *AttentionRoutes(pool).endpoints(),
        *ProductRoutes(pool, cursors, read_scopes=(READ, PLACE, CHECKOUT)).endpoints(),
        *StockRoutes(pool, cursors).endpoints(),
    )
