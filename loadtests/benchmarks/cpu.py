"""Says how many cores each group of processes took over a stretch of time."""

from collections.abc import Collection, Mapping
from time import perf_counter

import psutil


class CpuWatch:
    """Groups are named; each is processes with their descendants, also those that ended.

    This process is a group of its own, `bench`, without its descendants: they have other names.
    """

    def __init__(self, groups: Mapping[str, Collection[int]]) -> None:
        self._groups = dict(groups)
        self._machine_s = _machine_s()
        self._bench_s = _bench_s()
        self._groups_s = {name: _trees_s(pids) for name, pids in self._groups.items()}
        self._started_s = perf_counter()

    def cores(self) -> dict[str, float]:
        """Return the cores taken since the start, by group and by the whole machine."""
        elapsed_s = perf_counter() - self._started_s
        taken = {
            f"{name}_cores": max(0.0, _trees_s(pids) - self._groups_s[name]) / elapsed_s
            for name, pids in self._groups.items()
        }
        taken["bench_cores"] = (_bench_s() - self._bench_s) / elapsed_s
        taken["machine_cores"] = (_machine_s() - self._machine_s) / elapsed_s
        return taken


def _trees_s(pids: Collection[int]) -> float:
    return sum(_tree_s(pid) for pid in pids)


def _tree_s(pid: int) -> float:
    """Return the CPU time of a process and its descendants; an ended process adds nothing."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(_own_s(member) for member in family)


def _own_s(process: psutil.Process) -> float:
    """Return a process's time and that of the children it has already waited for."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system + times.children_user + times.children_system


def _bench_s() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system


def _machine_s() -> float:
    times = psutil.cpu_times()
    idle: float = times.idle + getattr(times, "iowait", 0.0)
    return sum(times) - idle
