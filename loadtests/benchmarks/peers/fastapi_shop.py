"""The peer of the API: FastAPI and SQLAlchemy, one transaction a request, on Orderly's tables.

Written as its documentation teaches it, with the settings that make it fastest; it checks and
writes what POST /v1/orders does for the body that the load generator sends.
"""

import hashlib
import hmac
import os
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from libs.foundation.ids import new_id
from libs.foundation.messaging.partitions import partition_of
from loadtests.benchmarks.peers import fastapi_rows as rows
from loadtests.benchmarks.peers.fastapi_bodies import LineOut, MoneyOut, OrderIn, OrderOut

_PARTITIONS: Final = 12
_TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
_TOKEN_SHA256: Final = os.environ.get("BENCH_TOKEN_SHA256", "")
_URL: Final = os.environ.get("BENCH_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

_engine = create_async_engine(
    _URL.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=20, max_overflow=0
)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)
_bearer = HTTPBearer()
application = FastAPI(openapi_url=None)


async def session() -> AsyncGenerator[AsyncSession]:
    async with _sessions() as opened:
        yield opened


def caller(credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> str:
    digest = hashlib.sha256(credentials.credentials.encode()).hexdigest()
    if not hmac.compare_digest(digest, _TOKEN_SHA256):
        raise HTTPException(401, "invalid-token")
    return "machine:bench"


@application.post("/v1/orders", status_code=201, response_model=None)
async def place_order(
    body: OrderIn,
    principal: Annotated[str, Depends(caller)],
    key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)],
    database: Annotated[AsyncSession, Depends(session)],
) -> Response:
    fingerprint = hashlib.sha256(body.model_dump_json().encode()).digest()
    async with database.begin():  # Ends before the answer: what is answered is committed.
        known = await database.get(rows.IdempotencyKey, (principal, "POST", "/v1/orders", key))
        if known is not None:
            return _repeated(known, fingerprint)
        order = _order(body, await _products(database, body))
        database.add(order)
        await database.flush()  # Draws the number, which the answer shows.
        answer = _answer(order).model_dump_json().encode()
        headers = {"ETag": '"1"', "Location": f"/v1/orders/{order.id}"}
        database.add(_saga(order, body))
        database.add(_timeline(order, answer))
        database.add_all(_messages(order, answer))
        database.add(
            rows.IdempotencyKey(
                principal=principal,
                method="POST",
                route="/v1/orders",
                key=key,
                fingerprint=fingerprint,
                status=201,
                headers=headers,
                body=answer,
            )
        )
    return Response(answer, 201, headers, "application/json")


def _repeated(known: rows.IdempotencyKey, fingerprint: bytes) -> Response:
    if known.fingerprint != fingerprint:
        raise HTTPException(422, "idempotency-key-reused")
    return Response(known.body, known.status or 201, known.headers, "application/json")


async def _products(database: AsyncSession, body: OrderIn) -> dict[str, rows.Product]:
    wanted = {line.sku for line in body.lines}
    found = await database.scalars(select(rows.Product).where(rows.Product.sku.in_(wanted)))
    products = {product.sku: product for product in found}
    for sku in wanted:
        product = products.get(sku)
        if product is None:
            raise HTTPException(422, f"unknown-sku: {sku}")
        if not product.active:
            raise HTTPException(422, f"sku-inactive: {sku}")
        if product.price_minor is None:
            raise HTTPException(422, f"price-missing: {sku}")
        if product.currency != body.currency:
            raise HTTPException(422, f"currency-mismatch: {sku}")
    return products


def _order(body: OrderIn, products: dict[str, rows.Product]) -> rows.Order:
    order_id = new_id()
    lines = [
        rows.OrderLine(
            order_id=order_id,
            line_no=number,
            sku=line.sku,
            name=products[line.sku].name,
            quantity=line.quantity,
            stock_tracked=products[line.sku].stock_tracked,
            unit_price_minor=products[line.sku].price_minor or 0,
            total_minor=(products[line.sku].price_minor or 0) * line.quantity,
        )
        for number, line in enumerate(body.lines, 1)
    ]
    total = sum(line.total_minor for line in lines)
    return rows.Order(
        id=order_id,
        customer_id=body.customer_id,
        currency=body.currency,
        subtotal_minor=total,
        total_minor=total,
        payment_provider=body.payment.source.provider,
        payment_source_kind=body.payment.source.kind,
        lines=lines,
    )


def _saga(order: rows.Order, body: OrderIn) -> rows.Saga:
    return rows.Saga(order_id=order.id, payment_source=body.payment.source.model_dump())


def _timeline(order: rows.Order, data: bytes) -> rows.TimelineEntry:
    return rows.TimelineEntry(
        order_id=order.id, sequence=1, type="orders.order_placed.v1", data=data
    )


def _messages(order: rows.Order, placed: bytes) -> list[rows.OutboxRow]:
    reserve = ",".join(f'{{"sku":"{line.sku}","quantity":{line.quantity}}}' for line in order.lines)
    command = f'{{"order_id":"{order.id}","items":[{reserve}]}}'.encode()
    about: dict[str, Any] = {
        "aggregatetype": "order",
        "aggregateid": str(order.id),
        "partition": partition_of(str(order.id), _PARTITIONS),
        "source": "/orderly/orders",
        "traceparent": _TRACEPARENT,
    }
    return [
        rows.OutboxRow(
            id=new_id(),
            type="orders.order_placed.v1",
            topic="orders.events",
            sequence=1,
            payload=placed,
            **about,
        ),
        rows.OutboxRow(
            id=new_id(),
            type="inventory.reserve_stock.v1",
            topic="inventory.commands",
            sequence=None,
            payload=command,
            **about,
        ),
    ]


def _answer(order: rows.Order) -> OrderOut:
    def money(amount: int) -> MoneyOut:
        return MoneyOut(amount=amount, currency=order.currency)

    return OrderOut(
        id=order.id,
        number=str(order.number),
        customer_id=order.customer_id,
        status=order.status,
        version=order.version,
        currency=order.currency,
        lines=[
            LineOut(
                line_no=line.line_no,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=money(line.unit_price_minor),
                total=money(line.total_minor),
            )
            for line in order.lines
        ],
        total=money(order.total_minor),
    )
