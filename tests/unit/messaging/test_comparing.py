"""What only one of outbox and topics holds, from rows and records as they come."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from libs.foundation.ids import first_id_at
from libs.foundation.messaging.reconciliation.comparing import Comparison, Record, Side
from libs.foundation.messaging.reconciliation.reconciling import (
    ReconcileRefused,
    Stretch,
    span_of,
)
from libs.foundation.messaging.sql.journeys import Span
from libs.foundation.messaging.sql.reconciliations import KeptRow

NOW: Final = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
TOPIC: Final = "toys.events"
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)


def made(at: datetime = NOW) -> UUID:
    version_and_variant = (7 << 76) | (2 << 62)
    return UUID(int=first_id_at(at).int | version_and_variant | (uuid4().int & (1 << 62) - 1))


def row(event_id: UUID, *, at: datetime = NOW, is_expected: bool = True) -> KeptRow:
    return KeptRow(
        seq=1,
        id=event_id,
        written_at=at,
        topic=TOPIC,
        partition=3,
        type="toys.noted.v1",
        subject="k1",
        is_expected=is_expected,
    )


def record(event_id: UUID | None, *, at: datetime = NOW, offset: int = 7) -> Record:
    headers = [("ce_id", str(event_id).encode()), ("ce_type", b"toys.noted.v1")]
    return Record(topic=TOPIC, partition=3, offset=offset, at=at, id=event_id, headers=headers)


def comparison(listed_max: int = 100) -> Comparison:
    span = Span(since=NOW - HOUR, until=NOW + HOUR)
    return Comparison(span, NOW - 2 * HOUR, [TOPIC], listed_max)


def test_a_row_and_its_records_are_equal_however_often_they_come() -> None:
    compared, event_id = comparison(), made()
    compared.take_rows([row(event_id)])

    strange = compared.take_records([record(event_id), record(event_id, offset=8)])

    assert strange == []
    assert compared.finish(NOW + HOUR) == []
    assert (compared.counts[TOPIC].rows, compared.counts[TOPIC].records) == (1, 2)


def test_a_record_that_the_outbox_does_not_know_is_told_once() -> None:
    compared, lost = comparison(), made()
    twice = [record(lost), record(lost, offset=8)]

    compared.judge(compared.take_records(twice), set())

    (found,) = compared.finish(NOW + HOUR)
    assert (found.side, found.id, found.offset) == (Side.ONLY_IN_KAFKA, lost, 7)
    assert (found.type, compared.counts[TOPIC].only_in_kafka) == ("toys.noted.v1", 1)
    assert compared.take_records([record(lost, offset=9)]) == []


def test_a_record_without_an_id_and_one_with_a_foreign_id_are_strange() -> None:
    compared = comparison()

    strange = compared.take_records([record(None), record(uuid4())])
    compared.judge(strange, set())

    assert [each.id for each in compared.finish(NOW)] == [each.id for each in strange]
    assert compared.counts[TOPIC].only_in_kafka == 2


def test_a_row_whose_record_comes_much_later_is_no_difference() -> None:
    compared, event_id = comparison(), made()
    compared.take_rows([row(event_id)])
    compared.forget_before(NOW + 10 * MINUTE)

    strange = compared.take_records([record(event_id, at=NOW + 30 * MINUTE)])
    compared.judge(strange, {event_id})

    assert [each.id for each in strange] == [event_id]
    assert compared.finish(NOW + HOUR) == []


def test_only_published_rows_of_the_stretch_need_a_record() -> None:
    compared, lost = comparison(), made()
    compared.take_rows(
        [
            row(made(), at=NOW - 2 * HOUR),
            row(lost),
            row(made(), is_expected=False),
            row(made(), at=NOW + 2 * HOUR),
        ]
    )

    (found,) = compared.finish(NOW + HOUR)

    assert (found.side, found.id, found.offset) == (Side.ONLY_IN_OUTBOX, lost, None)


def test_records_older_than_the_kept_rows_are_not_judged() -> None:
    compared = comparison()

    strange = compared.take_records(
        [record(made(NOW - 3 * HOUR)), record(made(), at=NOW - 2 * HOUR)]
    )

    assert strange == []
    assert (compared.counts[TOPIC].records, compared.counts[TOPIC].not_judged) == (1, 1)


def test_the_list_is_bounded_on_each_side_and_the_counts_are_not() -> None:
    compared = comparison(listed_max=2)
    compared.take_rows([row(made()) for _ in range(5)])
    compared.judge(compared.take_records([record(made()) for _ in range(5)]), set())

    sides = [each.side for each in compared.finish(NOW + HOUR)]

    assert sides == [Side.ONLY_IN_KAFKA] * 2 + [Side.ONLY_IN_OUTBOX] * 2
    assert compared.counts[TOPIC].only_in_kafka == compared.counts[TOPIC].only_in_outbox == 5


def test_the_stretch_is_what_is_kept_of_the_last_hour_without_its_last_minute() -> None:
    chosen = Stretch(topics=(TOPIC,))

    assert span_of(chosen, NOW - 24 * HOUR, NOW) == Span(since=NOW - HOUR, until=NOW - MINUTE)
    assert span_of(chosen, NOW - 5 * MINUTE, NOW).since == NOW - 5 * MINUTE
    with pytest.raises(ReconcileRefused, match="the outbox keeps rows since"):
        span_of(Stretch(since=NOW - 3 * HOUR, topics=(TOPIC,)), NOW - 2 * HOUR, NOW)
    with pytest.raises(ReconcileRefused, match="the last minute is left out"):
        span_of(Stretch(since=NOW, topics=(TOPIC,)), NOW - 2 * HOUR, NOW)
