"""The configuration reference is made from the structs themselves."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct

from libs.foundation.settings import (
    KafkaSettings,
    ProcessSettings,
    Secret,
    SettingRow,
    load_settings,
    reference,
)


class PoolSettings(Struct, frozen=True, kw_only=True):
    """A pool."""

    size_max: Annotated[int, Meta(ge=1, le=9)] = 4
    """Most connections
    that are open."""


class WholeSettings(Struct, frozen=True, kw_only=True):
    pool: PoolSettings = PoolSettings(size_max=6)
    token: Secret
    """Who we are."""
    hosts: tuple[str, ...] = ("a", "b")
    """Where to."""
    loud: bool = False
    """Whether to shout."""
    note: str | None = None
    """What to add."""


class SilentSettings(Struct, frozen=True, kw_only=True):
    rows_max: int = 5
    size: int = 1
    """Explained."""


def test_the_reference_has_a_row_for_each_variable_in_order() -> None:
    assert reference(WholeSettings, "W_") == [
        SettingRow(
            variable="W_POOL_SIZE_MAX",
            type="an integer >= 1 and <= 9",
            default="6",
            documentation="Most connections that are open.",
        ),
        SettingRow(variable="W_TOKEN", type="a secret", default=None, documentation="Who we are."),
        SettingRow(
            variable="W_HOSTS",
            type="a comma-separated list, each text",
            default="a,b",
            documentation="Where to.",
        ),
        SettingRow(
            variable="W_LOUD",
            type="true or false",
            default="false",
            documentation="Whether to shout.",
        ),
        SettingRow(
            variable="W_NOTE", type="text or nothing", default="", documentation="What to add."
        ),
    ]


def test_a_field_without_explanation_is_refused() -> None:
    with pytest.raises(TypeError, match=r"SilentSettings\.rows_max needs a string below it"):
        reference(SilentSettings, "S_")


@pytest.mark.parametrize(
    ("type_", "required"),
    [
        (WholeSettings, {"X_TOKEN": "t"}),
        (ProcessSettings, {"X_SIDE_PORT": "0"}),
        (KafkaSettings, {"X_BOOTSTRAP_SERVERS": "k:9092"}),
    ],
)
def test_every_documented_default_means_what_it_says_when_it_is_set(
    type_: type[Struct], required: dict[str, str]
) -> None:
    written = {row.variable: row.default for row in reference(type_, "X_")}
    environ = {name: default for name, default in written.items() if default is not None}

    from_text = load_settings(type_, {**environ, **required}, prefix="X_")

    assert from_text == load_settings(type_, required, prefix="X_")
