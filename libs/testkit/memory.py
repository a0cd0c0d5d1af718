"""Reads from the system how much memory a process has held."""

from pathlib import Path

_PEAK = "VmHWM:"
_KIB_PER_MIB = 1_024


def peak_mib(pid: int) -> float:
    """Return the largest resident set a process has had so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(_PEAK):
            return int(line.split()[1]) / _KIB_PER_MIB
    raise RuntimeError(f"the system does not tell the peak of process {pid}")
