"""Starts PostgreSQL and Kafka in containers, for those who want the images they deploy."""

import asyncio
from typing import Final

from testcontainers.core.container import DockerContainer
from testcontainers.postgres import PostgresContainer

from deploy.local.database_url import with_database
from deploy.local.kafka import broker_answers
from deploy.local.ports import free_port

_POSTGRES_IMAGE: Final = "postgres:18"
_KAFKA_IMAGE: Final = "apache/kafka:4.1.0"
_START_S: Final = 90.0


async def start_containers() -> tuple[str, str]:
    """Start one container of each, and return the superuser's DSN and the broker's address.

    The library's reaper removes both containers when this process ends.
    """
    postgres = PostgresContainer(_POSTGRES_IMAGE, username="postgres", driver=None).start()
    bootstrap = _start_kafka(str(postgres.get_container_host_ip()))
    async with asyncio.timeout(_START_S):
        while not await broker_answers(bootstrap):
            await asyncio.sleep(0.2)
    return with_database(postgres.get_connection_url(), "postgres"), bootstrap


def _start_kafka(host: str) -> str:
    """Start a broker on the same port inside and outside, so that it can advertise it."""
    port = free_port()
    container = DockerContainer(_KAFKA_IMAGE).with_bind_ports(port, port)
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }.items():
        container.with_env(name, value)
    container.start()
    return f"{host}:{port}"
