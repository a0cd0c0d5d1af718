"""Starts a server or a service as a child with its own session and log file, and awaits it."""

import asyncio
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from deploy.local import identity
from deploy.local.account import Account
from deploy.local.identity import ProcessIdentity

_POLL_S: Final = 0.02
_TAIL_LINES: Final = 15


class StartFailed(Exception):
    """A program ended, or did not answer, before it was ready."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        super().__init__(f"{name} {reason}; the end of {log}:\n{_tail(log)}")


class Program(ABC):
    """Something that runs as one child of this process, and can be started again."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_s: float = 30.0
    stop_s: float = 15.0

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    async def spawn(self) -> None:
        """Start the child and keep it in `child`."""

    @abstractmethod
    async def ready(self) -> bool:
        """Say whether it does its work."""

    @property
    def identity(self) -> ProcessIdentity | None:
        """Name the running child; None once it has ended."""
        if self.child is None or self.child.poll() is not None:
            return None
        return identity.identify(self.child.pid)

    async def start(self) -> None:
        await self.spawn()
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until it is ready; one that ends first, or needs too long, raises StartFailed."""
        ends_at = time.monotonic() + self.start_s
        while not await self.ready():
            if self.child is None or self.child.poll() is not None:
                status = None if self.child is None else self.child.returncode
                raise StartFailed(self.name, f"ended with status {status}", self.log)
            if time.monotonic() > ends_at:
                raise StartFailed(self.name, f"was not ready within {self.start_s:.0f} s", self.log)
            await asyncio.sleep(_POLL_S)

    async def ended(self) -> int | None:
        """Wait for the child's end, and return its exit status; a signal's is negative."""
        # The standard library's own way to await a child ends with the event loop that started it.
        while self.child is not None and self.child.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        return None if self.child is None else self.child.returncode

    async def stop(self) -> None:
        """Ask the child to end, and kill it if it does not within `stop_s`."""
        running = self.identity
        if running is not None:
            await identity.stop([running], self.stop_s, first=self.stop_signal)
        if self.child is not None:
            self.child.wait()
            self.child = None


def start(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str],
    directory: Path,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command`; its own session keeps the terminal's Ctrl-C for the supervisor alone."""
    log.parent.mkdir(parents=True, exist_ok=True)
    _rotate(log)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,  # None would keep root's groups.
        )


def _rotate(log: Path) -> None:
    """Keep the log of this start and of the one before: a crash loop must not fill the disk."""
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))


def _tail(log: Path) -> str:
    if not log.exists():
        return "(no log)"
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
