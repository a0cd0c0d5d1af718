"""What a crash leaves in a folder does not keep the next start from working."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.account import remove_folder
from deploy.local.postgres import NOT_DURABLE, PostgresServer


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    yield folder
    remove_folder(folder)


def _server(folder: Path) -> PostgresServer:
    return PostgresServer(folder, folder.with_name("postgres.log"), NOT_DURABLE, os.environ)


async def test_a_pid_file_that_names_a_stranger_is_forgotten(folder: Path) -> None:
    server = _server(folder)
    await server.start()
    await server.stop()
    # As after a crash, when the kernel has meanwhile given the pid to somebody else.
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")

    await server.start()

    assert await server.ready()
    await server.stop()


async def test_a_server_that_outlived_its_launcher_is_ended_before_the_next_start(
    folder: Path,
) -> None:
    forgotten = _server(folder)
    await forgotten.start()
    orphan = forgotten.identity
    assert orphan is not None

    server = _server(folder)
    await server.start()

    assert not orphan.alive
    assert await server.ready()
    await server.stop()


async def test_a_half_made_cluster_is_made_anew(folder: Path) -> None:
    server = _server(folder)
    half_made = folder.resolve() / "unfinished.4711" / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    await server.start()

    assert await server.ready()
    assert not half_made.exists()
    await server.stop()
