"""What operators read over HTTP is what the command prints as JSON."""

import pytest

from libs.testkit.databases import Database
from tests.e2e.admin.conftest import Admin
from tests.integration.operator.asking import as_json


@pytest.mark.parametrize(
    ("path", "arguments", "constant"),
    [
        ("/admin/v1/relay", ("relay", "status"), {"holder", "epoch", "is_held", "standbys"}),
        ("/admin/v1/partitions", ("partitions",), {"put_aside"}),
        ("/admin/v1/consumers", ("consumers", "status"), {"consumers", "broker_problem"}),
        ("/admin/v1/replays", ("replay", "status"), {"requests"}),
    ],
)
async def test_it_is_what_the_command_prints(
    admin: Admin, database: Database, path: str, arguments: tuple[str, ...], constant: set[str]
) -> None:
    told = await admin.get(path)
    _, printed = await as_json(database, *arguments)

    assert set(told) == set(printed)
    assert {name: told[name] for name in constant} == {name: printed[name] for name in constant}


async def test_the_backlog_of_the_outbox_is_shown(admin: Admin) -> None:
    told = await admin.get("/admin/v1/outbox")

    assert (told["backlog"]["rows"], told["remedy"]) == (0, None)


async def test_the_doctor_says_that_the_brokers_are_away(admin: Admin) -> None:
    told = await admin.get("/admin/v1/doctor")

    found = {each["check"]: each for each in told["findings"]}
    assert found["database"]["verdict"] == "ok"
    assert any(each["verdict"] == "broken" and each["remedy"] for each in told["findings"])


async def test_a_replay_that_nobody_asked_for_is_absent(admin: Admin) -> None:
    answer = await admin.call("GET", "/admin/v1/replays/0199d9a0-0000-7000-8000-000000000000")

    assert answer.status_code == 404
