"""`orderly order show`: an order is found by any of its names, and its answer is what is true."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from libs.domain.operations.order_inspection import inspect
from libs.domain.operations.order_report import Report
from libs.domain.orders.use_cases.authorise_payments import authorise_payments
from libs.domain.orders.verdict import Standing
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.ids import new_id
from libs.foundation.settings import KafkaSettings
from libs.testkit import build
from libs.testkit.databases import Database
from tests.integration.operator.asking import NOWHERE, as_json, asked
from tests.integration.shop import Shop, deliver, open_shop

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PUBLISHED = """
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, last_seq, system_identifier, database_oid, timeline)
    SELECT epoch, n + 1, pg_current_snapshot(), 0, system_identifier, database_oid, timeline
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""
TAKEN = """
    INSERT INTO messaging.inbox (consumer, event_id)
    SELECT 'inventory-worker', id FROM messaging.outbox WHERE topic = 'inventory.commands'"""
LATE = "UPDATE orders.sagas SET deadline_at = now() - interval '2 minutes'"


async def placed(shop: Shop) -> UUID:
    shop.sell("TEE")
    return await shop.place(TEE=1)


def change(database: Database, *statements: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())


async def report(
    database: Database, name: object, *, role: str = "orderly_reader", principal: str | None = None
) -> Report:
    """Ask as the command does, in this process: a start of Python costs a second."""
    settings = DatabaseSettings(url=database.url_for(role))
    async with open_connection(settings, "orderly") as connection:
        kafka = KafkaSettings(bootstrap_servers=NOWHERE)
        return await inspect(connection, kafka, str(name), principal)


async def test_an_order_is_found_by_each_of_its_names(database: Database) -> None:
    async with open_shop(database) as shop:
        order_id = await placed(shop)
        key = uuid4().hex
        change(
            database,
            f"UPDATE orders.orders SET external_reference = 'web-7' WHERE id = '{order_id}'",
            f"UPDATE messaging.outbox SET traceparent = '00-{TRACE}-00f067aa0ba902b7-01'",
            "INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint, status,"
            " headers, body) VALUES ('customer:c_1', 'POST', '/v1/orders', '"
            f"{key}', '', 201, '{{\"Location\": \"/v1/orders/{order_id}\"}}', 'secret')",
        )
        ((number, event_id),) = shop.rows(
            "SELECT o.number, m.id FROM orders.orders AS o JOIN messaging.outbox AS m"
            " ON m.aggregateid = o.id::text WHERE m.type = 'orders.order_placed.v1'"
        )
    names = (order_id, number, "web-7", event_id, key, TRACE, f"00-{TRACE}-00f067aa0ba902b7-01")

    reports = [await report(database, name) for name in names]
    reports.append(await report(database, key, principal="customer:c_1"))
    foreign = await report(database, key, principal="customer:c_2")

    assert {each.order.id for each in reports if each.order is not None} == {order_id}
    assert [str(each.found_by).split()[0] for each in reports] == [
        *("order", "number", "number", "event", "idempotency", "trace", "trace", "idempotency")
    ]
    assert reports[0].trace_ids == [TRACE]
    assert foreign.verdict.code == "unknown_order"


async def test_a_name_that_nothing_has_tells_what_was_tried(database: Database) -> None:
    code, output = await asked(database, "order", "show", str(new_id()))

    assert code == 1
    assert output.startswith("UNKNOWN (unknown_order): no order: order id ")
    for tried in ("external reference", "event id", "idempotency key"):
        assert tried in output


