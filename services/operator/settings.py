"""What the commands need; each reads only its own part, so that `topics` needs no database."""

from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec import Struct

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.settings import KafkaSettings, load_settings

PREFIX: Final = "OPERATOR_"


class DatabaseAccess(Struct, frozen=True, kw_only=True):
    """For commands that use the database; `migrate` needs a role that may create roles."""

    database: DatabaseSettings


class KafkaAccess(Struct, frozen=True, kw_only=True):
    """For commands that use Kafka."""

    kafka: KafkaSettings


ACCESS: Final = (DatabaseAccess, KafkaAccess)
A = TypeVar("A", bound=Struct)


def load_access(access: type[A], environ: Mapping[str, str]) -> A:
    """Read one part; the other parts' variables may be set too."""
    return load_settings(access, environ, prefix=PREFIX, shares_prefix_with=ACCESS)
