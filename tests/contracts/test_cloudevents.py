"""What the relay writes is a CloudEvent to other libraries, and theirs are read by the consumer."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from libs.foundation.ids import new_id
from libs.foundation.messaging.envelope import read_envelope
from libs.foundation.messaging.relay.records import headers_of
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from tests.contracts.registry import CONTRACTS, DECODERS, golden

ID: Final = new_id()
TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def outbox_row(name: str, *, sequence: int | None) -> OutboxRow:
    message = DECODERS[name].decode(golden(name))
    return OutboxRow(
        seq=1,
        topic=message.topic.name.encode(),
        partition=0,
        key=message.subject.encode(),
        id=str(ID).encode(),
        type=message.type.encode(),
        source=message.source.encode(),
        occurred_at=b"2026-11-23 08:00:00.123456",
        sequence=sequence,
        traceparent=TRACEPARENT.encode(),
        payload=golden(name),
        written_at_s=0.0,
    )


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_a_published_record_is_a_cloudevent(name: str) -> None:
    row = outbox_row(name, sequence=12)
    record = KafkaMessage(headers=dict(headers_of(row)), key=row.key, value=row.payload)

    event: Any = from_binary(record, JSONFormat())

    assert (event.get_id(), event.get_type()) == (str(ID), name)
    assert event.get_source() == CONTRACTS[name].source
    assert event.get_subject() == row.key.decode()
    assert event.get_time() == datetime(2026, 11, 23, 8, 0, 0, 123_456, tzinfo=UTC)
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("sequence") == "0000000012"
    assert event.get_data() == msgspec.json.decode(golden(name))


def test_a_published_record_is_read_back_whole() -> None:
    name = "orders.order_placed.v1"
    row = outbox_row(name, sequence=12)

    envelope = read_envelope(headers_of(row))

    assert (envelope.id, envelope.type, envelope.source) == (ID, name, "/orderly/orders")
    assert (envelope.subject, envelope.sequence) == (row.key.decode(), 12)
    assert envelope.time == datetime(2026, 11, 23, 8, 0, 0, 123_456, tzinfo=UTC)
    assert envelope.traceparent == TRACEPARENT


def test_a_record_of_another_library_is_read() -> None:
    attributes = {
        "id": str(ID),
        "type": "inventory.reserve_stock.v1",
        "source": "/elsewhere",
        "subject": "k",
        "time": datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
        "datacontenttype": "application/json",
    }
    event = CloudEvent(attributes=attributes, data={"order_id": "k"})

    record = to_binary(event, JSONFormat())

    envelope = read_envelope(record.headers.items())
    assert (envelope.id, envelope.type) == (ID, "inventory.reserve_stock.v1")
    assert (envelope.source, envelope.subject) == ("/elsewhere", "k")
    assert envelope.time == attributes["time"]
