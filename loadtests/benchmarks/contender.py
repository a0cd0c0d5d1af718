"""What every contender is: something that measures figures once a round."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site


class Contender(ABC):
    """One side of a ratio; nothing of it runs outside `prepare` and `measure`."""

    name: ClassVar[str]
    what: ClassVar[str]
    """One line for the report."""
    unit: ClassVar[str]
    """What its `rate` counts in a second; the report compares only what counts the same."""
    needs_kafka: ClassVar[bool] = False
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By figure: the contenders that size its load, and run earlier in the first round."""
    turn_s: ClassVar[float] = 120
    """Longest time of one turn."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        """What it runs with, for the report."""

    @abstractmethod
    async def prepare(self, site: Site) -> None:
        """Make data and find the best settings, once; raises NotMeasured where it cannot run."""

    @abstractmethod
    async def measure(self, site: Site, number: int) -> Measurement:
        """Take one turn in round `number`, from 0."""
