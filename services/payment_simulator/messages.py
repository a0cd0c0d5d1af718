"""Bodies of the simulator's HTTP interface."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, max_length=255)]


class Kind(StrEnum):
    """What an operation does."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"


class Status(StrEnum):
    """How an operation ended, which never changes; accepted: how is told later."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    ACCEPTED = "accepted"


class Amount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Minor units of a currency."""

    amount: Annotated[int, Meta(gt=0, lt=10**12)]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class AuthoriseBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold money on what the token stands for."""

    order_reference: Text
    amount: Amount
    token: Text
    external_reference: Text | None = None


class AmountBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Capture a part of what is held, release all the rest of it, or refund of what was taken."""

    amount: Amount


class Operation(Struct, frozen=True, kw_only=True):
    """What became of one key; a repeat gets the same bytes.

    `reference` names what a capture or refund made.
    """

    key: UUID
    kind: Kind
    status: Status
    amount: Amount
    authorisation_id: str | None
    reference: str | None = None
    capture_before: datetime | None = None
    decline_code: str | None = None


class LedgerItem(Struct, frozen=True, kw_only=True):
    """One authorisation that was asked for; `live` while money is held."""

    sequence: int
    id: str
    key: UUID
    order_id: str
    amount: int
    currency: str
    status: str
    live: bool
    decline_code: str | None
    captured: int
    released: int
    refunded: int
    release_key: UUID | None


class LedgerPage(Struct, frozen=True, kw_only=True):
    """A page of the ledger; `next_cursor` is null on the last."""

    items: list[LedgerItem]
    next_cursor: str | None


class ObjectItem(Struct, frozen=True, kw_only=True):
    """One authorisation, capture or refund that was asked for.

    `captured`, `released` and `refunded` are those of the whole authorisation.
    """

    sequence: int
    id: str
    kind: Kind
    key: UUID
    authorisation_id: str
    order_reference: str | None
    amount: int
    currency: str
    status: Status
    created_at: datetime
    captured: int
    released: int
    refunded: int


class ObjectPage(Struct, frozen=True, kw_only=True):
    """A page of objects, oldest first; `next_cursor` is null on the last."""

    items: list[ObjectItem]
    next_cursor: str | None


class WebhookBody(Struct, frozen=True, kw_only=True):
    """What a webhook says; its headers carry its id, its time and the signature."""

    type: str
    timestamp: datetime
    data: Operation


class Problem(Struct, frozen=True, kw_only=True):
    """Why a request was refused before it became an operation."""

    code: str
    detail: str
