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
    RELEASE = "release"


class Status(StrEnum):
    """How an operation ended; it never changes."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"


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


class ReleaseBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give held money free; only the whole of it."""

    amount: Amount


class Operation(Struct, frozen=True, kw_only=True):
    """What became of one key; a repeat gets the same bytes."""

    key: UUID
    kind: Kind
    status: Status
    amount: Amount
    authorisation_id: str | None
    capture_before: datetime | None = None
    decline_code: str | None = None


class LedgerItem(Struct, frozen=True, kw_only=True):
    """One authorisation that was asked for; `live` while the money is held."""

    sequence: int
    id: str
    key: UUID
    order_id: str
    amount: int
    currency: str
    status: str
    live: bool
    decline_code: str | None
    released: int
    release_key: UUID | None


class LedgerPage(Struct, frozen=True, kw_only=True):
    """A page of the ledger; `next_cursor` is null on the last."""

    items: list[LedgerItem]
    next_cursor: str | None


class Problem(Struct, frozen=True, kw_only=True):
    """Why a request was refused before it became an operation."""

    code: str
    detail: str
