"""Keeps programs running: starts them, restarts those that end, writes down what happened."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from deploy.local.launch import Program, StartFailed
from deploy.local.state import Phase, ProcessState

_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 15.0
# A program that ran this long was not in a crash loop: its next restart is quick again.
_STEADY_S: Final = 30.0


class Supervision:
    """Runs programs until `stop`; `changed` is called after every change of their states."""

    def __init__(self, changed: Callable[[], None], report: Callable[[str], None]) -> None:
        self.states: dict[str, ProcessState] = {}
        self._changed = changed
        self._report = report
        self._keepers: list[asyncio.Task[None]] = []

    def expect(self, name: str) -> None:
        """Show a program as waiting before it is started."""
        self.states[name] = ProcessState()

    async def start(self, program: Program) -> None:
        """Start the program and keep it running; a first start that fails raises StartFailed."""
        began_at = time.monotonic()
        await self._start(program)
        self._report(f"{program.name} is ready ({time.monotonic() - began_at:.1f} s)")
        self._keepers.append(asyncio.create_task(self._keep(program)))

    async def release(self) -> None:
        """Stop restarting what ends."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()

    async def _start(self, program: Program) -> None:
        await program.spawn()
        self._record(program, Phase.STARTING)
        await program.until_ready()
        self._record(program, Phase.READY)

    async def _keep(self, program: Program) -> None:
        """Restart the program whenever it ends; the pauses grow while it fails at once."""
        failures = 0
        while True:
            ready_at = time.monotonic()
            failure: str | None = f"ended with status {await program.ended()}"
            if time.monotonic() - ready_at > _STEADY_S:
                failures = 0
            while failure is not None:
                self._report(f"{program.name} {failure}; it is started again")
                self._record(program, Phase.BACKING_OFF, failure)
                await asyncio.sleep(delay_s(failures, random.random()))
                failures += 1
                failure = await self._try_start(program)

    async def _try_start(self, program: Program) -> str | None:
        """Start the program again, and return why it failed."""
        self.states[program.name].restarts += 1
        try:
            await self._start(program)
        except (StartFailed, OSError) as error:
            await program.stop()
            return str(error)
        return None

    def _record(self, program: Program, phase: Phase, failure: str | None = None) -> None:
        state = self.states[program.name]
        state.phase = phase
        state.process = program.identity
        state.last_failure = failure or state.last_failure
        self._changed()


def delay_s(failures: int, chance: float) -> float:
    """Return the pause before the next start; `chance` in [0, 1) spreads it (full jitter)."""
    return chance * min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** min(failures, 30))
