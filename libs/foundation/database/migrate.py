"""Runs the one linear migration history, up or down, against a database."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config

MIGRATIONS: Final = Path(__file__).parents[3] / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database at `url` (a role that may create roles and schemas) up to `revision`."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Walk back to `revision`; data of dropped tables is lost, so operators are asked first."""
    command.downgrade(_config(url), revision)


def offline_sql() -> None:
    """Print the whole history as SQL, for review and for the linter."""
    command.upgrade(_config("postgresql://offline"), "head", sql=True)


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # Alembic reads the value through ConfigParser, where a lone percent sign is a syntax error.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
