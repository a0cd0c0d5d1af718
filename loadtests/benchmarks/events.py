"""The events that relays are measured with: 500 bytes, nine headers, twelve partitions."""

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from loadtests.benchmarks.sql.outbox import PAYLOAD_BYTES

PARTITIONS: Final = 12
_TRACEPARENT: Final = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

Headers = list[tuple[str, bytes]]


def payload() -> bytes:
    return b"y" * PAYLOAD_BYTES


def headers_of(
    *, identifier: bytes, type_: bytes, source: bytes, subject: bytes, time: bytes, sequence: bytes
) -> Headers:
    """Return the nine headers of a CloudEvent in binary mode."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", identifier),
        ("ce_type", type_),
        ("ce_source", source),
        ("ce_subject", subject),
        ("ce_time", time),
        ("content-type", b"application/json"),
        ("ce_sequence", sequence),
        ("traceparent", _TRACEPARENT),
    ]


def sample_headers(key: bytes) -> Headers:
    """Return the headers of one made-up event."""
    return headers_of(
        identifier=str(uuid4()).encode(),
        type_=b"benchmark.row_written.v1",
        source=b"/orderly/benchmark",
        subject=key,
        time=datetime.now(UTC).isoformat().replace("+00:00", "Z").encode(),
        sequence=b"0000000001",
    )
