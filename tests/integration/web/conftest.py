"""Group commits over a real database; their effect is a row in a table of the test's own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
from msgspec import Struct

from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Transaction
from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.web.group_commit import Act, GroupCommit, GroupCommitSettings
from libs.foundation.web.idempotency import Claim, fingerprint
from libs.foundation.web.reply import Reply, reply
from libs.testkit.databases import Database

ROUTE = "/v1/things"
_INSERT = """
    INSERT INTO public.effects (id, name)
    SELECT id, name FROM unnest(%(ids)b::uuid[], %(names)b::text[]) AS new (id, name)"""


class ThingRefused(AppError):
    kind = ErrorKind.UNPROCESSABLE
    code = "thing-refused"


class Thing(Struct, frozen=True, kw_only=True):
    """A command; the names `refused` and `poison` mean what they say."""

    id: uuid.UUID
    name: str


async def make_things(tx: Transaction, things: Sequence[Thing]) -> list[Reply | AppError]:
    """Insert the things that are not refused; the table's check fails the batch on poison."""
    kept = [thing for thing in things if thing.name != "refused"]
    await tx.execute(
        _INSERT, ids=[thing.id for thing in kept], names=[thing.name for thing in kept]
    )
    return [
        ThingRefused("no") if thing.name == "refused" else reply(201, {"id": thing.id}, ETag='"v1"')
        for thing in things
    ]


def claim_of(key: str, name: str, principal: str = "machine:one") -> Claim:
    return Claim(
        principal=principal,
        method="POST",
        route=ROUTE,
        key=key,
        fingerprint=fingerprint("POST", ROUTE, {"name": name}),
    )


class Hang:
    """Makes things only once it is released, with its transaction open meanwhile."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.released = asyncio.Event()

    async def __call__(self, tx: Transaction, things: Sequence[Thing]) -> list[Reply | AppError]:
        self.entered.set()
        await self.released.wait()
        return await make_things(tx, things)


class Door:
    """One process of an API: a pool of its own and a group commit on it."""

    def __init__(self, commits: GroupCommit[Thing]) -> None:
        self.commits = commits

    async def post(self, key: str, name: str = "good") -> Reply:
        return await self.commits.submit(claim_of(key, name), Thing(id=uuid.uuid4(), name=name))

    async def post_all(self, *requests: tuple[str, str]) -> list[Reply | BaseException]:
        """Post all at once; the result holds a reply or what was raised, in order."""
        posts = [self.post(key, name) for key, name in requests]
        return await asyncio.gather(*posts, return_exceptions=True)


class Doors:
    """Opens doors to one database, and looks at what came of them."""

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self.url = database.url
        self._stack = stack

    async def open(
        self, url: str | None = None, act: Act[Thing] = make_things, **settings: int
    ) -> Door:
        pool = await self.pool(url)
        return Door(GroupCommit(pool, act, GroupCommitSettings(**settings)))

    async def pool(self, url: str | None = None) -> Pool:
        settings = DatabaseSettings(url=url or self.url, pool_size_max=2, lock_timeout_ms=125)
        return await self._stack.enter_async_context(open_pool(settings, "test"))

    def names(self) -> list[str]:
        """Return the names of the things that were made."""
        return [name for (name,) in self.rows("SELECT name FROM public.effects ORDER BY name")]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
async def doors(database: Database) -> AsyncIterator[Doors]:
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "CREATE TABLE public.effects (id uuid PRIMARY KEY,"
            " name text NOT NULL CHECK (name <> 'poison'))"
        )
    async with AsyncExitStack() as stack:
        yield Doors(database, stack)
