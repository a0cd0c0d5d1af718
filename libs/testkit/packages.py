"""Runs `python -m PACKAGE` again and again, and pays for its imports once.

Each run is a process of its own, forked from one that has imported the package and done nothing
else: a command line that takes a second to start takes a few hundredths of it.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_FORKS: Final = multiprocessing.get_context("forkserver")
_LONGEST_S: Final = 110
_KILLED_S: Final = 10


class StillRunning(Exception):
    """A run did not end in its time and was killed."""


def run_package(
    package: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str]:
    """Return the exit status and what was written, to either stream, in the order of flushing.

    Importing the package's `__main__` must do nothing; `environment` is the whole of it. The call
    blocks: in a coroutine run it in a thread.
    """
    # It has an effect until the first process is made; another package only starts slower.
    _FORKS.set_forkserver_preload([f"{package}.__main__"])
    with TemporaryDirectory() as folder:
        written = Path(folder) / "written"
        written.touch()
        process = _FORKS.Process(
            target=_become, args=(package, list(arguments), dict(environment), written), daemon=True
        )
        process.start()
        process.join(_LONGEST_S)
        if process.exitcode is None:
            process.kill()
            process.join(_KILLED_S)
            raise StillRunning(f"{package} {' '.join(arguments)}: {written.read_text()}")
        return process.exitcode, written.read_text()


def _become(
    package: str, arguments: list[str], environment: Mapping[str, str], written: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(written, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    sys.argv[1:] = arguments
    # It runs anew, as the main module; what it imports is there already.
    sys.modules.pop(f"{package}.__main__", None)
    runpy.run_module(package, run_name="__main__", alter_sys=True)
