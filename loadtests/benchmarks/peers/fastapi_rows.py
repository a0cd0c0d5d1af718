"""Orderly's tables as the FastAPI peer maps them: the columns it reads or writes."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary, Sequence, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

_NUMBERS: Final = Sequence("order_numbers", schema="orders")


def _now() -> datetime:
    return datetime.now(UTC)


def _deadline() -> datetime:
    return _now() + timedelta(minutes=15)


class Row(DeclarativeBase):
    """Maps Python types as the migrations chose them."""

    type_annotation_map = {  # noqa: RUF012 - declared so by SQLAlchemy.
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


class Product(Row):
    __tablename__ = "products"
    __table_args__ = {"schema": "orders"}  # noqa: RUF012 - as above, here and below.

    sku: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price_minor: Mapped[int | None]
    currency: Mapped[str | None]
    active: Mapped[bool]
    stock_tracked: Mapped[bool]


class OrderLine(Row):
    __tablename__ = "order_lines"
    __table_args__ = {"schema": "orders"}  # noqa: RUF012

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.orders.id"), primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sku: Mapped[str]
    name: Mapped[str]
    quantity: Mapped[int]
    stock_tracked: Mapped[bool]
    unit_price_minor: Mapped[int]
    discount_minor: Mapped[int] = mapped_column(default=0)
    tax_minor: Mapped[int] = mapped_column(default=0)
    total_minor: Mapped[int]


class Order(Row):
    __tablename__ = "orders"
    __table_args__ = {"schema": "orders"}  # noqa: RUF012
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 - the number, with RETURNING.

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(_NUMBERS, server_default=_NUMBERS.next_value())
    customer_id: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="pending")
    version: Mapped[int] = mapped_column(default=1)
    currency: Mapped[str]
    taxes_included: Mapped[bool] = mapped_column(default=True)
    subtotal_minor: Mapped[int]
    discount_minor: Mapped[int] = mapped_column(default=0)
    tax_minor: Mapped[int] = mapped_column(default=0)
    total_minor: Mapped[int]
    payment_provider: Mapped[str]
    payment_source_kind: Mapped[str]
    placed_at: Mapped[datetime] = mapped_column(default=_now)
    lines: Mapped[list[OrderLine]] = relationship(lazy="raise")


class TimelineEntry(Row):
    __tablename__ = "timeline"
    __table_args__ = {"schema": "orders"}  # noqa: RUF012

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=_now)
    actor_kind: Mapped[str] = mapped_column(default="machine")
    actor_id: Mapped[str | None] = mapped_column(default="bench")
    data: Mapped[bytes]


class Saga(Row):
    __tablename__ = "sagas"
    __table_args__ = {"schema": "orders"}  # noqa: RUF012

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(default="reserve")
    deadline_at: Mapped[datetime | None] = mapped_column(default=_deadline)
    payment_source: Mapped[dict[str, Any]]
    reserve_sent: Mapped[bool] = mapped_column(default=True)


class OutboxRow(Row):
    """Identified by its id here: what the database sets must not be read back."""

    __tablename__ = "outbox"
    __table_args__ = {"schema": "messaging"}  # noqa: RUF012

    id: Mapped[UUID] = mapped_column(primary_key=True)
    aggregatetype: Mapped[str]
    aggregateid: Mapped[str]
    type: Mapped[str]
    topic: Mapped[str]
    partition: Mapped[int]
    source: Mapped[str]
    sequence: Mapped[int | None]
    occurred_at: Mapped[datetime] = mapped_column(default=_now)
    traceparent: Mapped[str | None]
    payload: Mapped[bytes]


class IdempotencyKey(Row):
    __tablename__ = "idempotency_keys"
    __table_args__ = {"schema": "web"}  # noqa: RUF012

    principal: Mapped[str] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]
