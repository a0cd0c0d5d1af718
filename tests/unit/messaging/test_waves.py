"""Cutting a batch into waves."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libs.foundation.messaging.consumer.records import Item
from libs.foundation.messaging.waves import cut
from tests.unit.messaging.records import item, offsets

BATCHES = st.lists(
    st.tuples(st.sampled_from("kmn"), st.sampled_from("ab"), st.booleans()), max_size=40
).map(
    lambda drawn: [
        item(key, offset, type_, refused=refused)
        for offset, (key, type_, refused) in enumerate(drawn)
    ]
)


def test_types_that_alternate_share_two_waves() -> None:
    batch = [item(f"k{n}", n, "ab"[n % 2]) for n in range(10)]

    waves = cut(batch)

    assert [(wave.type, offsets(wave.items)) for wave in waves] == [
        ("a", [0, 2, 4, 6, 8]),
        ("b", [1, 3, 5, 7, 9]),
    ]


def test_a_message_never_runs_before_an_earlier_one_of_its_key() -> None:
    waves = cut([item("k", 0, "a"), item("k", 1, "b"), item("k", 2, "a"), item("m", 3, "b")])

    assert [offsets(wave.items) for wave in waves] == [[0], [1, 3], [2]]


def test_a_refused_message_keeps_its_place_in_its_key() -> None:
    waves = cut([item("k", 0), item("k", 1, refused=True), item("k", 2), item("m", 3)])

    assert [(wave.type, offsets(wave.items)) for wave in waves] == [
        ("a", [0, 3]),
        (None, [1]),
        ("a", [2]),
    ]


@given(BATCHES)
def test_waves_hold_every_message_once_with_one_type_and_distinct_keys(batch: list[Item]) -> None:
    waves = cut(batch)

    assert sorted(o for wave in waves for o in offsets(wave.items)) == offsets(batch)
    for wave in waves:
        assert {each.type if each.refusal is None else None for each in wave.items} == {wave.type}
        assert len({each.key for each in wave.items}) == len(wave.items)
        assert offsets(wave.items) == sorted(offsets(wave.items))


@given(BATCHES)
def test_keys_keep_their_order_over_the_waves(batch: list[Item]) -> None:
    ran = [each for wave in cut(batch) for each in wave.items]

    for key in "kmn":
        of_key = [each.record.offset for each in ran if each.key == key]
        assert all(before < after for before, after in pairwise(of_key))
