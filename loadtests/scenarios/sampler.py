"""Looks at every process once a second: its own metrics, and what it takes of the machine."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final

import aiohttp
import psutil
from msgspec import Struct, field

from libs.foundation.runtime.interruption import interrupt

_INTERVAL_S: Final = 1.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=0.8)
_LINE: Final = re.compile(r"^([a-z_]+)(?:\{[^}]*\})? ([0-9.eE+-]+)$", re.MULTILINE)
_MIB: Final = 1_048_576


class Watched(Struct, frozen=True):
    """A metric, and how the values of its labels and processes make one number."""

    metric: str
    merge: Callable[[Iterable[float]], float]


QUEUES: Final[Mapping[str, Watched]] = {
    "requests in flight": Watched("http_requests_in_flight", sum),
    "waiting for a flush": Watched("group_commit_waiting", sum),
    "outbox rows": Watched("outbox_backlog_rows", max),
    "messages": Watched("consumer_lag_messages", sum),
}
LAGS: Final[Mapping[str, Watched]] = {
    "oldest outbox row": Watched("outbox_oldest_unpublished_seconds", max),
    "oldest message read": Watched("consumer_lag_seconds", max),
}


class Sample(Struct, frozen=True, kw_only=True):
    """One look; a process that did not answer in time is missing from `queues` and `lags`."""

    at_s: float
    queues: dict[str, float] = field(default_factory=dict[str, float])
    lags: dict[str, float] = field(default_factory=dict[str, float])
    cores: dict[str, float] = field(default_factory=dict[str, float])
    memory_mib: dict[str, float] = field(default_factory=dict[str, float])


class Sampler:
    """Collects samples for as long as it runs."""

    def __init__(self, side_urls: Mapping[str, str], pids: Mapping[str, int]) -> None:
        self.samples: list[Sample] = []
        self._side_urls = side_urls
        self._pids = pids
        self._cpu_s = {name: _tree(pid)[0] for name, pid in pids.items()}
        self._began_s = self._looked_s = perf_counter()

    async def run(self) -> None:
        """Look for ever."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                await asyncio.sleep(_INTERVAL_S)
                await self._look(session)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        pages = await asyncio.gather(*(_page(session, url) for url in self._side_urls.values()))
        values: dict[str, list[float]] = {}
        for page in pages:
            for name, value in _LINE.findall(page):
                values.setdefault(name, []).append(float(value))
        now_s = perf_counter()
        cores: dict[str, float] = {}
        memory_mib: dict[str, float] = {}
        for name, pid in self._pids.items():
            cpu_s, memory = _tree(pid)
            cores[name] = max(0.0, cpu_s - self._cpu_s[name]) / (now_s - self._looked_s)
            memory_mib[name] = memory / _MIB
            self._cpu_s[name] = cpu_s
        self._looked_s = now_s
        self.samples.append(
            Sample(
                at_s=now_s - self._began_s,
                queues=_picked(QUEUES, values),
                lags=_picked(LAGS, values),
                cores=cores,
                memory_mib=memory_mib,
            )
        )


@asynccontextmanager
async def sampling(
    side_urls: Mapping[str, str], pids: Mapping[str, int]
) -> AsyncGenerator[Sampler]:
    """Sample until the block ends."""
    sampler = Sampler(side_urls, pids)
    task = asyncio.create_task(sampler.run())
    try:
        yield sampler
    finally:
        await interrupt(task)


def _picked(wanted: Mapping[str, Watched], values: Mapping[str, list[float]]) -> dict[str, float]:
    return {
        name: each.merge(values[each.metric])
        for name, each in wanted.items()
        if each.metric in values
    }


async def _page(session: aiohttp.ClientSession, side_url: str) -> str:
    """Read a page of metrics; a process that is slowed down on purpose may not answer."""
    try:
        async with session.get(f"{side_url}/metrics") as answer:
            return await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return ""


def _tree(pid: int) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of a process and its children."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0, 0
    seconds, memory = 0.0, 0
    for member in family:
        try:
            times = member.cpu_times()
            memory += _own_memory(member)
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
    return seconds, memory


def _own_memory(process: psutil.Process) -> int:
    """Return resident bytes without what is shared: PostgreSQL's buffers would count often."""
    memory = process.memory_info()
    return max(0, memory.rss - getattr(memory, "shared", 0))
