"""A process for the tests of the runtime: behaves as its arguments say."""

import asyncio
import sys
import threading

from libs.foundation.runtime import Process, Progress, run, service
from libs.foundation.settings import ProcessSettings, SettingsError

SETTINGS = ProcessSettings(side_port=0, drain_timeout_ms=500, closing_timeout_ms=500)


def say(word: str) -> None:
    sys.stdout.write(f'{{"event": "{word}"}}\n')
    sys.stdout.flush()


async def obedient(process: Process) -> None:
    await process.stopping.wait()
    say("work_ended")


async def deaf(_process: Process) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("work_interrupted")
        raise


async def crashing(_process: Process) -> None:
    raise RuntimeError("the disk is on fire")


async def returning(_process: Process) -> None:
    return


async def unclosable(process: Process) -> None:
    await process.stopping.wait()
    Closing.hangs = True


class Closing:
    """Something that is open, and that may never close."""

    hangs = False

    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, *_error: object) -> None:
        if self.hangs:
            await asyncio.Event().wait()


async def blocking(process: Process) -> None:
    await process.stopping.wait()
    threading.Event().wait()  # The loop itself hangs.


WORK = {
    "obedient": obedient,
    "deaf": deaf,
    "crashing": crashing,
    "returning": returning,
    "blocking": blocking,
    "unclosable": unclosable,
}


async def main(names: list[str]) -> None:
    if names == ["misconfigured"]:
        raise SettingsError(["X_PORT is missing: expected an integer"])
    async with service("specimen", SETTINGS, configuration=SETTINGS) as process, Closing():
        if names == ["never-starting"]:
            await asyncio.Event().wait()
        progress = Progress("loop", limit_s=60)
        progress.idle()
        process.ready_when(progress.check)
        await process.run_until_stopped(*[WORK[name](process) for name in names])


if __name__ == "__main__":
    run(main(sys.argv[1:]))
