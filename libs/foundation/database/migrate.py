"""Runs the one linear migration history, up or down, against a database."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from psycopg.errors import LockNotAvailable

MIGRATIONS: Final = Path(__file__).parents[3] / "migrations"


class MigrationBlockedError(Exception):
    """Somebody held a lock for longer than a migration may make others wait behind it."""


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database at `url` (a role that may create roles and schemas) up to `revision`.

    Raises MigrationBlockedError; the steps before the one that was blocked are done.
    """
    with _blocked_in_words():
        _run("upgrade", url, revision)


def downgrade(url: str, revision: str) -> None:
    """Walk back to `revision`; data of dropped tables is lost, so operators are asked first."""
    with _blocked_in_words():
        _run("downgrade", url, revision)


def offline_sql() -> None:
    """Print the whole history as SQL, for review and for the linter."""
    _run("upgrade", "postgresql://offline", "head", sql=True)


@contextmanager
def _blocked_in_words() -> Generator[None]:
    try:
        yield
    except LockNotAvailable as error:
        raise MigrationBlockedError(
            f"a step of the migration was given up and left no trace, for a lock was not free in"
            f" time ({error}). Remedy: end the transaction that holds it, or wait for the other"
            " migration, and migrate again"
        ) from error


def _run(
    verb: Literal["upgrade", "downgrade"], url: str, revision: str, *, sql: bool = False
) -> None:
    # Only here: every command of an operator would else wait for Alembic and SQLAlchemy to load.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # Alembic reads the value through ConfigParser, where a lone percent sign is a syntax error.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    run = command.upgrade if verb == "upgrade" else command.downgrade
    run(config, revision, sql=sql)
