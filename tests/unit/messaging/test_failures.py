"""What a failure is known by, and what is not kept of it."""

import json
from collections.abc import Callable
from enum import StrEnum
from uuid import UUID

import msgspec
import pytest
from psycopg import errors

from libs.foundation.database.transaction import Locked
from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.messaging.quarantine.attempts import ended, failed
from libs.foundation.messaging.quarantine.failures import (
    FailureClass,
    author,
    failure_of,
    poison_of,
    refused,
)
from libs.foundation.version import build

HERE = "tests/unit/messaging/test_failures.py"


class Closed(AppError):
    kind = ErrorKind.CONFLICT
    code = "closed"


def raised_by(function: Callable[[], object]) -> Exception:
    """Return what `function` raises, with its traceback."""
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it.
        return error
    raise AssertionError("nothing was raised")


def close() -> None:
    raise Closed("the door")


def close_again() -> None:
    close()


class Handler:
    def handle(self) -> None:
        json.loads("{")

    def look_up(self) -> None:
        _ = Locked[int]([])[0]


def test_a_fingerprint_is_the_exception_and_the_innermost_frame_of_ours() -> None:
    assert failure_of(raised_by(close_again)).fingerprint == f"Closed@{HERE}:close"


def test_frames_of_libraries_are_passed_over() -> None:
    failure = failure_of(raised_by(Handler().handle))

    assert failure.fingerprint == f"JSONDecodeError@{HERE}:Handler.handle"


def test_the_frames_every_statement_passes_are_passed_over() -> None:
    failure = failure_of(raised_by(Handler().look_up))

    assert failure.fingerprint == f"IndexError@{HERE}:Handler.look_up"


def test_two_messages_that_fail_of_one_cause_have_one_fingerprint() -> None:
    def refuse(text: str) -> Callable[[], None]:
        def refusing() -> None:
            raise Closed(text)

        return refusing

    first, second = (failure_of(raised_by(refuse(text))) for text in ("one", "two"))

    assert first.fingerprint == second.fingerprint
    assert first.error != second.error


def test_what_was_not_raised_is_known_by_its_code() -> None:
    assert refused("outside_window", "too old").fingerprint == "outside_window"


def test_an_error_that_was_never_raised_has_no_frame() -> None:
    assert failure_of(KeyError("k")).fingerprint == "KeyError"


@pytest.mark.parametrize(
    ("error", "error_class", "code"),
    [
        (Closed("no"), FailureClass.POISON, "closed"),
        (errors.UniqueViolation("x"), FailureClass.POISON, "23505"),
        (KeyError("k"), FailureClass.UNEXPLAINED, "KeyError"),
        (TimeoutError(), FailureClass.ENVIRONMENT, "TimeoutError"),
    ],
)
def test_a_failure_says_what_class_it_is_of(
    error: Exception, error_class: FailureClass, code: str
) -> None:
    failure = failure_of(error)

    assert (failure.error_class, failure.code) == (error_class, code)


def test_an_unforeseen_error_is_kept_without_its_text() -> None:
    failure = failure_of(KeyError("ada@example.org"))

    assert "ada" not in repr(failure)


def test_what_cannot_be_read_is_told_by_its_place_and_not_by_its_value() -> None:
    class Colour(StrEnum):
        RED = "red"

    decoder = msgspec.json.Decoder(dict[str, Colour])

    failure = poison_of(
        raised_by(lambda: decoder.decode(b'{"for": "ada@example.org"}')), "undecodable"
    )

    assert failure.error == "Invalid enum value '...' - at `$[...]`"


def test_the_history_names_the_process_and_the_release() -> None:
    one = failed(7, poison_of(raised_by(close), "undecodable"))

    assert (one.message_id, one.outcome, one.error_code) == (7, "failed", "undecodable")
    assert one.process == author().process
    assert one.release.startswith(f"{build().version}+")
    assert one.fingerprint == f"Closed@{HERE}:close"


def test_an_attempt_that_passed_says_who_asked_for_it() -> None:
    request = UUID(int=1)

    assert (ended(7, "succeeded", request).request_id, ended(7, "skipped", request).error) == (
        request,
        None,
    )
