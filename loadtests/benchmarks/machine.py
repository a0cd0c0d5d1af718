"""Describes the machine a run happened on: what its ratios depend on."""

import os
import platform
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Final

import psutil
from msgspec import Struct

_SYNCS: Final = 200
_PAGE_BYTES: Final = 8_192
_LIBRARIES: Final = ("litestar", "uvicorn", "psycopg", "aiokafka", "fastapi", "sqlalchemy")


class SyncLatency(Struct, frozen=True, kw_only=True):
    """Time to write one page and have the disk confirm it."""

    p50_us: float
    p99_us: float


class Machine(Struct, frozen=True, kw_only=True):
    """Everything a reader needs to judge whether another machine would say the same."""

    cores: int
    processor: str
    memory_gib: float
    kernel: str
    python: str
    libraries: dict[str, str]
    load_average: float
    """Of the minute before the run: another program that runs too spoils it."""
    sync: SyncLatency


def describe(folder: Path) -> Machine:
    """Describe this machine; the disk measured is the one that holds `folder`."""
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        processor=_processor(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries={name: version(name) for name in _LIBRARIES},
        load_average=round(os.getloadavg()[0], 2),
        sync=sync_latency(folder),
    )


def sync_latency(folder: Path) -> SyncLatency:
    """Write a page and sync it, again and again, as a commit does with the log."""
    times_s: list[float] = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(bytes(_PAGE_BYTES * _SYNCS))
        os.fsync(file.fileno())
        for number in range(_SYNCS):
            os.pwrite(file.fileno(), bytes([number % 256]) * _PAGE_BYTES, number * _PAGE_BYTES)
            started_s = perf_counter()
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times_s.append(perf_counter() - started_s)
    return SyncLatency(
        p50_us=round(percentile(times_s, 50) * 1e6, 1),
        p99_us=round(percentile(times_s, 99) * 1e6, 1),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    position = -(-len(ordered) * percent // 100)  # Rounded up.
    return ordered[max(0, min(len(ordered), int(position)) - 1)]


def _cores() -> int:
    return os.cpu_count() or 1


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
