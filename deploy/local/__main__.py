"""`python -m deploy.local up|down|status|run`: the stack of this checkout."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local import commands
from deploy.local.layout import ROOT, layout_in

_COMMANDS: Final = {
    "up": commands.up,
    "down": commands.down,
    "status": commands.status,
    "run": commands.run,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("--folder", type=Path, default=ROOT / "var", help="state of the stack")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of a process, for example RELAY_LEASE_MS=3000 (up and run)",
    )
    given = parser.parse_args(arguments)
    command = _COMMANDS[given.command]
    return asyncio.run(command(layout_in(given.folder), os.environ, given.set))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
