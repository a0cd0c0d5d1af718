"""What each role may do, compared with the list that a person has agreed to."""

from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from typing import Final

import psycopg
import pytest

from libs.testkit.databases import Database
from tests.integration.database.catalog import Right, rights, rights_on_partitions

AGREED: Final = Path(__file__).with_name("rights.txt")
WRITERS: Final = frozenset(
    {"orderly_api", "orderly_worker_orders", "orderly_worker_inventory", "orderly_worker_payments"}
)
PEOPLE: Final = frozenset({"orderly_reader", "orderly_operator"})
READ_OR_WRITE: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
# Who knows one of these can pay, answer as somebody else, or tell who a customer is.
SECRET: Final = frozenset(
    {
        ("messaging.outbox", "payload"),
        ("messaging.outbox_parked_rows", "payload"),
        ("messaging.parked_messages", "body"),
        ("orders.contacts", "contact"),
        ("orders.refunds", "note"),
        ("orders.refunds", "settlement_note"),
        ("orders.sagas", "payment_source"),
        ("payments.operations", "source_value"),
        ("payments.webhooks", "body"),
        ("web.idempotency_keys", "body"),
        ("web.idempotency_keys", "headers"),
    }
)
MORE_THAN_GRANTS: Final = """
    SELECT rolname FROM pg_roles
    WHERE rolname LIKE 'orderly\\_%' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
        OR rolreplication OR (rolcanlogin AND EXISTS (
            SELECT FROM pg_auth_members AS m WHERE m.member = pg_roles.oid)))"""


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
    written = {
        each.column
        for each in granted
        if each.target == "messaging.outbox" and each.right not in {"", "SELECT"}
    }

    assert written.isdisjoint({"", "seq", "tid", "written_at", "replay", "replay_request"})


def test_nobody_changes_or_deletes_what_is_written_once(granted: list[Right]) -> None:
    once = {"messaging.outbox", "orders.timeline", "inventory.movements", "messaging.outbox_cursor"}

    assert {
        each
        for each in granted
        if each.target in once and each.right not in {"", "SELECT", "INSERT"}
    } == set()


def test_nobody_but_the_owner_truncates_alters_or_creates(granted: list[Right]) -> None:
    more = [each for each in granted if each.kind == "table" and each.right not in READ_OR_WRITE]

    assert [each for each in more if each.role] == []
    assert [each for each in granted if each.right in {"CREATE", "TEMPORARY"}] == []


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
            if each.role == f"orderly_worker_{context}" and each.kind != "database"
        }

        assert reached - {context, "messaging"} == set()


def test_people_read_neither_secrets_nor_personal_data(granted: list[Right]) -> None:
    tables = {target for target, _ in SECRET}
    read = {
        (each.target, each.column)
        for each in granted
        if each.role in PEOPLE and each.right == "SELECT" and each.target in tables
    }

    assert read & (SECRET | {(target, "") for target in tables}) == set()


def test_only_the_api_knows_who_an_order_is_for(granted: list[Right]) -> None:
    known_to = {each.role for each in granted if each.target == "orders.contacts" and each.role}

    assert known_to == {"orderly_api"}


def test_what_people_must_not_read_exists(module_database: Database) -> None:
    with psycopg.connect(module_database.url) as connection:
        columns = connection.execute("""
            SELECT table_schema || '.' || table_name, column_name
            FROM information_schema.columns""").fetchall()

    assert set(columns) >= SECRET


def test_the_reader_only_reads(granted: list[Right]) -> None:
    given = {each.right for each in granted if each.role == "orderly_reader"}

    assert given == {"SELECT", "USAGE", "CONNECT"}


def test_public_may_do_nothing(granted: list[Right]) -> None:
    assert [each for each in granted if each.role == "public"] == []


def test_a_partition_gives_no_right_that_its_parent_does_not(module_database: Database) -> None:
    assert rights_on_partitions(module_database.url) == []


def test_no_login_is_more_than_its_grants(module_database: Database) -> None:
    with psycopg.connect(module_database.url) as connection:
        assert connection.execute(MORE_THAN_GRANTS).fetchall() == []


def lines(granted: list[Right]) -> list[str]:
    """Write each object, and below it one line for each role that may do something with it."""
    found: list[str] = []
    for (kind, target), on_target in groupby(granted, key=lambda each: each[:2]):
        found.append(f"{kind} {target}")
        for role, of_role in groupby(on_target, key=lambda each: each.role):
            if role:
                found.append(f"  {role}: {', '.join(_rights(list(of_role)))}")
    return found


def _rights(of_role: list[Right]) -> list[str]:
    found: list[str] = []
    for right, group in groupby(of_role, key=lambda each: each.right):
        columns = ", ".join(each.column for each in group if each.column)
        found.append(f"{right} ({columns})" if columns else right)
    return found
