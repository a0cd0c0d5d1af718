"""Generated documents are compared with their source, and tables survive any text."""

from pathlib import Path

from msgspec import Struct

from docs.configuration import Chapter, configuration
from docs.generate import stale


class ExampleSettings(Struct, frozen=True, kw_only=True):
    url: str
    """Where to."""
    mode: str = "a|b"
    """One | or the other."""
    note: str | None = None
    """What to add."""


class EmptySettings(Struct, frozen=True, kw_only=True):
    pass


def test_a_chapter_has_a_row_for_each_variable() -> None:
    text = configuration([chapter(ExampleSettings)])

    assert text.endswith(r"""
## Example

`python -m example`

| variable | value | default | meaning |
|---|---|---|---|
| `X_URL` | text | **required** | Where to. |
| `X_MODE` | text | `a\|b` | One \| or the other. |
| `X_NOTE` | text or nothing | nothing | What to add. |
""")


def test_a_chapter_without_settings_says_so() -> None:
    assert configuration([chapter(EmptySettings)]).endswith("`python -m example`\n\nNothing.\n")


def test_only_a_document_that_says_something_else_or_is_missing_is_stale(tmp_path: Path) -> None:
    (tmp_path / "same.md").write_text("a\n", encoding="utf-8")
    (tmp_path / "other.md").write_text("b\n", encoding="utf-8")

    wanted = {"same.md": "a\n", "other.md": "a\n", "missing.md": "a\n"}

    assert list(stale(tmp_path, wanted)) == ["other.md", "missing.md"]


def chapter(settings: type[Struct]) -> Chapter:
    return Chapter(title="Example", command="python -m example", prefix="X_", settings=settings)
