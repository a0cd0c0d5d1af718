"""The worker as a process: what it refuses to start with, and how it ends."""

import aiohttp
import pytest

from deploy.local.ports import free_port
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess, running


def variables(database: Database, port: int, kafka: str) -> dict[str, str]:
    return {
        "WORKER_DATABASE_URL": database.url_for("orderly_worker_inventory"),
        "WORKER_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "WORKER_PROCESS_SIDE_PORT": str(port),
    }


async def is_alive(child: ServiceProcess) -> bool:
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{child.side_url}/livez") as got,
        ):
            return got.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.parametrize("arguments", [(), ("nowhere",), ("orders", "inventory")])
async def test_an_unknown_context_is_refused_with_the_names_of_all(
    arguments: tuple[str, ...],
) -> None:
    async with running(
        "services.worker", *arguments, environment={}, side_port=0, ready=False
    ) as child:
        code = await child.ended()

    assert code == 1
    assert "usage: python -m services.worker orders|inventory|payments" in child.output()


async def test_wave_connections_that_leave_none_over_are_refused(
    database: Database, kafka_bootstrap: str
) -> None:
    port = free_port()
    environment = variables(database, port, kafka_bootstrap)
    environment["WORKER_CONSUMER_WAVE_CONNECTIONS_MAX"] = "4"
    async with running(
        "services.worker", "inventory", environment=environment, side_port=port, ready=False
    ) as child:
        code = await child.ended()

    assert code == 78
    assert "must leave a connection" in child.output()


async def test_without_a_broker_it_lives_is_not_ready_and_ends_when_asked(
    database: Database,
) -> None:
    port = free_port()
    environment = variables(database, port, "127.0.0.1:1")
    async with running(
        "services.worker", "inventory", environment=environment, side_port=port, ready=False
    ) as child:
        await eventually(lambda: is_alive(child))
        await eventually(child.output, lambda output: "consumer_waits_to_start" in output)
        ready = await child.ready()
        code = await child.terminate()

    assert not ready
    assert code == 0, child.output()
