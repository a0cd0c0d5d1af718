"""Writes `stack.env`: where everything is, for people, load generators and checkers."""

from collections.abc import Mapping

from deploy.local.layout import Layout, write_atomically
from deploy.local.state import ProcessState


def write(layout: Layout, addresses: Mapping[str, str], states: Mapping[str, ProcessState]) -> None:
    """Write the addresses, and the pid of each process that runs."""
    variables = {**addresses, **_pids(states)}
    lines = [f"{name}={_quoted(text)}\n" for name, text in variables.items()]
    write_atomically(layout.environment, "".join(lines).encode())


def _pids(states: Mapping[str, ProcessState]) -> dict[str, str]:
    return {
        f"ORDERLY_PID_{name.upper().replace('-', '_')}": str(state.process.pid)
        for name, state in states.items()
        if state.process is not None
    }


def _quoted(text: str) -> str:
    """Quote for a shell only what needs it: other readers take the line after `=` as it is."""
    plain = all(character.isalnum() or character in "-_.:/@%=+~," for character in text)
    return text if plain else "'" + text.replace("'", "'\\''") + "'"
