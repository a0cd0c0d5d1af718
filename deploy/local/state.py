"""What the supervisor writes down about itself and its children, for status and down to read."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from deploy.local.identity import ProcessIdentity
from deploy.local.layout import Layout, write_atomically


class Phase(StrEnum):
    """Where a process, or the whole stack, stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    FAILED = "failed"
    STOPPING = "stopping"


class ProcessState(Struct):
    """One child; `process` is None while it does not run."""

    phase: Phase = Phase.WAITING
    process: ProcessIdentity | None = None
    restarts: int = 0
    last_failure: str | None = None


class StackState(Struct):
    """The supervisor and its children, in the order in which they are started."""

    supervisor: ProcessIdentity
    phase: Phase
    processes: dict[str, ProcessState]
    failure: str | None = None


def save(layout: Layout, state: StackState) -> None:
    write_atomically(layout.state, msgspec.json.encode(state))


def load(layout: Layout) -> StackState | None:
    """Return what the last supervisor wrote; None if there is nothing readable."""
    try:
        return msgspec.json.decode(layout.state.read_bytes(), type=StackState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
