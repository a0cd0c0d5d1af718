"""Signed cursors: only what was given out comes back in."""

import pytest

from libs.foundation.web.cursors import Cursors
from libs.foundation.web.refusals import MalformedRequest

CURSORS = Cursors("a secret of the tests")


def test_a_cursor_gives_its_position_back() -> None:
    assert CURSORS.position("things", CURSORS.sign("things", "ä/17")) == "ä/17"


def test_a_cursor_of_another_list_or_secret_is_refused() -> None:
    cursor = CURSORS.sign("things status=open", "17")

    for cursors, scope in ((CURSORS, "things"), (Cursors("b" * 16), "things status=open")):
        with pytest.raises(MalformedRequest):
            cursors.position(scope, cursor)


@pytest.mark.parametrize("cursor", ["", "x", "ä", "====", "A" * 300, "AAAA AAAA"])
def test_made_up_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(MalformedRequest):
        CURSORS.position("things", cursor)


def test_every_changed_character_is_noticed() -> None:
    cursor = CURSORS.sign("things", "17")

    for index, character in enumerate(cursor[:-1]):
        changed = cursor[:index] + ("A" if character != "A" else "B") + cursor[index + 1 :]
        with pytest.raises(MalformedRequest):
            CURSORS.position("things", changed)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Cursors("short")
