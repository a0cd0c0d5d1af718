"""Which errors blame the message, which the environment, and how many keys may park."""

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.messaging.inbox import InboxWindowMoved
from libs.foundation.messaging.parking import ParkingBudget
from libs.foundation.messaging.poison import Verdict, error_code, error_text, is_too_slow, judge


class Refused(AppError):
    kind = ErrorKind.CONFLICT
    code = "toy-refused"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Refused("no"), Verdict.POISON),
        (errors.UniqueViolation(), Verdict.POISON),
        (errors.NumericValueOutOfRange(), Verdict.POISON),
        (psycopg.DataError("NUL"), Verdict.POISON),
        (errors.ConnectionFailure(), Verdict.ENVIRONMENT),
        (errors.SerializationFailure(), Verdict.ENVIRONMENT),
        (errors.DeadlockDetected(), Verdict.ENVIRONMENT),
        (errors.UndefinedTable(), Verdict.ENVIRONMENT),
        (errors.DiskFull(), Verdict.ENVIRONMENT),
        (errors.LockNotAvailable(), Verdict.ENVIRONMENT),
        (errors.AdminShutdown(), Verdict.ENVIRONMENT),
        (psycopg.OperationalError("gone"), Verdict.ENVIRONMENT),
        (PoolTimeout(), Verdict.ENVIRONMENT),
        (TimeoutError(), Verdict.ENVIRONMENT),
        (ConnectionResetError(), Verdict.ENVIRONMENT),
        (InboxWindowMoved("dropped"), Verdict.ENVIRONMENT),
        (KeyError("a bug"), Verdict.UNEXPLAINED),
        (errors.RaiseException(), Verdict.UNEXPLAINED),
        (errors.InternalError_(), Verdict.UNEXPLAINED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_are_judged(error: Exception, verdict: Verdict) -> None:
    assert judge(error) is verdict


def test_only_the_server_s_clocks_make_a_wave_too_slow() -> None:
    assert is_too_slow(errors.QueryCanceled())
    assert not is_too_slow(TimeoutError())


def test_codes_and_texts_are_fit_for_a_column() -> None:
    assert error_code(Refused("no")) == "toy-refused"
    assert error_code(errors.UniqueViolation()) == "23505"
    assert error_code(KeyError("k")) == "KeyError"
    assert "\0" not in error_text(Refused("a\0b\ud800"))
    assert len(error_text(Refused("x" * 10_000))) == 2_000
    error_text(Refused("\ud800")).encode()


def test_texts_for_people_hold_nothing_of_what_was_failed_on() -> None:
    assert error_text(Refused("no: it is closed")) == "Refused: no: it is closed"
    assert error_text(TimeoutError("after 8 s")) == "TimeoutError: after 8 s"
    assert error_text(KeyError("ada@example.org")) == "KeyError"
    assert error_text(psycopg.DataError("a value")) == "DataError"


def test_parking_stops_once_a_minute_has_too_many_keys_until_it_is_resumed() -> None:
    now = [0.0]
    budget = ParkingBudget(2, clock=lambda: now[0])
    assert budget.take()
    now[0] = 59.0
    assert budget.take()
    now[0] = 60.0
    assert budget.take()

    assert not budget.take()
    now[0] = 10_000.0
    assert not budget.take()
    assert budget.exhausted

    budget.resume()
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_a_place_that_was_not_used_is_free_again() -> None:
    budget = ParkingBudget(1, clock=lambda: 0.0)

    assert budget.take()
    budget.give_back()

    assert budget.take()
    assert not budget.take()
