"""Turns outbox rows into Kafka records: CloudEvents 1.0, binary mode."""

from typing import Final

from libs.foundation.messaging.sql.outbox_windows import OutboxRow

Header = tuple[str, bytes]

_SPEC_VERSION: Final[Header] = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Final[Header] = ("content-type", b"application/json")
# The last digit of a traceparent holds the flags; an odd one means that the trace is recorded.
_ODD_DIGITS: Final = b"13579bdf"


def headers_of(row: OutboxRow) -> list[Header]:
    """Return the headers of a row; commands have no sequence, untraced messages no traceparent.

    `replay` stands in copies that an operator asked for, and names the request.
    """
    headers = [
        _SPEC_VERSION,
        ("ce_id", row.id),
        ("ce_type", row.type),
        ("ce_source", row.source),
        ("ce_subject", row.key),
        ("ce_time", row.occurred_at.replace(b" ", b"T") + b"Z"),
        _CONTENT_TYPE,
    ]
    if row.sequence is not None:
        # Ten digits: the extension wants sequences that sort as text.
        headers.append(("ce_sequence", b"%010d" % row.sequence))
    if row.traceparent is not None:
        headers.append(("traceparent", row.traceparent))
    if row.replay_request is not None:
        headers.append(("replay", row.replay_request))
    return headers


def sampled_traceparent(row: OutboxRow) -> str | None:
    """Return the row's trace context if the trace is recorded."""
    traceparent = row.traceparent
    if not traceparent or traceparent[-1] not in _ODD_DIGITS:
        return None
    return traceparent.decode()
