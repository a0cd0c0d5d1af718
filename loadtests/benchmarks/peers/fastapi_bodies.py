"""What the FastAPI peer takes and answers, as pydantic models with the API's bounds."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.fields import Field

Sku = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CustomerId = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f-\xa0]+$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LineIn(_Strict):
    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=9_999)]


class SourceIn(_Strict):
    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
    kind: Literal["token", "authorisation"]
    value: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class PaymentIn(_Strict):
    source: SourceIn


class OrderIn(_Strict):
    """The body of POST /v1/orders, as far as the load generator uses it."""

    currency: Currency
    customer_id: CustomerId | None = None
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=200)]
    payment: PaymentIn


class MoneyOut(BaseModel):
    amount: int
    currency: str


class LineOut(BaseModel):
    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: MoneyOut
    total: MoneyOut


class OrderOut(BaseModel):
    id: UUID
    number: str
    customer_id: str | None
    status: str
    version: int
    currency: str
    lines: list[LineOut]
    total: MoneyOut
