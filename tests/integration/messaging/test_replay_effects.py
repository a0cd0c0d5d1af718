"""What consumers make of a replay: nothing twice, everything once for who is new, over Kafka."""

from collections.abc import Sequence

import psycopg
import pytest

from libs.foundation.ids import first_id_at
from libs.foundation.messaging.definitions import ConsumerDefinition, Route
from libs.foundation.messaging.replay.preview import (
    ConsumerVerdict,
    ReplayRefused,
    marks_of,
    preview,
)
from libs.foundation.messaging.replay.selection import (
    ForgetAsked,
    Reader,
    ReplayAsked,
    Selection,
    reader_of,
)
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    DECODERS,
    Added,
    Refused,
    ToyHandler,
    Toys,
    ToyTopic,
    add,
    definition,
)
from tests.integration.messaging.replay_toys import (
    asked,
    copies,
    operating,
    outcome,
    publishing,
    rows,
    write,
)

ALL = ReplayAsked(rate_per_s=100_000)
NUMBERED = [(f"k{n % 7}", n) for n in range(1, 301)]


def counts(verdict: ConsumerVerdict) -> tuple[int, int, int, int, int]:
    return (
        verdict.processed,
        verdict.queued,
        verdict.dropped,
        verdict.skipped,
        verdict.refused,
    )


async def previewed(
    toys: Toys, readers: Sequence[Reader], selection: Selection | None = None
) -> dict[str, tuple[int, int, int, int, int]]:
    async with operating(toys.database) as connection:
        found = await preview(connection, selection or Selection(), readers)
    return {verdict.consumer: counts(verdict) for verdict in found.consumers}


async def test_a_replay_of_everything_has_no_second_effect_and_gives_a_new_consumer_all(
    toys: Toys, topic: ToyTopic
) -> None:
    old, new = f"{topic.name}-old", f"{topic.name}-new"
    readers = [reader_of(definition(name, [topic])) for name in (old, new)]
    await write(toys.database, topic.name, NUMBERED)

    async with publishing(toys.database, toys.bootstrap, topic):
        async with toys.consuming(definition(old, [topic])):
            await eventually(toys.count, lambda count: count == 300)
            expected = await previewed(toys, readers)
            request = await asked(toys.database, "replay", ALL)
            assert await outcome(toys.database, request) == "finished: 300 copies were published"
            # Behind the copies of each key: once it is through, they are too.
            await write(toys.database, topic.name, [(f"k{n}", 1_000) for n in range(7)])
            await eventually(toys.count, lambda count: count >= 307)
        once = await toys.effects()
        async with toys.consuming(definition(new, [topic])):
            await eventually(toys.count, lambda count: count >= 614)

    assert expected == {old: (0, 0, 300, 0, 0), new: (300, 0, 0, 0, 0)}
    assert sorted(once) == sorted([*NUMBERED, *((f"k{n}", 1_000) for n in range(7))])
    assert sorted((await toys.effects())[307:]) == sorted(once)
    assert len(await copies(toys.database)) == 300
    assert await toys.parked() == []


async def test_a_consumer_that_forgets_takes_exactly_what_was_forgotten_again(
    toys: Toys, topic: ToyTopic
) -> None:
    consumer = definition(topic.name, [topic])
    await write(toys.database, topic.name, NUMBERED)
    async with publishing(toys.database, toys.bootstrap, topic), toys.consuming(consumer):
        await eventually(toys.count, lambda count: count == 300)
        async with operating(toys.database) as connection:
            expected = await marks_of(connection, Selection(keys=("k3",)), topic.name)
        forget = ForgetAsked(consumer=topic.name, keys=("k3",))

        # Asked for in one breath: the copies come after the marks have gone.
        requests = [
            await asked(toys.database, "forget", forget),
            await asked(toys.database, "replay", ALL),
        ]
        outcomes = [await outcome(toys.database, request) for request in requests]
        await eventually(toys.count, lambda count: count >= 343)
        await write(toys.database, topic.name, [(f"k{n}", 1_000) for n in range(7)])
        await eventually(toys.count, lambda count: count >= 350)

    assert (expected.forgotten, expected.kept) == (43, 0)
    assert outcomes == [
        "finished: 43 marks were forgotten",
        "finished: 300 copies were published",
    ]
    again = [n for key, n in NUMBERED if key == "k3"]
    assert await toys.effects_of("k3") == [*again, *again, 1_000]
    assert await toys.count() == 300 + 43 + 7


