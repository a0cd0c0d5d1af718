"""Freed buffers are used again: later ones of the same sizes cost hardly a page fault."""

import resource
import subprocess
import sys
from typing import Final

import pytest

BUFFER_BYTES: Final = 4 * 1_024 * 1_024
BUFFERS: Final = 10
PAGES: Final = BUFFERS * BUFFER_BYTES // resource.getpagesize()
PROGRAM: Final = f"""
import resource
from libs.foundation.runtime.heap import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    [bytearray({BUFFER_BYTES}) for _ in range({BUFFERS})]

kept = keep_freed_memory()
work()
before = faults()
work()
print(int(kept), faults() - before)
"""


def test_buffers_are_made_of_the_memory_of_those_that_were_freed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60
    )

    kept, faults = (int(each) for each in done.stdout.split())
    if not kept:
        pytest.skip("another C library")
    assert faults < PAGES / 10
