"""One whole Orderly on this machine: servers, preparation, processes, supervision."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from deploy.local import ports, stack_environment
from deploy.local import state as recorded
from deploy.local.api_secrets import make_api_secrets, pin_issuer
from deploy.local.identity import ProcessIdentity, this_process
from deploy.local.kafka import KafkaServer
from deploy.local.launch import StartFailed
from deploy.local.layout import STACK_VARIABLE, Layout, layout_in
from deploy.local.leftovers import alone, end_processes, forget, remove_storage
from deploy.local.postgres import PostgresServer
from deploy.local.preparation import READER, prepare_database
from deploy.local.processes import ORDERLY, Addresses, Process, Table
from deploy.local.service import Service, environment_of, run_to_end
from deploy.local.state import Phase, StackState
from deploy.local.supervision import Supervision

_POSTGRES_SETTINGS: Final = {"max_connections": "100"}


class Stack:
    """One stack; everything that may be asked of it is there once `start` has returned."""

    def __init__(
        self,
        layout: Layout,
        environ: Mapping[str, str],
        report: Callable[[str], None],
        *,
        table: Table = ORDERLY,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        self._layout = layout
        self._report = report
        self._environ = {**environ, STACK_VARIABLE: str(layout.folder)}
        self._table = table
        self._overrides = overrides or {}
        self._supervision = Supervision(self._save, report)
        self._state = StackState(this_process(), Phase.STARTING, self._supervision.states)
        self._postgres = PostgresServer(
            layout.postgres, layout.log("postgres"), _POSTGRES_SETTINGS, self._environ
        )
        self._kafka = KafkaServer(layout.kafka, layout.log("kafka"), self._environ, report)
        self._services: list[Service] = []
        self._addresses: Addresses | None = None
        layout.services.mkdir(exist_ok=True)
        self._tokens = make_api_secrets(layout.services)

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        folder: Path,
        environ: Mapping[str, str] = os.environ,
        *,
        env_overrides: Mapping[str, str] | None = None,
        report: Callable[[str], None] = print,
        table: Table = ORDERLY,
        fresh: bool = True,
    ) -> AsyncGenerator["Stack"]:
        """Start a stack in `folder`, with empty storage if `fresh`, and stop it at the end."""
        layout = layout_in(folder)
        with alone(layout):
            await end_processes(layout, recorded.load(layout))
            if fresh:
                remove_storage(layout)
            stack = cls(layout, environ, report, table=table, overrides=env_overrides)
            try:
                await stack.start()
                yield stack
            finally:
                await stack.stop()

    @property
    def api_url(self) -> str:
        return self._known.api_url

    @property
    def database_url(self) -> str:
        """The DSN of the role that may read everything."""
        return self._known.databases[READER]

    @property
    def kafka_bootstrap(self) -> str:
        return self._kafka.bootstrap

    @property
    def payment_simulator_url(self) -> str:
        return self._known.payment_simulator_url

    @property
    def staff_token(self) -> str:
        return self._tokens.staff

    @property
    def customer_token(self) -> str:
        return self._tokens.customer

    def pid(self, name: str) -> int:
        return self._running(name).pid

    def relay_named(self, holder: str) -> str:
        """Return the name of the relay that holds the lease as `host:pid:id`."""
        pid = int(holder.rsplit(":", 2)[1])
        for name, state in self._state.processes.items():
            if state.process is not None and state.process.pid == pid:
                return name
        raise ProcessLookupError(f"no process of this stack is the holder {holder}")

    def kill(self, name: str) -> None:
        """Kill a process as a crash would; it is started again."""
        self._running(name).send(signal.SIGKILL)

    async def start(self) -> None:
        """Start everything, side by side as far as one thing does not need another."""
        for row in (self._postgres, self._kafka, *self._table.processes):
            self._supervision.expect(row.name)
        self._save()
        failures: list[BaseException] = []
        try:
            await self._start_all()
        except* StartFailed as group:
            # The other tasks were only cancelled because of it.
            failures.append(_first(group))
        if failures:
            raise failures[0]
        self._state.phase = Phase.READY
        self._save()

    async def _start_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            kafka = tasks.create_task(self._supervision.start(self._kafka))
            await self._supervision.start(self._postgres)
            self._addresses = await self._find_addresses()
            tasks.create_task(self._start_services(needs_kafka=False))
            await kafka
            for command in self._table.setup:
                await run_to_end(command, self._layout.log(command.name), self._variables(command))
            tasks.create_task(self._start_services(needs_kafka=True))

    async def stop(self) -> None:
        """Stop everything in reverse order: services first, so that they can still drain."""
        self._state.phase = Phase.STOPPING
        self._save()
        await self._supervision.release()
        await asyncio.gather(*(service.stop() for service in self._services))
        await asyncio.gather(self._postgres.stop(), self._kafka.stop())
        # What was started when a start was cancelled is not in the list of services yet.
        await end_processes(self._layout, self._state)
        forget(self._layout)

    @property
    def _known(self) -> Addresses:
        if self._addresses is None:
            raise RuntimeError("the stack has not been started")
        return self._addresses

    def _running(self, name: str) -> ProcessIdentity:
        process = self._state.processes[name].process
        if process is None or not process.alive:
            raise ProcessLookupError(f"{name} does not run at the moment")
        return process

    async def _find_addresses(self) -> Addresses:
        databases = await asyncio.to_thread(prepare_database, self._postgres.url)
        api_port, payment_simulator_port, issuer_port, admin_port = ports.free_ports(4)
        addresses = Addresses(
            folder=str(self._layout.services),
            kafka=self._kafka.bootstrap,
            api_port=api_port,
            payment_simulator_port=payment_simulator_port,
            issuer_port=issuer_port,
            admin_port=admin_port,
            databases=databases,
        )
        pin_issuer(self._layout.services, addresses.issuer_url)
        return addresses

    async def _start_services(self, *, needs_kafka: bool) -> None:
        async with asyncio.TaskGroup() as tasks:
            for process in self._table.processes:
                if process.needs_kafka is needs_kafka:
                    log = self._layout.log(process.name)
                    service = Service(process, log, self._variables(process))
                    self._services.append(service)
                    tasks.create_task(self._supervision.start(service))

    def _variables(self, process: Process) -> dict[str, str]:
        return environment_of(process, self._known, self._environ, self._overrides)

    def _save(self) -> None:
        """Write down what runs; the addresses only once all of it is ready.

        On a full disk, or in a folder that is gone, what runs is watched and stopped all the same:
        only those who read the file do not learn of it.
        """
        try:
            recorded.save(self._layout, self._state)
            if self._state.phase is Phase.READY:
                stack_environment.write(self._layout, self._published(), self._state.processes)
        except OSError as error:
            self._report(f"the state of the stack was not written down: {error}")

    def _published(self) -> dict[str, str]:
        return {
            "ORDERLY_API_URL": self.api_url,
            "ORDERLY_DATABASE_URL": self.database_url,
            "ORDERLY_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "ORDERLY_PAYMENT_SIMULATOR_URL": self.payment_simulator_url,
            "ORDERLY_ISSUER_URL": self._known.issuer_url,
            "ORDERLY_ADMIN_URL": self._known.admin_url,
            "ORDERLY_STAFF_TOKEN": self.staff_token,
            "ORDERLY_CUSTOMER_TOKEN": self.customer_token,
            **self._variables_of_setup(),
        }

    def _variables_of_setup(self) -> dict[str, str]:
        """Return what the setup commands read: with it `orderly` works on this stack."""
        return {
            name: self._known.fill(template)
            for command in self._table.setup
            for name, template in command.environment.items()
        }


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group, however deep the groups are nested."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _first(inner[0]) if inner else error