async def test_the_mark_of_a_parked_message_is_kept(toys: Toys, topic: ToyTopic) -> None:
    """Without it the copy would queue behind the message itself, and both would take effect."""
    handler = ToyHandler()
    handler.refused["k1", 1] = Refused("never")
    await write(toys.database, topic.name, [("k1", 1), ("k1", 8), ("k2", 2)])
    async with (
        publishing(toys.database, toys.bootstrap, topic),
        toys.consuming(definition(topic.name, [topic], handler)),
    ):
        await eventually(toys.parked, lambda parked: len(parked) == 2)
        await eventually(toys.count, lambda count: count == 1)
        async with operating(toys.database) as connection:
            expected = await marks_of(connection, Selection(), topic.name)
        request = await asked(toys.database, "forget", ForgetAsked(consumer=topic.name))
        found = await outcome(toys.database, request)

    assert (expected.forgotten, expected.kept) == (1, 2)
    assert found == "finished: 1 marks were forgotten"
    assert len(await rows(toys.database, "SELECT FROM messaging.inbox")) == 2


async def test_a_dry_run_tells_what_each_consumer_would_do(toys: Toys, topic: ToyTopic) -> None:
    await write(toys.database, topic.name, NUMBERED)
    async with publishing(toys.database, toys.bootstrap, topic):
        request = await asked(toys.database, "replay", ReplayAsked(rate_per_s=1, keys=("none",)))
        await outcome(toys.database, request)
    with psycopg.connect(toys.database.url) as owner:
        owner.execute(
            """
            INSERT INTO messaging.inbox (consumer, event_id)
            SELECT 'half', id FROM messaging.outbox WHERE seq %% 2 = 0""".replace("%%", "%")
        )
        owner.execute(
            "INSERT INTO messaging.parked_keys (consumer, topic, key, reason)"
            " VALUES ('parked', %s, 'k0', 'x')",
            [topic.name],
        )
    elsewhere = ConsumerDefinition("elsewhere", [ToyTopic("others")], DECODERS, [])
    chooser = ConsumerDefinition("chooser", [topic], DECODERS, [Route(Added, add)])
    readers = [
        Reader(name="half", topics=(topic.name,)),
        Reader(name="parked", topics=(topic.name,)),
        reader_of(elsewhere),
        reader_of(chooser),
    ]

    found = await previewed(toys, readers)

    assert found == {
        "half": (150, 0, 150, 0, 0),
        "parked": (258, 42, 0, 0, 0),
        "chooser": (0, 0, 0, 300, 0),
    }


async def test_a_dry_run_tells_what_is_older_than_the_inbox(toys: Toys, topic: ToyTopic) -> None:
    await write(toys.database, topic.name, NUMBERED)
    old = first_id_at((await rows(toys.database, "SELECT now() - interval '30 days'"))[0][0])
    with psycopg.connect(toys.database.url) as owner:
        owner.execute(
            "UPDATE messaging.outbox SET id = overlay(%s::text PLACING '7' FROM 15)::uuid"
            " WHERE aggregateid = 'k1'",
            [old],
        )
    async with publishing(toys.database, toys.bootstrap, topic):
        request = await asked(toys.database, "replay", ReplayAsked(rate_per_s=1, keys=("none",)))
        await outcome(toys.database, request)

    found = await previewed(toys, [Reader(name="any", topics=(topic.name,))])

    assert found == {"any": (257, 0, 0, 0, 43)}


async def test_a_dry_run_counts_what_is_not_published_apart(toys: Toys, topic: ToyTopic) -> None:
    await write(toys.database, topic.name, NUMBERED)

    async with operating(toys.database, "orderly_reader") as connection:
        found = await preview(connection, Selection(), [])

    assert [(each.topic, each.chosen, each.unpublished) for each in found.topics] == [
        (topic.name, 0, 300)
    ]
    assert found.chosen == 0


async def test_a_dry_run_refuses_what_the_outbox_does_not_keep(toys: Toys) -> None:
    moment = (await rows(toys.database, "SELECT now() - interval '3 days'"))[0][0]

    async with operating(toys.database) as connection:
        with pytest.raises(ReplayRefused, match="the outbox keeps rows since"):
            await preview(connection, Selection(since=moment), [])
