"""Finds or starts the PostgreSQL and the Kafka of a test run: three providers, one result."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.local.kafka import KafkaServer
from deploy.local.postgres import NOT_DURABLE, PostgresServer

PROVIDER_VARIABLE: Final = "ORDERLY_TEST_PROVIDER"
DATABASE_VARIABLE: Final = "ORDERLY_TEST_DATABASE_URL"
KAFKA_VARIABLE: Final = "ORDERLY_TEST_KAFKA_BOOTSTRAP"
_SETTINGS: Final = {**NOT_DURABLE, "max_connections": "300", "shared_buffers": "256MB"}


class Provider(StrEnum):
    EMBEDDED = "embedded"
    SERVERS = "servers"
    TESTCONTAINERS = "testcontainers"


class Servers(Struct, frozen=True):
    """Where the servers of a run are."""

    provider: Provider
    database_url: str
    kafka_bootstrap: str


def chosen(environ: Mapping[str, str]) -> Provider:
    """Return the provider that the environment names; embedded if it names none."""
    wanted = environ.get(PROVIDER_VARIABLE, Provider.EMBEDDED)
    try:
        return Provider(wanted)
    except ValueError:
        offered = ", ".join(Provider)
        raise RuntimeError(f"{PROVIDER_VARIABLE} is {wanted!r}; it may be {offered}") from None


async def start(environ: Mapping[str, str], folder: Path, report: Callable[[str], None]) -> Servers:
    """Start or look up the servers; a server that cannot be had is an error, never a skip."""
    match chosen(environ):
        case Provider.EMBEDDED:
            return await _embedded(environ, folder, report)
        case Provider.SERVERS:
            return _named(environ)
        case Provider.TESTCONTAINERS:
            # Imported here: the library asks for a container engine, which many machines lack.
            from libs.testkit.containers import start_containers  # noqa: PLC0415

            return Servers(Provider.TESTCONTAINERS, *await start_containers())


async def _embedded(
    environ: Mapping[str, str], folder: Path, report: Callable[[str], None]
) -> Servers:
    postgres = PostgresServer(
        folder / "postgres", folder / "log" / "postgres.log", _SETTINGS, environ
    )
    kafka = KafkaServer(folder / "kafka", folder / "log" / "kafka.log", environ, report)
    try:
        # Kafka takes seconds to start: PostgreSQL is made meanwhile.
        await kafka.spawn()
        await postgres.start()
        await kafka.until_ready()
    except BaseException:
        await postgres.stop()
        await kafka.stop()
        raise
    return Servers(
        provider=Provider.EMBEDDED,
        database_url=postgres.url,
        kafka_bootstrap=kafka.bootstrap,
    )


def _named(environ: Mapping[str, str]) -> Servers:
    missing = [name for name in (DATABASE_VARIABLE, KAFKA_VARIABLE) if not environ.get(name)]
    if missing:
        raise RuntimeError(f"{PROVIDER_VARIABLE}=servers needs {' and '.join(missing)}")
    return Servers(
        provider=Provider.SERVERS,
        database_url=environ[DATABASE_VARIABLE],
        kafka_bootstrap=environ[KAFKA_VARIABLE],
    )
