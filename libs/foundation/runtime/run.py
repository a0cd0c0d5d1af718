"""Runs the main coroutine of a process and turns how it ended into an exit code."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

from libs.foundation.observability.logs import get_logger
from libs.foundation.runtime.process import CannotStart
from libs.foundation.settings import SettingsError

_log: Final = get_logger(__name__)

_EXIT_CODE_CRASHED: Final = 1
_EXIT_CODE_CANNOT_START: Final = 78  # EX_CONFIG of sysexits.h.
_EXIT_CODE_INTERRUPTED: Final = 130


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to its end; anything it raises is logged and ends the process with an error."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
    except SettingsError as error:
        # Logs are set up by the settings, so these go to the terminal as they are.
        sys.stderr.write(f"{error}\n")
        sys.exit(_EXIT_CODE_CANNOT_START)
    except CannotStart as error:
        _log.critical("process_cannot_start", reason=str(error))
        sys.exit(_EXIT_CODE_CANNOT_START)
    except KeyboardInterrupt:
        sys.exit(_EXIT_CODE_INTERRUPTED)
    except Exception:  # noqa: BLE001  # Whatever it is, it is logged and it ends the process.
        _log.exception("process_crashed")
        sys.exit(_EXIT_CODE_CRASHED)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform not in {"linux", "darwin"}:
        return None
    import uvloop  # noqa: PLC0415  # It does not exist elsewhere.

    return uvloop.new_event_loop
