"""Runs one PostgreSQL cluster in a folder of its own, on loopback TCP."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg

from deploy.local import account, identity, launch, ports
from deploy.local.launch import Program
from deploy.local.programs import postgres_programs

_INIT_OPTIONS: Final = (
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
# A test cluster is thrown away, so losing it to a power cut costs nothing.
NOT_DURABLE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer(Program):
    """One cluster: made on first use, started on a free port that it keeps until the end."""

    stop_signal = signal.SIGINT  # Fast: sessions are cut. SIGTERM would wait for their clients.

    def __init__(
        self, folder: Path, log: Path, settings: Mapping[str, str], environ: Mapping[str, str]
    ) -> None:
        super().__init__("postgres", log)
        self._account = account.unprivileged()
        self._programs = postgres_programs(self._account)
        self._folder = account.private_folder(folder, self._account)
        self._settings = dict(settings)
        # No PG* variable of the person who starts it: they change what the programs do.
        self._environ = {name: text for name, text in environ.items() if not name.startswith("PG")}
        self.port = ports.free_port()

    @property
    def data(self) -> Path:
        return self._folder / "cluster" / "data"

    @property
    def url(self) -> str:
        """The superuser's DSN."""
        password = (self._folder / "cluster" / "superuser_password").read_text()
        return f"postgresql://postgres:{password}@{ports.LOOPBACK}:{self.port}/postgres"

    async def spawn(self) -> None:
        """Clean what a crash left, make the cluster if there is none, start the postmaster."""
        await self._clear_leftovers()
        if not self.data.exists():
            await asyncio.to_thread(self._make_cluster)
        options = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            # No socket file: its path may be too long, and a second clone may use the same folder.
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._settings,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self.child = launch.start(
            [str(self._programs / "postgres"), "-D", str(self.data), *arguments],
            self.log,
            environment=self._environ,
            directory=self._folder,
            account=self._account,
        )

    async def ready(self) -> bool:
        """Say whether a client can log in."""
        try:
            connection = await psycopg.AsyncConnection.connect(self.url, connect_timeout=2)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    async def kill9(self) -> None:
        """Kill every process of the cluster at once, as a crash of the machine would."""
        if self.child is None:
            raise RuntimeError("PostgreSQL does not run")
        # Stopped first, the postmaster cannot start a process that the list does not have.
        self.child.send_signal(signal.SIGSTOP)
        members = identity.working_in(self.data, "postgres")
        await identity.stop(members, self.stop_s, first=signal.SIGKILL)
        self.child.wait()
        self.child = None

    async def _clear_leftovers(self) -> None:
        """End processes of an earlier start on this data, then forget its pid file.

        The pid in that file may meanwhile belong to somebody else, which PostgreSQL cannot tell.
        """
        for unfinished in self._folder.glob("unfinished.*"):
            shutil.rmtree(unfinished)
        leftovers = identity.working_in(self.data, "postgres")
        await identity.stop(leftovers, self.stop_s, first=signal.SIGQUIT)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        """Make the cluster aside and rename it: a half-made one is never started."""
        unfinished = self._folder / f"unfinished.{os.getpid()}"
        unfinished.mkdir()
        password_file = unfinished / "superuser_password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24))
        if self._account is not None:
            for path in (unfinished, password_file):
                os.chown(path, self._account.uid, self._account.gid)
        subprocess.run(
            [
                str(self._programs / "initdb"),
                f"--pgdata={unfinished / 'data'}",
                f"--pwfile={password_file}",
                *_INIT_OPTIONS,
                *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            env=self._environ,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        unfinished.rename(self._folder / "cluster")
