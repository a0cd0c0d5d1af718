"""Structured logs: one JSON object a line for our own events and for every library's."""

import logging
import sys
from collections.abc import Collection, Mapping
from itertools import islice
from typing import BinaryIO, Final, Literal, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from libs.foundation.observability.metrics import counter
from libs.foundation.observability.tracing import trace_and_span_id
from libs.foundation.redaction import HIDDEN, Secret, hide_credentials

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_TEXT_CHARACTERS_MAX: Final = 8_192
_ITEMS_MAX: Final = 200
_DEPTH_MAX: Final = 6
_FIRST_KEYS: Final = ("time", "level", "event")
_TOO_DEEP: Final = "(too deep)"
_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
# A key that has one of these among its words hides its value, whatever it is.
_SECRET_WORDS: Final = frozenset(
    {
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "passwd",
        "password",
        "secret",
        "token",
    }
)
# These write a line for each request or connection; metrics count them at no such cost.
_CHATTY: Final = ("aiohttp.access", "uvicorn.access", "aiokafka.conn", "asyncio")

_LINES_LOST: Final = counter("log_lines_lost_total", "Log lines the output did not take.")


def configure(level: Level, form: Format, stream: BinaryIO | None = None) -> None:
    """Send all logs of this process through one chain to `stream`, standard output by default.

    To be called once, before the first event is logged: loggers keep the chain they first used.
    """
    lines = _Lines(sys.stdout.buffer if stream is None else stream)
    threshold = getattr(logging, level.upper())
    structlog.configure(
        processors=[*_chain(), _renderer(form)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=threshold, handlers=[_ToStructlog()], force=True)
    logging.captureWarnings(capture=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module; events are words joined by underscores, facts are fields."""
    return structlog.get_logger(logger_name=name)


def _chain() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _add_trace,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact,
    ]


def _renderer(form: Format) -> Processor:
    return _ConsoleRenderer() if form == "console" else _render_json


class _Lines:
    """Loses lines instead of stopping the process when the disk is full or the reader is gone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        try:
            self._stream.write(line + b"\n")
            self._stream.flush()
        except OSError:
            _LINES_LOST.inc()

    debug = info = warning = error = critical = write


class _ToStructlog(logging.Handler):
    """Hands each record of the standard library's logging to the chain."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = max((each for each in _LEVELS if each <= record.levelno), default=logging.DEBUG)
            get_logger(record.name).log(level, record.getMessage(), exc_info=record.exc_info)
        except Exception:  # noqa: BLE001  # A log line must not break the code that logs.
            self.handleError(record)


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    ids = trace_and_span_id()
    if ids is not None:
        event["trace_id"], event["span_id"] = ids
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        event[key] = _shown(key, value, _DEPTH_MAX)
    return event


def _shown(key: object, value: object, depth: int) -> object:
    if isinstance(value, Secret) or (isinstance(key, str) and _names_a_secret(key)):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _shown_pairs(cast("Mapping[object, object]", value), depth - 1)
    if isinstance(value, list | tuple | set | frozenset):
        return _shown_items(cast("Collection[object]", value), depth - 1)
    return hide_credentials(_bounded(_text(value)))


def _shown_pairs(pairs: Mapping[object, object], depth: int) -> object:
    if depth < 0:
        return _TOO_DEEP
    shown = islice(pairs.items(), _ITEMS_MAX)
    return {_bounded(_text(key)): _shown(key, value, depth) for key, value in shown}


def _shown_items(items: Collection[object], depth: int) -> object:
    if depth < 0:
        return _TOO_DEEP
    return [_shown(None, item, depth) for item in islice(items, _ITEMS_MAX)]


def _text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
        # A lone surrogate, for example from a file name, has no UTF-8 form.
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
    except Exception:  # noqa: BLE001  # What cannot print must not break the code that logs.
        return f"(a {type(value).__name__} that cannot be printed)"


def _bounded(text: str) -> str:
    """Keep both ends: a message begins with what happened, a traceback ends with it."""
    if len(text) <= _TEXT_CHARACTERS_MAX:
        return text
    half = _TEXT_CHARACTERS_MAX // 2
    return f"{text[:half]} ... {text[-half:]}"


def _names_a_secret(key: str) -> bool:
    return not _SECRET_WORDS.isdisjoint(key.lower().replace("-", "_").split("_"))


_encode: Final = msgspec.json.Encoder().encode


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    first = {key: event.pop(key) for key in _FIRST_KEYS}
    return _encode({**first, **event})


class _ConsoleRenderer:
    """Renders for a terminal, as the bytes the output takes."""

    def __init__(self) -> None:
        self._render = structlog.dev.ConsoleRenderer()

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        return self._render(logger, method, event).encode("utf-8")
