"""The servers of a run answer, whichever provider they come from."""

import psycopg

from libs.testkit.databases import Database
from libs.testkit.records import Record, read_all, send
from libs.testkit.topics import TopicMaker


async def test_a_database_is_migrated_and_each_role_logs_in_as_itself(database: Database) -> None:
    url = database.url_for("orderly_api")

    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(
            "SELECT current_user, to_regclass('messaging.outbox') IS NOT NULL"
        )
        row = await cursor.fetchone()

    assert row == ("orderly_api", True)


async def test_a_record_sent_to_a_topic_of_the_test_comes_back(
    make_topics: TopicMaker, kafka_bootstrap: str
) -> None:
    [topic] = await make_topics(["smoke.events"])

    await send(kafka_bootstrap, topic, b"body", key=b"key", headers={"a": b"b"}, partition=11)
    records = await read_all(kafka_bootstrap, [topic])

    assert records == [Record(topic, 11, 0, b"key", b"body", (("a", b"b"),))]
