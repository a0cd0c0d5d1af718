"""Starts one server or service as a child with its own session and log file, and awaits it."""

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.local.account import Account

_POLL_S: Final = 0.02
_TAIL_LINES: Final = 15


class StartFailed(Exception):
    """A server or service ended, or did not answer, before it was ready."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        super().__init__(f"{name} {reason}; the end of {log}:\n{tail(log)}")


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


async def until_ready(
    name: str,
    child: subprocess.Popen[bytes],
    ready: Callable[[], Awaitable[bool]],
    log: Path,
    within_s: float,
) -> None:
    """Wait for `ready`; a child that ends first, or needs longer, raises StartFailed."""
    ends_at = time.monotonic() + within_s
    while not await ready():
        if child.poll() is not None:
            raise StartFailed(name, f"ended with status {child.returncode}", log)
        if time.monotonic() > ends_at:
            raise StartFailed(name, f"was not ready within {within_s:.0f} s", log)
        await asyncio.sleep(_POLL_S)


def tail(log: Path) -> str:
    if not log.exists():
        return "(no log)"
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def _rotate(log: Path) -> None:
    """Keep the log of this start and of the one before: a crash loop must not fill the disk."""
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
