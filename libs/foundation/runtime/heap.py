"""Tells the C library's allocator what a process does with memory."""

import ctypes
from typing import Final

# The names are those of mallopt(3); its header gives them these numbers.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
# The largest that glibc takes: whatever is smaller is cut from the heap.
_MAPPED_FROM_BYTES: Final = 32 * 1_024 * 1_024
_KEPT_BYTES: Final = 64 * 1_024 * 1_024


def keep_freed_memory() -> bool:
    """Let freed memory, 64 MiB of it, be used again instead of going back to the system.

    For a process that makes and frees buffers of megabytes all the time: each new page costs a
    fault and is filled with zeros first. Another C library than glibc is left as it is, and
    False is returned.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    )
