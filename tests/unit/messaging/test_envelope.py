"""Reading the headers of a record: strict about what decides, lenient about the rest."""

from datetime import UTC, datetime

import pytest

from libs.foundation.ids import new_id
from libs.foundation.messaging.envelope import BadEnvelopeError, read_envelope

ID = new_id()
NEEDED = (("ce_id", str(ID).encode()), ("ce_type", b"toys.noted.v1"))


def test_all_attributes_are_read() -> None:
    envelope = read_envelope(
        [
            *NEEDED,
            ("ce_source", b"/toys"),
            ("ce_subject", b"k"),
            ("ce_time", b"2026-11-23T08:00:00.123Z"),
            ("ce_sequence", b"0000000012"),
            ("traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"),
        ]
    )

    assert (envelope.id, envelope.type) == (ID, "toys.noted.v1")
    assert (envelope.source, envelope.subject, envelope.sequence) == ("/toys", "k", 12)
    assert envelope.time == datetime(2026, 11, 23, 8, 0, 0, 123_000, tzinfo=UTC)
    assert envelope.traceparent is not None


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("ce_id", b"x"), ("ce_type", b"t")),
        (("ce_id", str(ID).encode()),),
        (("ce_id", str(ID).encode()), ("ce_type", b"")),
        (("ce_id", str(ID).encode()), ("ce_type", b"\xff")),
        (("ce_id", str(ID).encode()), ("ce_type", b"a\x00b")),
        (("ce_id", str(ID).encode()), ("ce_type", b"t" * 256)),
        (("ce_id", ID.hex.encode()), ("ce_type", b"t")),
        (("ce_id", b"{" + ID.hex.encode()[:34] + b"}"), ("ce_type", b"t")),
        (*NEEDED, ("ce_id", str(new_id()).encode())),
        (*NEEDED, ("ce_type", b"toys.other.v1")),
    ],
)
def test_without_one_clear_id_and_type_a_record_is_refused(
    headers: tuple[tuple[str, bytes], ...],
) -> None:
    with pytest.raises(BadEnvelopeError):
        read_envelope(headers)


def test_attributes_that_decide_nothing_may_be_missing_or_odd() -> None:
    envelope = read_envelope(
        [*NEEDED, ("ce_time", b"noon"), ("ce_sequence", b"-1"), ("ce_subject", b"\xff")]
    )

    assert (envelope.time, envelope.sequence, envelope.subject) == (None, None, None)
