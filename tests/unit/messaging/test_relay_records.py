"""A row becomes a CloudEvents record."""

from msgspec.structs import replace

from libs.foundation.messaging.envelope import read_envelope
from libs.foundation.messaging.relay.records import headers_of, sampled_traceparent
from libs.foundation.messaging.sql.outbox_windows import OutboxRow

ROW = OutboxRow(
    seq=9,
    topic=b"toys.events",
    partition=3,
    key=b"toy-1",
    id=b"0190b5d2-aaaa-7bbb-8ccc-1234567890ab",
    type=b"toys.changed.v1",
    source=b"/orderly/toys",
    occurred_at=b"2026-11-23 08:00:00.123456",
    sequence=42,
    traceparent=b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    payload=b"{}",
    written_at_s=0.0,
)


def test_an_event_carries_every_attribute_of_cloudevents() -> None:
    assert dict(headers_of(ROW)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"0190b5d2-aaaa-7bbb-8ccc-1234567890ab",
        "ce_type": b"toys.changed.v1",
        "ce_source": b"/orderly/toys",
        "ce_subject": b"toy-1",
        "ce_time": b"2026-11-23T08:00:00.123456Z",
        "content-type": b"application/json",
        "ce_sequence": b"0000000042",
        "traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }


def test_a_command_without_a_trace_carries_neither_sequence_nor_traceparent() -> None:
    names = dict(headers_of(replace(ROW, sequence=None, traceparent=None)))

    assert names.keys().isdisjoint({"ce_sequence", "traceparent"})


def test_a_copy_names_the_request_that_made_it_and_is_otherwise_the_same() -> None:
    copy = headers_of(replace(ROW, replay_request=b"0190b5d2-bbbb-7bbb-8ccc-1234567890ab"))

    assert copy == [*headers_of(ROW), ("replay", b"0190b5d2-bbbb-7bbb-8ccc-1234567890ab")]


def test_the_consumer_reads_what_the_relay_writes() -> None:
    envelope = read_envelope(headers_of(ROW))

    assert (envelope.type, envelope.subject, envelope.sequence) == ("toys.changed.v1", "toy-1", 42)
    assert envelope.time is not None
    assert envelope.time.isoformat() == "2026-11-23T08:00:00.123456+00:00"


def test_only_recorded_traces_are_linked() -> None:
    unrecorded = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

    assert sampled_traceparent(ROW) == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert sampled_traceparent(replace(ROW, traceparent=unrecorded)) is None
    assert sampled_traceparent(replace(ROW, traceparent=None)) is None
