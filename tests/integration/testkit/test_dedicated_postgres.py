"""A test may own a cluster and crash it without touching anybody else's."""

import psycopg

from libs.testkit.dedicated import dedicated_postgres


async def test_a_killed_cluster_comes_back_with_what_was_committed() -> None:
    async with dedicated_postgres() as server:
        async with await psycopg.AsyncConnection.connect(server.url) as connection:
            await connection.execute("CREATE TABLE kept (number integer)")
            await connection.execute("INSERT INTO kept VALUES (7)")

        await server.kill9()
        await server.restart()

        async with await psycopg.AsyncConnection.connect(server.url) as connection:
            rows = await (await connection.execute("SELECT number FROM kept")).fetchall()
    assert rows == [(7,)]
    assert "database system was not properly shut down" in server.log.read_text()


async def test_a_dedicated_cluster_takes_settings_and_a_migrated_database() -> None:
    async with dedicated_postgres({"wal_writer_delay": "10s"}) as server:
        database = server.migrated_database()

        async with await psycopg.AsyncConnection.connect(database.url_for("orderly_api")) as api:
            cursor = await api.execute("SELECT current_setting('wal_writer_delay'), current_user")
            row = await cursor.fetchone()

    assert row == ("10s", "orderly_api")
