"""What is deployed is pinned, hashed, and what the tests ran with."""

import re

from tests.architecture.rules import decisions
from tests.architecture.source import ROOT, repository

_PIN = re.compile(r"^([a-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(\S+)", re.MULTILINE)


def test_what_is_deployed_has_the_versions_the_tests_ran_with() -> None:
    deployed, tested = pins("runtime"), pins("dev")

    assert deployed
    assert {name: tested.get(name) for name in deployed} == deployed


def test_every_pin_has_a_hash() -> None:
    for name in ("runtime", "dev"):
        entries = re.split(r"\n(?=\S)", requirements(name).strip())

        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_dependency_has_its_reason_in_a_decision() -> None:
    records = [source.text for source in repository() if decisions.is_decision(source)]
    words = set(re.findall(r"[a-z0-9][\w-]*", " ".join(records).lower()))

    assert [name for name in dependencies("runtime", "dev") if name not in words] == []


def test_pins_are_read_with_extras_and_markers() -> None:
    text = (
        "psycopg[binary]==3.3.9 ; python_version > '3' \\\n    --hash=sha256:0\nrich==15.0.0 \\\n"
    )

    assert _PIN.findall(text) == [("psycopg", "3.3.9"), ("rich", "15.0.0")]


def dependencies(*files: str) -> list[str]:
    """Return the names in `requirements/*.in`, without comments, includes and extras."""
    lines = [line for file in files for line in declared(file).splitlines()]
    return [line.split("[")[0] for line in lines if line[:1].isalpha()]


def declared(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall(requirements(name)))


def requirements(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
