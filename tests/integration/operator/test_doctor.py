"""What the doctor says of a real database and real brokers, and what consumers are behind."""

import psycopg

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.doctor.examination import Expected, examine
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.status.consumers import consumers_status
from libs.foundation.settings import KafkaSettings
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.consumer_toys import ToyTopic
from tests.integration.messaging.replay_toys import operating, publishing, write
from tests.integration.operator.asking import NOWHERE, NUMBERED, orderly


async def findings(
    database: Database, kafka: str, expected: Expected
) -> dict[str, list[tuple[str, str]]]:
    settings = DatabaseSettings(url=database.url_for("orderly_operator"))
    found = await examine(settings, KafkaSettings(bootstrap_servers=kafka), expected)
    by_check: dict[str, list[tuple[str, str]]] = {}
    for each in found.findings:
        by_check.setdefault(each.check, []).append((each.verdict, each.found))
        assert each.verdict == "ok" or each.remedy
    return by_check


class AgreedTopic(ToyTopic, frozen=True):
    retention_days: int = 7


async def test_the_doctor_finds_what_is_broken_and_calls_well_what_is_well(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    name = (await make_topics(["toys.events"], partitions=4))[0]
    expected = Expected(
        roles=("orderly_api", "orderly_reader", "orderly_nobody"),
        topics=[AgreedTopic(name), AgreedTopic("toys.missing")],
    )
    with psycopg.connect(database.url) as owner:
        owner.execute("ALTER TABLE messaging.parked_keys SET (autovacuum_enabled = off)")
        owner.execute("CREATE TABLE messaging.trap PARTITION OF messaging.inbox DEFAULT")

    async with operating(database, "orderly_reader") as other:
        await other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await other.execute("SELECT count(*) FROM messaging.parked_keys")
        found = await findings(database, kafka_bootstrap, expected)

    broken = {check for check, each in found.items() if "broken" in {one[0] for one in each}}
    # The servers of tests are not durable, and nobody relays for this database.
    assert broken == {"durability", "roles", "autovacuum", "partitions", "relay", "topics"}
    assert ("broken", "missing or without login: orderly_nobody") in found["roles"]
    assert ("broken", "it leaves messaging.parked_keys out") in found["autovacuum"]
    assert ("broken", "toys.missing is missing") in found["topics"]
    assert any(f"{name} has one copy" in text for _, text in found["topics"])
    assert found["schema"][0][0] == "ok"
    assert found["clock"][0][0] == "ok"
    assert found["inbox"][0][0] == "ok"
    assert "pid" in found["horizon"][0][1]


async def test_the_doctor_takes_what_is_away_for_a_finding(database: Database) -> None:
    code, output = await orderly(
        "doctor",
        OPERATOR_DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/none",
        OPERATOR_KAFKA_BOOTSTRAP_SERVERS=NOWHERE,
    )

    assert code == 1
    assert "broken   database: it does not answer" in output
    assert "broken   brokers: no answer" in output
    assert "hidden" not in output


async def test_the_lag_of_a_consumer_is_read_in_messages_and_seconds(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    topic = ToyTopic((await make_topics(["toys.events"], partitions=4))[0])
    await write(database, topic.name, NUMBERED)
    async with publishing(database, kafka_bootstrap, topic), operating(database) as connection:
        found = await eventually(
            lambda: consumers_status(
                connection,
                KafkaSettings(bootstrap_servers=kafka_bootstrap),
                [Reader(name=f"{topic.name}-group", topics=(topic.name,))],
                sample_s=0.05,
            ),
            lambda status: [t.lag_messages for t in status.consumers[0].topics or ()] == [100],
        )

    consumer = found.consumers[0]
    assert consumer.topics is not None
    assert consumer.topics[0].lag_s is not None
    assert 0 < consumer.topics[0].lag_s < 60
    assert (consumer.members, consumer.finished_per_s, consumer.drain_s) == (0, 0.0, None)
