"""Settings come from variables and secret files; everything wrong is told at once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from libs.foundation.settings import KafkaSettings, Secret, SettingsError, load_settings


class Mode(StrEnum):
    FAST = "fast"
    SAFE = "safe"


class StoreSettings(Struct, frozen=True, kw_only=True):
    url: str
    password: Secret | None = None
    timeout_ms: Annotated[int, Meta(ge=1)] = 500


class DemoSettings(Struct, frozen=True, kw_only=True):
    store: StoreSettings
    spare: StoreSettings = StoreSettings(url="spare", timeout_ms=900)
    token: Secret
    mode: Mode = Mode.SAFE
    ratio: Annotated[float, Meta(ge=0, le=1)] = 0.5
    loud: bool = False
    note: str | None = "some"
    hosts: tuple[str, ...] = ()
    low: int = 1
    high: int = 2

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low <= high must hold")


class NeighbourSettings(Struct, frozen=True, kw_only=True):
    colour: str = "red"


GOOD = {"DEMO_STORE_URL": "db://here", "DEMO_TOKEN": "s3cret"}


def load(**changes: str) -> DemoSettings:
    return load_settings(DemoSettings, {**GOOD, **changes}, prefix="DEMO_")


def problems(**changes: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**changes)
    return caught.value.problems


def test_variables_reach_fields_of_every_kind() -> None:
    settings = load(
        DEMO_STORE_TIMEOUT_MS="70",
        DEMO_MODE="fast",
        DEMO_RATIO="0.25",
        DEMO_LOUD="true",
        DEMO_NOTE="",
        DEMO_HOSTS="a:1, b:2",
        PATH="/not/ours",
    )

    assert settings.store == StoreSettings(url="db://here", timeout_ms=70)
    assert settings.token.reveal() == "s3cret"
    assert settings.mode is Mode.FAST
    assert settings.ratio == 0.25
    assert settings.loud is True
    assert settings.note is None
    assert settings.hosts == ("a:1", "b:2")


def test_a_default_given_for_a_nested_struct_overrides_that_structs_own_defaults() -> None:
    settings = load(DEMO_SPARE_PASSWORD="p")

    assert settings.spare.timeout_ms == 900
    assert settings.spare.url == "spare"
    assert settings.spare.password == "p"


def test_a_secret_file_is_read_without_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("line one \n")

    settings = load(DEMO_STORE_PASSWORD_FILE=str(file))

    assert settings.store.password is not None
    assert settings.store.password.reveal() == "line one "


def test_all_problems_are_reported_at_once_with_name_expectation_and_given_text() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            DemoSettings,
            {
                "DEMO_STORE_TIMEOUT_MS": "0",
                "DEMO_MODE": "slow",
                "DEMO_RATIO": "nan",
                "DEMO_LOUD": "perhaps",
                "DEMO_LOW": "",
                "DEMO_HIHG": "7",
            },
            prefix="DEMO_",
        )

    assert caught.value.problems == (
        "DEMO_STORE_URL is missing: expected text",
        "DEMO_STORE_TIMEOUT_MS: expected an integer >= 1, given '0'",
        "DEMO_TOKEN is missing: expected a secret",
        "DEMO_MODE: expected one of fast, safe, given 'slow'",
        "DEMO_RATIO: expected a number >= 0 and <= 1, given 'nan'",
        "DEMO_LOUD: expected true or false, given 'perhaps'",
        "DEMO_LOW: expected an integer, given nothing",
        "DEMO_HIHG is not a setting; did you mean DEMO_HIGH?",
    )
    assert all(problem in str(caught.value) for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_must_be_finite(text: str) -> None:
    class Plain(Struct, frozen=True):
        factor: float

    with pytest.raises(SettingsError, match="P_FACTOR: expected a number"):
        load_settings(Plain, {"P_FACTOR": text}, prefix="P_")


def test_a_check_across_fields_is_reported_with_the_prefix() -> None:
    assert problems(DEMO_LOW="3") == ("DEMO_*: low <= high must hold",)


def test_an_unknown_variable_is_refused_without_showing_its_value() -> None:
    (problem,) = problems(DEMO_PASSWORT="hunter2")

    assert problem.startswith("DEMO_PASSWORT is not a setting")
    assert "hunter2" not in problem


def test_variables_of_another_struct_are_tolerated_only_when_asked() -> None:
    environ = {**GOOD, "DEMO_COLOUR": "blue"}

    load_settings(DemoSettings, environ, prefix="DEMO_", shares_prefix_with=[NeighbourSettings])

    assert problems(DEMO_COLOUR="blue")[0].startswith("DEMO_COLOUR is not a setting")


def test_a_variable_and_its_file_together_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("other")

    assert problems(DEMO_TOKEN_FILE=str(file)) == (
        "DEMO_TOKEN and DEMO_TOKEN_FILE are both set; unset one",
    )


def test_an_unreadable_file_is_a_problem_that_names_it(tmp_path: Path) -> None:
    missing, binary, large = tmp_path / "missing", tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\xff\xfe")
    large.write_bytes(b"x" * 70_000)

    def reported(path: Path) -> str:
        return problems(DEMO_NOTE_FILE=str(path))[0].partition(f"{str(path)!r}: ")[2]

    assert reported(missing) == "No such file or directory"
    assert reported(binary) == "it is not UTF-8 text"
    assert reported(large) == "it is larger than 65536 bytes"


def test_a_value_from_a_file_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_text("hunter2")

    assert problems(DEMO_LOW_FILE=str(file)) == ("DEMO_LOW: expected an integer, given (hidden)",)


def test_a_wrong_secret_is_never_shown() -> None:
    class Keys(Struct, frozen=True):
        keys: Annotated[tuple[Secret, ...], Meta(min_length=2)]

    with pytest.raises(SettingsError) as caught:
        load_settings(Keys, {"K_KEYS": "hunter2"}, prefix="K_")

    assert caught.value.problems == (
        "K_KEYS: expected a comma-separated list, each a secret, given (hidden)",
    )


def test_a_prefix_without_an_underscore_is_a_mistake_in_the_program() -> None:
    with pytest.raises(ValueError, match="must end with an underscore"):
        load_settings(NeighbourSettings, {}, prefix="DEMO")


def test_kafka_over_sasl_needs_a_user_and_a_password() -> None:
    environ = {"R_BOOTSTRAP_SERVERS": "k:9092", "R_SECURITY_PROTOCOL": "SASL_SSL"}
    with pytest.raises(SettingsError, match="needs sasl_username and sasl_password"):
        load_settings(KafkaSettings, environ, prefix="R_")

    settings = load_settings(
        KafkaSettings,
        {**environ, "R_SASL_USERNAME": "relay", "R_SASL_PASSWORD": "p"},
        prefix="R_",
    )

    arguments = settings.client_arguments()
    assert arguments["bootstrap_servers"] == "k:9092"
    assert arguments.get("sasl_plain_password") == "p"
    assert arguments.get("ssl_context") is not None


def test_plain_kafka_clients_get_no_credentials() -> None:
    settings = KafkaSettings(bootstrap_servers="k:9092", sasl_password=Secret("p"))

    assert set(settings.client_arguments()) == {
        "bootstrap_servers",
        "request_timeout_ms",
        "security_protocol",
    }
