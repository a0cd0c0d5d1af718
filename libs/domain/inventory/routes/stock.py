"""/v1/stock: what there is of a SKU, how it came to that, and correcting it."""

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from libs.domain.inventory.sql import movements, stock
from libs.domain.inventory.sql.movements import RecordedMovement
from libs.domain.inventory.use_cases.adjust_stock import (
    Adjustment,
    AdjustmentReason,
    adjust_stock,
)
from libs.foundation.clock import rfc3339
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.web.cursors import Cursors
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.idempotency import once
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, reply
from libs.foundation.web.text import Text200, normalise

READ: Final = "stock:read"
WRITE: Final = "stock:write"
DELTA_MAX: Final = 1_000_000

Sku: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")
]


class AdjustmentIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A difference: an absolute count would race with sales."""

    delta: Annotated[
        int, Meta(ge=-DELTA_MAX, le=DELTA_MAX, extra_json_schema={"not": {"const": 0}})
    ]
    reason: AdjustmentReason
    note: Text200 | None = None

    def __post_init__(self) -> None:
        if self.delta == 0:
            raise ValueError("delta must not be 0")
        normalise(self, "note")


class MovementQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cursor: Annotated[str, Meta(max_length=300)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class StockView(Struct, frozen=True, kw_only=True):
    sku: str
    on_hand: int
    reserved: int
    available: int


class MovementView(Struct, frozen=True, kw_only=True):
    """`reference` is the id of the adjustment, order, cancellation, shipment or refund."""

    id: UUID
    sku: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    reference: UUID
    reason: str | None
    note: str | None
    at: str


class MovementList(Struct, frozen=True, kw_only=True):
    items: list[MovementView]
    next_cursor: str | None


_DECODER: Final = msgspec.json.Decoder(AdjustmentIn)
_PATH_TYPES: Final = {"sku": Sku}


class StockRoutes:
    """Stock is changed here by people and their systems, and by reservations; in no other way."""

    def __init__(self, pool: Pool, cursors: Cursors) -> None:
        self._pool = pool
        self._cursors = cursors

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="GET",
                path="/v1/stock/{sku:str}",
                handle=self.get,
                scopes=(READ,),
                summary="Read the stock of a SKU; one that was never adjusted has zeros",
                path_types=_PATH_TYPES,
                answers={200: StockView},
            ),
            Endpoint(
                method="GET",
                path="/v1/stock/{sku:str}/movements",
                handle=self.movements,
                scopes=(READ,),
                summary="Read how the stock of a SKU changed, the latest first",
                query=MovementQuery,
                path_types=_PATH_TYPES,
                answers={200: MovementList},
            ),
            Endpoint(
                method="POST",
                path="/v1/stock/{sku:str}/adjustments",
                handle=self.adjust,
                scopes=(WRITE,),
                summary="Correct the pieces on hand of a SKU by a difference",
                body=AdjustmentIn,
                path_types=_PATH_TYPES,
                answers={201: Adjustment},
                request_headers=("Idempotency-Key",),
                refusals=(
                    "stock-reserved",
                    "stock-limit-exceeded",
                ),
            ),
        )

    async def get(self, call: Call) -> Reply:
        async with transaction(self._pool) as tx:
            level = await stock.read(tx, _sku(call))
        view = StockView(
            sku=level.sku,
            on_hand=level.on_hand,
            reserved=level.reserved,
            available=level.available,
        )
        return reply(200, view)

    async def movements(self, call: Call) -> Reply:
        sku, query = _sku(call), call.query(MovementQuery)
        scope = f"movements {sku}"
        before = movements.LATEST
        if query.cursor is not None:
            before = UUID(self._cursors.position(scope, query.cursor))
        async with transaction(self._pool) as tx:
            rows = await movements.page(tx, sku, before, query.limit + 1)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        content = MovementList(
            items=[_view(row) for row in shown],
            next_cursor=self._cursors.sign(scope, str(shown[-1].id)) if more else None,
        )
        return reply(200, content)

    async def adjust(self, call: Call) -> Reply:
        sku, wanted = _sku(call), await call.content(_DECODER)
        claim = call.claim(wanted)
        async with transaction(self._pool) as tx:
            return await once(tx, claim, lambda: _adjusted(tx, sku, wanted))


async def _adjusted(tx: Transaction, sku: str, wanted: AdjustmentIn) -> Reply:
    return reply(201, await adjust_stock(tx, sku, wanted.delta, wanted.reason, wanted.note))


def _sku(call: Call) -> str:
    try:
        return msgspec.convert(call.path("sku", str), Sku)
    except msgspec.ValidationError:
        raise NotFound("SKU") from None


def _view(row: RecordedMovement) -> MovementView:
    return MovementView(
        id=row.id,
        sku=row.sku,
        kind=row.kind.value,
        on_hand_delta=row.on_hand_delta,
        reserved_delta=row.reserved_delta,
        reference=row.reference,
        reason=row.reason,
        note=row.note,
        at=rfc3339(row.at),
    )
