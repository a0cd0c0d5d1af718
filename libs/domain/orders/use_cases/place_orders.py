"""Places a batch of orders: each is written whole with its messages, or refused on its own."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.domain.orders.placement import Draft, Placement, draft
from libs.domain.orders.placing_errors import CardDataRefused, ExternalReferenceTaken
from libs.domain.orders.pricing import CatalogueItem, Priced, price
from libs.domain.orders.sql import placing, products
from libs.domain.orders.sql.placing import InsertedOrder
from libs.domain.orders.timeline import ActorKind
from libs.domain.orders.use_cases.advance_sagas import outgoing
from libs.foundation.database.transaction import Locked, Transaction
from libs.foundation.errors import AppError
from libs.foundation.messaging import outbox
from libs.foundation.messaging.outbox import Outgoing


class PlacedOrder(Struct, frozen=True, kw_only=True):
    """A draft whose order is written, with what the database added."""

    draft: Draft
    inserted: InsertedOrder


async def place_orders(
    tx: Transaction, placements: Sequence[Placement]
) -> list[PlacedOrder | AppError]:
    """Return the placed order or the refusal of each placement, in order.

    Effects join on the order id: a key may come twice, an id cannot.
    """
    catalogue = await products.for_placing(tx, _skus(placements))
    outcomes = [_priced(placement, catalogue) for placement in placements]
    drafts = await _drafts(tx, placements, outcomes)
    placed = await _write(tx, drafts)
    taken = [each for each in drafts if each.order.id not in placed]
    refused = await _refuse_taken(tx, taken) if taken else {}
    return [
        outcome
        if isinstance(outcome, AppError)
        else placed.get(placement.order_id) or refused[placement.order_id]
        for placement, outcome in zip(placements, outcomes, strict=True)
    ]


def _skus(placements: Sequence[Placement]) -> list[str]:
    return sorted({line.sku for each in placements for line in each.request.lines})


def _priced(placement: Placement, catalogue: Mapping[str, CatalogueItem]) -> Priced | AppError:
    if placement.request.payment.source.looks_like_a_card:
        return CardDataRefused()
    try:
        return price(placement.request, catalogue)
    except AppError as refusal:
        return refusal


async def _drafts(
    tx: Transaction, placements: Sequence[Placement], outcomes: Sequence[Priced | AppError]
) -> list[Draft]:
    accepted = [
        (placement, outcome)
        for placement, outcome in zip(placements, outcomes, strict=True)
        if not isinstance(outcome, AppError)
    ]
    if not accepted:
        return []
    drawn = await placing.draw_numbers(tx, len(accepted))
    return [
        draft(placement, priced, each.number, each.at)
        for (placement, priced), each in zip(accepted, drawn, strict=True)
    ]


async def _write(tx: Transaction, drafts: Sequence[Draft]) -> dict[UUID, PlacedOrder]:
    if not drafts:
        return {}
    locked = await placing.insert_orders(tx, drafts)
    inserted = {order.id: order for order in locked}
    kept = [each for each in drafts if each.order.id in inserted]
    if kept:
        await _write_details(tx, kept, locked)
    return {
        each.order.id: PlacedOrder(draft=each, inserted=inserted[each.order.id]) for each in kept
    }


async def _write_details(
    tx: Transaction, drafts: Sequence[Draft], locked: Locked[InsertedOrder]
) -> None:
    await placing.insert_details(tx, drafts)
    await outbox.append(tx, locked, [item for each in drafts for item in _messages(each)])


def _messages(placed: Draft) -> list[Outgoing]:
    """Return the order's messages, each in the trace of the request that placed it."""
    first = placed.entries[0].event
    items = [Outgoing(message=first, sequence=first.version), *outgoing(placed.decision)]
    return [replace(item, traceparent=placed.placement.traceparent) for item in items]


async def _refuse_taken(
    tx: Transaction, drafts: Sequence[Draft]
) -> dict[UUID, ExternalReferenceTaken]:
    references = [each.order.external_reference or "" for each in drafts]
    holders = await placing.reference_holders(tx, references)
    return {
        each.order.id: ExternalReferenceTaken(_shown_id(each, holders.get(reference)))
        for each, reference in zip(drafts, references, strict=True)
    }


def _shown_id(refused: Draft, holder: placing.ReferenceHolder | None) -> UUID | None:
    """Return the other order's id, to a customer only if that order is the customer's own."""
    if holder is None:
        return None
    actor = refused.placement.actor
    readable = actor.kind is not ActorKind.CUSTOMER or actor.id == holder.customer_id
    return holder.id if readable else None
