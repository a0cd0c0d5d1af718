"""Pages of orders that need a look: every one comes once, whatever the sources know."""

from hypothesis import given
from hypothesis import strategies as st

from libs.domain.orders.stuck import Reason, page_of

LIMIT = 3
ROWS_MAX = LIMIT + 1
SOURCES = st.lists(st.sets(st.sampled_from("abcdefghijklmnop"), max_size=12), max_size=4)


def rows(keys: set[str], after: str) -> list[Reason]:
    behind = sorted(key for key in keys if key > after)
    return [Reason(key=key, why="late") for key in behind[:ROWS_MAX]]


def test_an_order_that_several_places_know_comes_once_with_all_reasons() -> None:
    late = [Reason(key="a", why="late"), Reason(key="b", why="late")]
    parked = [Reason(key="b", why="parked")]

    page = page_of([late, parked], LIMIT, ROWS_MAX)

    assert page.why == {"a": ["late"], "b": ["late", "parked"]}
    assert page.after is None


@given(SOURCES)
def test_pages_together_hold_every_key_once_and_end(sources: list[set[str]]) -> None:
    after: str | None = ""
    seen: list[str] = []
    while after is not None:
        page = page_of([rows(keys, after) for keys in sources], LIMIT, ROWS_MAX)
        assert len(page.why) <= LIMIT
        assert page.after is None or page.after > after
        seen += page.why
        after = page.after

    assert seen == sorted(set[str]().union(*sources))
