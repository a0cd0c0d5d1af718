"""Bytes of an earlier release decode for ever, and nothing in them changes its name or value."""

import msgspec
import pytest

from tests.contracts.registry import CONTRACTS, DECODERS, GOLDEN, fields, golden

NAMES = sorted(CONTRACTS)


def test_every_contract_has_a_golden_body_and_every_body_a_contract() -> None:
    stored = {path.name.removesuffix(".json") for path in GOLDEN.glob("*.json")}

    assert stored == set(DECODERS), (
        "a new contract needs tests/contracts/golden/<type>.json with every field filled;"
        " a published contract is never deleted, only no longer sent"
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_old_body_decodes_and_keeps_every_field(name: str) -> None:
    old = fields(golden(name))

    written_now = fields(msgspec.json.encode(DECODERS[name].decode(golden(name))))

    # A field that is added must have a default, so the old body lacks it and still decodes.
    assert {field: written_now.get(field) for field in old} == old


@pytest.mark.parametrize("name", NAMES)
def test_a_body_without_its_optional_fields_decodes(name: str) -> None:
    required = {
        field.encode_name for field in msgspec.structs.fields(CONTRACTS[name]) if field.required
    }
    body = {field: value for field, value in fields(golden(name)).items() if field in required}

    decoded = DECODERS[name].decode(msgspec.json.encode(body))

    assert isinstance(decoded, CONTRACTS[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_later_release_may_add_fields(name: str) -> None:
    later = {**fields(golden(name)), "added_later": {"deep": [1, None]}}

    assert DECODERS[name].decode(msgspec.json.encode(later)) == DECODERS[name].decode(golden(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_body_fills_every_field(name: str) -> None:
    declared = {field.encode_name for field in msgspec.structs.fields(CONTRACTS[name])}

    assert set(fields(golden(name))) == declared, "fill the new field in the golden body as well"


@pytest.mark.parametrize("name", NAMES)
def test_the_subject_names_the_aggregate(name: str) -> None:
    message = DECODERS[name].decode(golden(name))

    assert message.subject in golden(name).decode()
