"""Bodies of older versions reach the handler of the current one, through as many steps as it takes.

No contract of ours has an older version yet, so these have their own.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

import msgspec
import pytest

from libs.contracts.messages import Decoders, Event, Upcast, decoders
from libs.contracts.topics import Topic
from libs.foundation.database.transaction import Transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.consumer.records import Item, sort_batch
from libs.foundation.messaging.definitions import ConsumerDefinition, Route
from tests.unit.messaging.records import ToyRecord

TOPIC: Final = Topic(name="measures.events")


class Measured(Event, frozen=True, kw_only=True):
    topic: ClassVar[Topic] = TOPIC
    source: ClassVar[str] = "/measures"
    aggregate_type: ClassVar[str] = "measure"

    place: str


class MeasuredV1(Measured, frozen=True, kw_only=True):
    type: ClassVar[str] = "measures.measured.v1"
    inches: int


class MeasuredV2(Measured, frozen=True, kw_only=True):
    type: ClassVar[str] = "measures.measured.v2"
    millimetres: float


class MeasuredV3(Measured, frozen=True, kw_only=True):
    type: ClassVar[str] = "measures.measured.v3"
    micrometres: int
    by: str | None


def to_millimetres(old: MeasuredV1) -> MeasuredV2:
    return MeasuredV2(place=old.place, millimetres=old.inches * 25.4)


def to_micrometres(old: MeasuredV2) -> MeasuredV3:
    if old.millimetres < 0:
        raise ValueError("a length below zero")
    return MeasuredV3(place=old.place, micrometres=round(old.millimetres * 1_000), by=None)


UPCASTS: Final = (
    Upcast(MeasuredV1, MeasuredV2, to_millimetres),
    Upcast(MeasuredV2, MeasuredV3, to_micrometres),
)
DECODERS: Final = decoders(MeasuredV3, upcasts=UPCASTS)
# As an earlier release wrote them, byte for byte.
GOLDEN: Final = {
    "measures.measured.v1": b'{"place":"door","inches":2}',
    "measures.measured.v2": b'{"place":"door","millimetres":50.8}',
    "measures.measured.v3": b'{"place":"door","micrometres":50800,"by":null}',
}


async def note(tx: Transaction, messages: Sequence[MeasuredV3]) -> None:
    """Handle what only the current version says."""


def sorted_item(body: bytes, name: str, table: Decoders = DECODERS) -> Item:
    consumer = ConsumerDefinition("measures", [TOPIC], table, [Route(MeasuredV3, note)])
    headers = [("ce_id", str(new_id()).encode()), ("ce_type", name.encode())]
    batch = [ToyRecord(headers=headers, value=body)]
    (item,) = sort_batch(consumer, TOPIC, batch, datetime.now(UTC)).items
    assert consumer.handlers[name] is note
    return item


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_version_is_read_as_the_current_one(name: str) -> None:
    expected = MeasuredV3(place="door", micrometres=50_800, by=None)

    assert DECODERS[name].decode(GOLDEN[name]) == expected


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_version_goes_to_the_handler_of_the_current_one(name: str) -> None:
    item = sorted_item(GOLDEN[name], name)

    assert isinstance(item.message, MeasuredV3)
    assert (item.type, item.refusal) == (name, None)


def test_a_body_that_no_step_can_lift_parks() -> None:
    item = sorted_item(b'{"place":"door","inches":-2}', "measures.measured.v1")

    assert item.refusal is not None
    assert item.refusal.code == "undecodable"


def test_an_older_version_is_still_checked_against_its_own_form() -> None:
    with pytest.raises(msgspec.ValidationError):
        DECODERS["measures.measured.v1"].decode(GOLDEN["measures.measured.v2"])


@pytest.mark.parametrize("upcasts", [UPCASTS[:1], (*UPCASTS, UPCASTS[0])])
def test_steps_that_do_not_lead_to_the_current_version_once_are_a_mistake(
    upcasts: Sequence[Upcast],
) -> None:
    with pytest.raises(ValueError, match=r"lead to a contract|share one type"):
        decoders(MeasuredV3, upcasts=upcasts)
