"""The generator of HTTP load: wrk with a script; it reports what it sent and what came back."""

import asyncio
import os
import re
import shutil
from typing import Final

import msgspec
from msgspec import Struct

from deploy.local.layout import ROOT
from loadtests.benchmarks.commands import CommandFailed, run_to_end
from loadtests.benchmarks.measurement import NotMeasured
from loadtests.benchmarks.site import Site

CLOSED: Final = "place_orders.lua"
PACED: Final = "paced_orders.lua"
_INSTALL_S: Final = 120
_MARGIN_S: Final = 15
_MISSING: Final = "wrk is not installed (on Debian: apt-get install wrk)"
_RESULT: Final = re.compile(r"^RESULT (\{.*\})$", re.MULTILINE)


class Load(Struct, frozen=True, kw_only=True):
    """What to send; `rate` is only for the paced script, 0 elsewhere."""

    url: str
    token: str
    connections: int
    seconds: int
    script: str = CLOSED
    rate: float = 0


class LoadResult(Struct, frozen=True, kw_only=True):
    """What wrk saw, and how many cores it took."""

    seconds: float
    requests: int
    other: int
    """Answers of 400 and above."""
    broken: int
    """Connections refused or cut, and answers that did not come in time."""
    p50_ms: float
    p99_ms: float
    sent_rate: float = 0
    """Requests a second that the paced script began."""
    accepted: int = 0
    accepted_p50_ms: float = 0
    accepted_p99_ms: float = 0
    """From the intended start of requests that were accepted; only of the paced script."""
    cores: float = 0

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return (self.requests - self.other) / self.seconds


async def ensure_wrk(site: Site) -> None:
    """Install wrk where that is possible without a question; else it is named as missing."""
    if shutil.which("wrk") is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotMeasured(_MISSING)
    site.say("Installing wrk")
    quiet = {**site.environment, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (("update", "-qq"), ("install", "-y", "-qq", "wrk")):
            await run_to_end(("apt-get", *command), environment=quiet, limit_s=_INSTALL_S)
    except (CommandFailed, OSError) as error:
        raise NotMeasured(f"{_MISSING}; the attempt failed: {error}") from error
    if shutil.which("wrk") is None:
        raise NotMeasured(_MISSING)


async def wrk_version() -> str:
    """Return the version that wrk states, or that it is missing."""
    if shutil.which("wrk") is None:
        return "missing"
    process = await asyncio.create_subprocess_exec(
        "wrk", "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()  # It ends with status 1 whatever it is asked.
    return output.decode().partition(" [")[0].removeprefix("wrk ").strip()


async def generate(site: Site, load: Load) -> LoadResult:
    """Send orders for the time given, from one thread."""
    script = ROOT / "loadtests" / "benchmarks" / "lua" / load.script
    options = ("-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "10s")
    arguments = (load.token, str(load.rate))
    done = await run_to_end(
        ("wrk", *options, "-s", str(script), load.url, "--", *arguments),
        environment=site.environment,
        limit_s=load.seconds + _MARGIN_S,
    )
    found = _RESULT.search(done.output)
    if found is None:
        raise CommandFailed(f"wrk printed no result: {done.output[-400:]}")
    result = msgspec.json.decode(found.group(1), type=LoadResult)
    return msgspec.structs.replace(result, cores=done.cores)
