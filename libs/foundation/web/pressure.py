"""How much of the writes the door sheds: soft and hard marks, with hysteresis, as pure code."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]


class AdmissionSettings(Struct, frozen=True, kw_only=True):
    """When the API refuses writes: from a soft mark on a growing share, from the hard one on all.

    Each mark of age or size is asked of the database once a second, beside the requests.
    """

    writes_in_flight_max: Positive = 768
    """Requests being answered beyond which writes are answered 503; reads pass to in_flight_max."""
    pool_waiting_max: Positive = 32
    """Requests waiting for a connection beyond which writes are answered 503; reads still wait."""
    question_interval_ms: Positive = 1_000
    """Pause between two questions to the database."""
    question_timeout_ms: Positive = 500
    """Longest time for one question; a longer one counts as not answered."""
    outbox_age_soft_ms: Positive = 300_000
    """Age of the oldest unpublished event from which a share of the writes is shed."""
    outbox_age_hard_ms: Positive = 900_000
    """Age from which all writes are shed."""
    outbox_soft_bytes: Positive = 1_073_741_824
    """Estimated size of what is unpublished from which a share of the writes is shed."""
    outbox_hard_bytes: Positive = 4_294_967_296
    """Size from which all writes are shed."""
    open_work_age_soft_ms: Positive = 2_400_000
    """Age of the oldest open work that nobody was called to, from which a share is shed."""
    open_work_age_hard_ms: Positive = 7_200_000
    """Age from which all writes are shed."""
    unanswered_soft_ms: Positive = 10_000
    """Time without an answer to these questions after which a share of the writes is shed."""
    unanswered_hard_ms: Positive = 120_000
    """Time after which all writes are shed."""
    resume_ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.8
    """Part of a mark below which a reading must fall before what the mark did is undone."""
    retry_after_min_s: Positive = 5
    """Least Retry-After while a mark is passed."""
    retry_after_max_s: Positive = 15
    """Largest Retry-After while a mark is passed; clients are spread over the range."""

    def __post_init__(self) -> None:
        if any(marks.soft >= marks.hard for marks in self.marks().values()):
            raise ValueError("each soft mark must be below its hard mark")
        if self.question_timeout_ms >= self.unanswered_soft_ms:
            raise ValueError("question_timeout_ms < unanswered_soft_ms must hold")
        if self.retry_after_min_s > self.retry_after_max_s:
            raise ValueError("retry_after_min_s <= retry_after_max_s must hold")

    def marks(self) -> "Mapping[Signal, Marks]":
        """Return the marks of every signal, ages in seconds."""
        return {
            Signal.OUTBOX_AGE: Marks(
                soft=self.outbox_age_soft_ms / 1_000, hard=self.outbox_age_hard_ms / 1_000
            ),
            Signal.OUTBOX_BYTES: Marks(soft=self.outbox_soft_bytes, hard=self.outbox_hard_bytes),
            Signal.OPEN_WORK_AGE: Marks(
                soft=self.open_work_age_soft_ms / 1_000, hard=self.open_work_age_hard_ms / 1_000
            ),
            Signal.UNANSWERED: Marks(
                soft=self.unanswered_soft_ms / 1_000, hard=self.unanswered_hard_ms / 1_000
            ),
        }


class Signal(StrEnum):
    """What is measured; the value is the label of its metric."""

    OUTBOX_AGE = "outbox_age"
    OUTBOX_BYTES = "outbox_bytes"
    OPEN_WORK_AGE = "open_work_age"
    UNANSWERED = "unanswered"


class Marks(Struct, frozen=True, kw_only=True):
    """Where a signal begins to shed, and where it sheds everything."""

    soft: float
    hard: float


class Level(StrEnum):
    """What a signal does to writes."""

    OPEN = "open"
    SHEDDING = "shedding"
    CLOSED = "closed"


class Valve:
    """Turns the readings of one signal into the share of writes to shed.

    A mark that was passed is taken back only well below it, so that a reading that swings around
    a mark does not open and close the door with every swing.
    """

    def __init__(self, marks: Marks, resume_ratio: float) -> None:
        self._marks = marks
        self._resume_at = Marks(soft=marks.soft * resume_ratio, hard=marks.hard * resume_ratio)
        self.level = Level.OPEN
        self.share = 0.0

    def read(self, value: float) -> None:
        """Take a new reading."""
        self.level = self._next(value)
        match self.level:
            case Level.OPEN:
                self.share = 0.0
            case Level.CLOSED:
                self.share = 1.0
            case Level.SHEDDING:
                low = self._resume_at.soft
                self.share = min(1.0, max(0.0, (value - low) / (self._marks.hard - low)))

    def _next(self, value: float) -> Level:
        stays_closed = self.level is Level.CLOSED and value >= self._resume_at.hard
        if value >= self._marks.hard or stays_closed:
            return Level.CLOSED
        stays_shedding = self.level is not Level.OPEN and value >= self._resume_at.soft
        if value >= self._marks.soft or stays_shedding:
            return Level.SHEDDING
        return Level.OPEN


class Pressure:
    """The share of writes to shed now, and the signal that demands the most."""

    def __init__(self, settings: AdmissionSettings) -> None:
        self._valves = {
            signal: Valve(marks, settings.resume_ratio)
            for signal, marks in settings.marks().items()
        }
        self._owed = 0.0
        self.share = 0.0
        self.signal = Signal.OUTBOX_AGE
        self.level = Level.OPEN

    def read(self, readings: Mapping[Signal, float]) -> None:
        """Take new readings; a signal without one keeps its last."""
        for signal, value in readings.items():
            self._valves[signal].read(value)
        self.signal, valve = max(self._valves.items(), key=lambda each: each[1].share)
        self.share = valve.share
        self.level = valve.level

    def sheds_next(self) -> bool:
        """Decide about one write: of any hundred in a row the share is shed, evenly spread."""
        self._owed += self.share
        if self._owed < 1.0:
            return False
        self._owed -= 1.0
        return True