async def test_the_answer_follows_a_command_from_the_outbox_to_its_consumer(
    database: Database,
) -> None:
    async with open_shop(database) as shop:
        order_id = await placed(shop)

    unpublished = (await report(database, order_id)).verdict
    change(database, PUBLISHED)
    published = (await report(database, order_id)).verdict
    change(database, TAKEN, LATE)
    lost = await report(database, order_id)
    code, text = await asked(database, "order", "show", str(order_id))

    # On a busy machine the first two may be slow by now.
    assert Standing.STUCK not in {unpublished.standing, published.standing}
    assert "no relay holds the lease" in unpublished.reason
    assert "inventory-worker has not taken it: the brokers do not answer" in published.reason
    assert (lost.verdict.standing, lost.verdict.code) == (Standing.STUCK, "step_late")
    assert lost.verdict.actions[0] == f'orderly order resend-step {order_id} --reason "why"'
    command = next(each for each in lost.messages if each.topic == "inventory.commands")
    assert (command.type, command.offset, command.published) == (
        *("inventory.reserve_stock.v1", None),
        True,
    )
    assert [(each.consumer, each.state) for each in command.readings] == [
        ("inventory-worker", "taken")
    ]
    assert lost.timers[0].late
    assert code == 4
    assert text.startswith("STUCK (step_late): inventory owes whether there is stock; late for 1")


async def test_a_parked_answer_is_the_answer(database: Database) -> None:
    async with open_shop(database) as shop:
        order_id = await placed(shop)
    change(
        database,
        "INSERT INTO messaging.parked_keys (consumer, topic, key, reason)"
        f" VALUES ('orders-worker', 'inventory.events', '{order_id}', 'impossible-answer')",
        "INSERT INTO messaging.parked_messages (consumer, topic, key, partition, log_offset, type,"
        " headers, body, error_code, error, attempts) SELECT 'orders-worker', 'inventory.events',"
        f" '{order_id}', 4, 17, 'inventory.stock_reserved.v1', '[]', 'a body', 'impossible-answer',"
        " 'no stock was asked for', 1",
    )

    code, shown = await as_json(database, "order", "show", str(order_id))

    assert (code, shown["verdict"]["code"]) == (4, "parked")
    assert "inventory.events/4 offset 17" in shown["verdict"]["reason"]
    assert shown["verdict"]["actions"] == [
        f'orderly parked {verb} orders-worker inventory.events {order_id} --reason "why"'
        for verb in ("retry", "skip")
    ]
    assert "a body" not in str(shown)


@pytest.mark.parametrize("role", ["orderly_reader", "orderly_operator"])
async def test_money_is_shown_and_what_pays_is_not(database: Database, role: str) -> None:
    async with open_shop(database) as shop:
        order_id = await placed(shop)
        await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))
    change(
        database,
        "INSERT INTO payments.payments (order_id, provider, source_kind, state, currency,"
        f" planned_minor, sequence) VALUES ('{order_id}', 'simulator', 'token', 'pending', 'EUR',"
        " 1000, 0)",
        "INSERT INTO payments.operations (key, order_id, provider, kind, subject_id, amount_minor,"
        " currency, source_value, state, attempts, outcome) VALUES (gen_random_uuid(),"
        f" '{order_id}', 'simulator', 'authorise', '{order_id}', 1000, 'EUR', 'tok_good', 'manual',"
        " 9, 'key_expired')",
        PUBLISHED,
    )

    code, text = await asked(database, "order", "show", str(order_id), role=role)

    assert code == 4
    assert text.startswith("STUCK (payment_manual): authorise at simulator, key ")
    assert 'do: orderly payments reconcile --reason "why"' in text
    assert "pending at simulator: planned 1000 EUR minor" in text
    assert "tok_good" not in text
    assert "c_1" not in text


async def test_an_answer_that_came_long_after_is_among_its_messages(database: Database) -> None:
    async with open_shop(database) as shop:
        order_id = await placed(shop)
        await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))
    past = f"'{timedelta(hours=2)}'::interval"
    change(
        database,
        # As if it had been placed two hours ago: its first messages lie far from the last one.
        "SELECT messaging.make_time_partitions('outbox', now() - interval '3 hours', '1 hour', 3)",
        f"UPDATE orders.sagas SET started_at = started_at - {past}",
        f"UPDATE orders.timeline SET at = at - {past}",
        f"UPDATE messaging.outbox SET written_at = written_at - {past}"
        " WHERE type <> 'payments.authorise_payment.v1'",
    )

    shown = await report(database, order_id)

    assert [message.type for message in shown.messages] == [
        "orders.order_placed.v1",
        "inventory.reserve_stock.v1",
        "payments.authorise_payment.v1",
    ]
