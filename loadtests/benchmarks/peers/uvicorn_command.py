"""The command line of uvicorn with its best settings for one small route."""

import sys

from deploy.local.ports import LOOPBACK


def uvicorn_command(application: str, port: int, processes: int) -> list[str]:
    """Serve `module:name` on loopback: the fast loop and parser, no line of log a request."""
    return [
        sys.executable,
        "-m",
        "uvicorn",
        application,
        f"--host={LOOPBACK}",
        f"--port={port}",
        f"--workers={processes}",
        "--loop=uvloop",
        "--http=httptools",
        "--ws=none",
        "--lifespan=off",
        "--no-access-log",
        "--no-server-header",
        "--no-date-header",
        "--no-proxy-headers",
        "--backlog=2048",
        "--log-level=warning",
    ]
