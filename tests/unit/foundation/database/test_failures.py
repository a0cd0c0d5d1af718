"""A failure is the environment's, the data's, or nobody's yet."""

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from libs.foundation.database.failures import is_data, is_environment


@pytest.mark.parametrize(
    "error",
    [
        errors.ConnectionFailure(),
        errors.FeatureNotSupported(),
        errors.TransactionTimeout(),
        errors.DeadlockDetected(),
        errors.SerializationFailure(),
        errors.UndefinedTable(),
        errors.InsufficientPrivilege(),
        errors.DiskFull(),
        errors.LockNotAvailable(),
        errors.AdminShutdown(),
        errors.QueryCanceled(),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        PoolTimeout(),
        TooManyRequests(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_later_is_the_environment(error: Exception) -> None:
    assert is_environment(error)
    assert not is_data(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.NumericValueOutOfRange(),
        errors.CharacterNotInRepertoire(),
        errors.UniqueViolation(),
        errors.CheckViolation(),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_bad_value_is_the_data(error: Exception) -> None:
    assert is_data(error)
    assert not is_environment(error)


@pytest.mark.parametrize("error", [errors.InternalError_(), ValueError("x")])
def test_what_nobody_knows_is_neither(error: Exception) -> None:
    assert not is_data(error)
    assert not is_environment(error)
