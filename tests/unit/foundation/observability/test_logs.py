"""Every log line is one JSON object that shows no secret, whoever wrote it."""

import json
import logging
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from libs.foundation.observability import logs, tracing
from libs.foundation.redaction import Secret

PLAIN = "hunter2"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Logs:
    """The lines written since the test began."""

    def __init__(self) -> None:
        self.stream = BytesIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.split("\n")[:-1]]

    @property
    def line(self) -> dict[str, Any]:
        (line,) = self.lines
        return line


@pytest.fixture
def written() -> Iterator[Logs]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = Logs()
    logs.configure("info", "json", written.stream)
    yield written
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_carries_its_facts_level_time_and_logger(written: Logs) -> None:
    logs.get_logger("relay").info("window_published", rows=400)

    assert list(written.line)[:3] == ["time", "level", "event"]
    assert written.line["level"] == "info"
    assert written.line["event"] == "window_published"
    assert written.line["logger_name"] == "relay"
    assert written.line["rows"] == 400
    assert written.line["time"].endswith("Z")


def test_an_event_inside_a_span_carries_the_trace(written: Logs) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-00"

    with tracing.span_from(traceparent, "handle"):
        logs.get_logger("relay").info("handled")

    assert written.line["trace_id"] == "a" * 32
    assert written.line["span_id"] == "b" * 16


def test_events_below_the_level_are_not_written(written: Logs) -> None:
    logs.get_logger("relay").debug("detail")
    logging.getLogger("aiokafka").debug("detail")

    assert written.lines == []


def test_a_library_writes_through_the_same_chain(written: Logs) -> None:
    logging.getLogger("aiokafka").warning("lost %s, password=%s", "broker 1", PLAIN)
    logging.getLogger("odd").log(25, "between two levels")

    first, second = written.lines
    assert first["event"] == "lost broker 1, password=***"
    assert (first["logger_name"], first["level"]) == ("aiokafka", "warning")
    assert second["level"] == "info"


def test_a_line_break_cannot_forge_a_line(written: Logs) -> None:
    logs.get_logger("api").info("refused", given='x"}\n{"event":"forged"}\r\u2028')
    logging.getLogger("library").info("a\nb")

    assert len(written.stream.getvalue().splitlines()) == 2  # Bytes: split at \\n and \\r only.
    assert [line["event"] for line in written.lines] == ["refused", "a\nb"]


def test_secrets_are_hidden_by_type_by_key_and_inside_text(written: Logs) -> None:
    logs.get_logger("api").info(
        "configured",
        given=Secret(PLAIN),
        authorization=f"Bearer {PLAIN}",
        api_token=PLAIN,
        headers={"Set-Cookie": PLAIN, "accept": "json"},
        nested=[{"deep": (Secret(PLAIN), f"postgresql://u:{PLAIN}@h/db")}],
        tokens_left=7,
    )

    assert PLAIN not in written.text
    assert written.line["tokens_left"] == 7
    assert written.line["headers"] == {"Set-Cookie": "***", "accept": "json"}
    assert written.line["nested"] == [{"deep": ["***", "postgresql://u:***@h/db"]}]


def test_an_exception_is_one_field_without_passwords(written: Logs) -> None:
    try:
        raise ConnectionError(f"cannot reach amqp://u:{PLAIN}@h")
    except ConnectionError:
        logs.get_logger("relay").exception("lost")
        logging.getLogger("library").exception("lost too")

    for line in written.lines:
        assert line["level"] == "error"
        assert "Traceback" in line["exception"]
        assert "amqp://u:***@h" in line["exception"]
    assert PLAIN not in written.text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Unprintable(), "(a Unprintable that cannot be printed)"),
        ("\ud800", "\\ud800"),
        ("é", "é"),
        (b"\xff", "b'\\xff'"),
        (2**80, 2**80),
        (float("nan"), None),
        ({1: "a"}, {"1": "a"}),
        (range(3), "range(0, 3)"),
        ([[[[[[["deep"]]]]]]], [[[[[["(too deep)"]]]]]]),
    ],
)
def test_any_value_can_be_logged(value: object, shown: object, written: Logs) -> None:
    logs.get_logger("x").info("seen", value=value)

    assert written.line["value"] == shown


def test_long_text_keeps_both_ends_and_long_lists_are_cut(written: Logs) -> None:
    logs.get_logger("x").info("seen", text="a" * 50_000 + "end", items=list(range(5_000)))

    assert len(written.line["text"]) < 10_000
    assert written.line["text"].startswith("aaa")
    assert written.line["text"].endswith("end")
    assert len(written.line["items"]) == 200


def test_output_that_fails_loses_lines_and_nothing_else(written: Logs) -> None:
    class Full(BytesIO):
        def write(self, _line: object) -> int:
            raise OSError("no space left on device")

    before = REGISTRY.get_sample_value("log_lines_lost_total") or 0
    logs.configure("info", "json", Full())

    logs.get_logger("x").info("lost")

    assert REGISTRY.get_sample_value("log_lines_lost_total") == before + 1


def test_the_console_form_is_text_for_a_person(written: Logs) -> None:
    logs.configure("info", "console", written.stream)

    logs.get_logger("relay").info("window_published", rows=400)

    assert "window_published" in written.text
    assert "400" in written.text
    assert not written.text.startswith("{")
