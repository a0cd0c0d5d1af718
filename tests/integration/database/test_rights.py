"""What each role may do, compared with the list that a person has agreed to."""

from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from typing import Final

import psycopg
import pytest

from libs.testkit.databases import Database
from tests.integration.database.catalog import Right, rights

AGREED: Final = Path(__file__).with_name("rights.txt")
WRITERS: Final = frozenset(
    {"orderly_api", "orderly_worker_orders", "orderly_worker_inventory", "orderly_worker_payments"}
)
PUBLIC: Final = "-"  # How PostgreSQL prints the role that everybody has.
LOGINS: Final = """
    SELECT rolname FROM pg_roles
    WHERE rolname LIKE 'orderly%' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
        OR (rolcanlogin AND pg_has_role(oid, 'orderly_owner', 'MEMBER')))"""


@pytest.fixture(scope="module")
def granted(module_database: Database) -> list[Right]:
    return rights(module_database.url)


def test_rights_are_those_agreed_to(granted: list[Right]) -> None:
    found = [f"{line}\n" for line in lines(granted)]

    difference = "".join(
        unified_diff(AGREED.read_text(encoding="utf-8").splitlines(keepends=True), found, "agreed")
    )

    assert difference == "", f"correct the grant, or agree by editing rights.txt:\n{difference}"


def test_no_writer_chooses_what_order_and_publication_hang_on(granted: list[Right]) -> None:
    given = {each.column for each in granted if each.target == "messaging.outbox"}

    assert given.isdisjoint({"seq", "tid", "written_at", "replay"})
    assert not {
        each
        for each in granted
        if each.target == "messaging.outbox" and each.right == "INSERT" and each.column == ""
    }


def test_nobody_changes_or_deletes_what_is_written_once(granted: list[Right]) -> None:
    once = {"messaging.outbox", "orders.timeline", "inventory.movements", "messaging.outbox_cursor"}

    assert {
        each for each in granted if each.target in once and each.right not in {"SELECT", "INSERT"}
    } == set()


def test_a_writer_cannot_read_the_outbox_and_the_relay_cannot_write_it(
    granted: list[Right],
) -> None:
    outbox = {(each.role, each.right) for each in granted if each.target == "messaging.outbox"}

    assert {(role, "SELECT") for role in WRITERS} & outbox == set()
    assert ("orderly_outbox_relay", "INSERT") not in outbox


def test_a_worker_reaches_no_other_context(granted: list[Right]) -> None:
    for context in ("orders", "inventory", "payments"):
        reached = {
            each.target.split(".")[0]
            for each in granted
            if each.role == f"orderly_worker_{context}"
        }

        assert reached - {context, "messaging"} == set()


def test_personal_data_is_for_the_processes_of_its_context(granted: list[Right]) -> None:
    readers = {each.role for each in granted if each.target == "orders.contacts"}

    assert readers <= {"orderly_api", "orderly_worker_orders"}


def test_public_may_do_nothing(granted: list[Right]) -> None:
    assert [each for each in granted if each.role == PUBLIC] == []


def test_no_login_is_more_than_its_grants(module_database: Database) -> None:
    with psycopg.connect(module_database.url) as connection:
        assert connection.execute(LOGINS).fetchall() == []


def lines(granted: list[Right]) -> list[str]:
    """Write one line for each role, object and right, with the columns if it is by column."""
    found: list[str] = []
    for (role, target, right), group in groupby(granted, key=lambda each: each[:3]):
        columns = ", ".join(each.column for each in group if each.column)
        found.append(f"{role} {target} {right}" + (f" ({columns})" if columns else ""))
    return found
