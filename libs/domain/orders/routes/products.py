"""/v1/products: the catalogue of names and prices."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from libs.contracts.money import EXPONENTS
from libs.domain.orders.order_request import Sku, UnitPriceIn
from libs.domain.orders.placing_errors import CurrencyNotSupported
from libs.domain.orders.sql import products
from libs.domain.orders.sql.products import ProductRow, ProductValues
from libs.domain.orders.use_cases.put_product import create_product, read_product, replace_product
from libs.domain.orders.views import ProductList, ProductView, product_view
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.web.conditions import etag
from libs.foundation.web.cursors import Cursors
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, not_modified, reply
from libs.foundation.web.text import Text200, normalise

CATALOGUE_WRITE: Final = "catalogue:write"


class ProductIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without a price the product can only be sold at supplied prices."""

    name: Text200
    price: UnitPriceIn | None
    active: bool
    stock_tracked: bool

    def __post_init__(self) -> None:
        normalise(self, "name")


class ProductQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    active: bool | None = None
    cursor: Annotated[str, Meta(max_length=300)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


_DECODER: Final = msgspec.json.Decoder(ProductIn)
_PATH_TYPES: Final = {"sku": Sku}


class ProductRoutes:
    """Anybody with a token reads the catalogue; changing it needs catalogue:write."""

    def __init__(self, pool: Pool, cursors: Cursors, read_scopes: tuple[str, ...]) -> None:
        self._pool = pool
        self._cursors = cursors
        self._read_scopes = read_scopes

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="PUT",
                path="/v1/products/{sku:str}",
                handle=self.put,
                scopes=(CATALOGUE_WRITE,),
                summary="Create a product (If-None-Match: *) or replace one (If-Match)",
                body=ProductIn,
                path_types=_PATH_TYPES,
                answers={200: ProductView, 201: ProductView},
                request_headers=("If-Match", "If-None-Match"),
                answer_headers=("Location",),
                refusals=("currency-not-supported",),
            ),
            Endpoint(
                method="GET",
                path="/v1/products/{sku:str}",
                handle=self.get,
                scopes=self._read_scopes,
                summary="Read a product",
                path_types=_PATH_TYPES,
                answers={200: ProductView},
                request_headers=("If-None-Match",),
            ),
            Endpoint(
                method="GET",
                path="/v1/products",
                handle=self.list,
                scopes=self._read_scopes,
                summary="List products in the order of their SKUs",
                query=ProductQuery,
                answers={200: ProductList},
            ),
        )

    async def put(self, call: Call) -> Reply:
        sku = _sku(call)
        values = _values(await call.content(_DECODER))
        if call.may_only_create():
            async with transaction(self._pool) as tx:
                created = await create_product(tx, sku, values)
            return _reply(201, created, Location=f"/v1/products/{sku}")
        expected = call.expected_version()
        async with transaction(self._pool) as tx:
            replaced = await replace_product(tx, sku, values, expected)
        return _reply(200, replaced)

    async def get(self, call: Call) -> Reply:
        async with transaction(self._pool) as tx:
            row = await read_product(tx, _sku(call))
        if call.has(row.version):
            return not_modified(etag(row.version))
        return _reply(200, row)

    async def list(self, call: Call) -> Reply:
        query = call.query(ProductQuery)
        scope = f"products active={query.active}"
        after = "" if query.cursor is None else self._cursors.position(scope, query.cursor)
        async with transaction(self._pool) as tx:
            rows = await products.page(tx, after, active=query.active, rows_max=query.limit + 1)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        next_cursor = self._cursors.sign(scope, shown[-1].sku) if more else None
        content = ProductList(items=[product_view(row) for row in shown], next_cursor=next_cursor)
        return reply(200, content)


def _sku(call: Call) -> str:
    try:
        return msgspec.convert(call.path("sku", str), Sku)
    except msgspec.ValidationError:
        raise NotFound("product") from None


def _values(product: ProductIn) -> ProductValues:
    price = product.price
    if price is not None and price.currency not in EXPONENTS:
        raise CurrencyNotSupported(price.currency)
    return ProductValues(
        name=product.name,
        price_minor=None if price is None else price.amount,
        currency=None if price is None else price.currency,
        active=product.active,
        stock_tracked=product.stock_tracked,
    )


def _reply(status: int, row: ProductRow, **headers: str) -> Reply:
    return reply(status, product_view(row), ETag=etag(row.version), **headers)
