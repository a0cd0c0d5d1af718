"""The life of a process: start, readiness, drain, side port."""

from libs.foundation.runtime.life import Phase
from libs.foundation.runtime.process import CannotStart, DrainTimedOut, EndedEarly, Process
from libs.foundation.runtime.readiness import Progress, Readiness
from libs.foundation.runtime.run import run
from libs.foundation.runtime.service import service

__all__ = [
    "CannotStart",
    "DrainTimedOut",
    "EndedEarly",
    "Phase",
    "Process",
    "Progress",
    "Readiness",
    "run",
    "service",
]
