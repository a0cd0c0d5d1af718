"""Statements that give the product's roles, made by the migrations, their passwords."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection, sql

Superuser = Connection[tuple[Any, ...]]

_LOGINS: Final = """
    SELECT rolname FROM pg_roles
    WHERE rolname LIKE 'orderly\\_%' AND rolcanlogin ORDER BY rolname"""
_SET_PASSWORD: Final = sql.SQL("ALTER ROLE {role} PASSWORD {password}")
_EXISTS: Final = "SELECT FROM pg_database WHERE datname = %s"
_CREATE: Final = sql.SQL("CREATE DATABASE {database} TEMPLATE template0")


def logins(server: Superuser) -> list[str]:
    """Return the roles that log in."""
    return [role for (role,) in server.execute(_LOGINS).fetchall()]


def set_passwords(server: Superuser, passwords: Mapping[str, str]) -> None:
    for role, password in passwords.items():
        server.execute(
            _SET_PASSWORD.format(role=sql.Identifier(role), password=sql.Literal(password))
        )


def create_database(server: Superuser, database: str) -> None:
    """Create the database unless it exists."""
    if server.execute(_EXISTS, (database,)).fetchone() is None:
        server.execute(_CREATE.format(database=sql.Identifier(database)))
