"""Every attempt at a parked message is kept, by whom it was made and what it failed of."""

from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.quarantine import reading
from libs.foundation.messaging.quarantine.failures import author
from libs.foundation.messaging.quarantine.reading import FailureGroups, ParkedKeys, ShownKey
from libs.foundation.messaging.sql.parked_listing import Narrowing
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    Added,
    Noted,
    Refused,
    ToyHandler,
    Toys,
    ToyTopic,
    definition,
    message,
    send,
)
from tests.integration.messaging.parked_toys import ask_for_one

HERE = "tests/integration/messaging/consumer_toys.py"
READER = "orderly_reader"


async def shown(toys: Toys, owner: str, topic: str, key: str) -> ShownKey:
    async with toys.pool(toys.database.url_for(READER), size=1) as pool, transaction(pool) as tx:
        found = await reading.show_key(tx, owner, topic, key, 10)
    assert found is not None
    return found


async def listed(toys: Toys, narrowing: Narrowing) -> tuple[ParkedKeys, FailureGroups]:
    async with toys.pool(toys.database.url_for(READER), size=1) as pool, transaction(pool) as tx:
        return (
            await reading.list_keys(tx, narrowing, 10),
            await reading.list_causes(tx, narrowing, 10),
        )


async def finished(toys: Toys, count: int) -> None:
    query = "SELECT count(*) FROM messaging.operator_requests WHERE finished_at IS NOT NULL"
    await eventually(lambda: toys.rows(query), lambda rows: rows == [(count,)])


async def test_a_retry_adds_to_the_history_and_overwrites_nothing(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused["k", 2] = KeyError("ada@example.org")
    await send(toys.bootstrap, topic, [message(Noted("k", n)) for n in (1, 2, 3)])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: len(parked) == 2)
        handler.refused["k", 2] = Refused("another reason")
        await ask_for_one(toys, topic.name, topic.name, "retry", "k")
        await finished(toys, 1)
        found = await shown(toys, topic.name, topic.name, "k")
        handler.refused.clear()
        await ask_for_one(toys, topic.name, topic.name, "retry", "k")
        await finished(toys, 2)

    first, second = found.queue
    fingerprints = [attempt.fingerprint for attempt in first.history]
    assert fingerprints == [f"KeyError@{HERE}:ToyHandler.__call__"] * 5 + [
        f"Refused@{HERE}:ToyHandler.__call__"
    ]
    assert [attempt.error_class for attempt in first.history] == ["unexplained"] * 5 + ["poison"]
    assert (first.attempts, first.code, first.error) == (
        6,
        "toy-refused",
        "Refused: another reason",
    )
    assert {attempt.process for attempt in first.history} == {author().process}
    assert first.history[4].request_id is None
    assert first.history[5].request_id is not None
    assert (second.code, second.history, second.fingerprint) == ("queued", [], None)
    ends = "SELECT outcome, count(*) FROM messaging.parked_attempts GROUP BY 1 ORDER BY 1"
    assert await toys.rows(ends) == [("failed", 6), ("succeeded", 2)]
    assert "ada" not in str(await toys.rows("SELECT * FROM messaging.parked_attempts"))


async def test_keys_that_fail_of_one_cause_are_one_group(toys: Toys, topic: ToyTopic) -> None:
    handler = ToyHandler()
    handler.refused = {(f"k{n}", 0): Refused(f"number {n}") for n in range(3)}
    refused = [message(Noted(f"k{n}", 0)) for n in range(3)]
    too_much = message(Added("sum", 5_000))
    unreadable = message(Noted("odd", 1), body=b"{")
    await send(toys.bootstrap, topic, [*refused, too_much, unreadable])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: len(parked) == 5)

    _, causes = await listed(toys, Narrowing(owner=topic.name))
    by_fingerprint = {group.fingerprint: group for group in causes.groups}
    assert set(by_fingerprint) == {
        f"Refused@{HERE}:ToyHandler.__call__",
        f"CheckViolation@{HERE}:add",
        "DecodeError@libs/foundation/messaging/consumer/records.py:_decode",
    }
    group = causes.groups[0]
    assert (group.keys, group.messages, group.types) == (3, 3, ["toys.noted.v1"])
    assert group.first_seen <= group.last_seen
    keys, _ = await listed(toys, Narrowing(fingerprint=f"CheckViolation@{HERE}:add"))
    assert [(held.key, held.code) for held in keys.keys] == [("sum", "23514")]
    assert (await listed(toys, Narrowing(code="undecodable")))[0].matching == 1
    assert (await listed(toys, Narrowing(type="toys.added.v1")))[0].matching == 1
    assert (await listed(toys, Narrowing(older_than_s=3_600)))[0].matching == 0
