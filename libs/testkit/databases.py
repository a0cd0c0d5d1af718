"""Gives each test a database of its own: a clone of one migrated once per run."""

import hashlib
import hmac
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from msgspec import Struct

from deploy.local.database_url import password_of, with_database, with_login
from deploy.local.sql import roles
from libs.foundation.database import migrate
from libs.testkit.sql import databases as statements

_PREFIX: Final = "orderly_test_"
_OLDEST_VERSION: Final = 170_000


class Database(Struct, frozen=True):
    """One migrated database; `url` is the superuser's."""

    name: str
    url: str

    def url_for(self, role: str) -> str:
        """Return the DSN of one of the product's roles."""
        return with_login(self.url, role, role_password(self.url, role))


def role_password(server_url: str, role: str) -> str:
    """Derive the password of `role` from the superuser's.

    Roles belong to the server: with random passwords two runs on it would lock each other out.
    """
    key = password_of(server_url).encode()
    return hmac.new(key, role.encode(), hashlib.sha256).hexdigest()


class DatabaseServer:
    """A PostgreSQL server that one run of the tests may make databases on."""

    def __init__(self, url: str, run: str) -> None:
        self.url = url
        self._run = run
        self._server = psycopg.connect(url, autocommit=True)
        number, self.version = statements.version(self._server)
        if number < _OLDEST_VERSION:
            raise RuntimeError(
                f"The tests need PostgreSQL 17 or newer and were given {self.version}:"
                " name another server in ORDERLY_TEST_DATABASE_URL."
            )
        statements.mark_alive(self._server, run)

    @property
    def template(self) -> str:
        return f"{_PREFIX}{self._run}_template"

    def make_template(self) -> None:
        """Migrate the database that the others are cloned from; once per run."""
        self._drop_leftovers()
        statements.take_migration_lock(self._server)
        try:
            roles.create_database(self._server, self.template)
            migrate.upgrade(with_database(self.url, self.template))
            logins = roles.logins(self._server)
            roles.set_passwords(
                self._server, {role: role_password(self.url, role) for role in logins}
            )
        finally:
            statements.release_migration_lock(self._server)

    @contextmanager
    def database(self) -> Generator[Database]:
        """Clone the template, and drop the clone at the end."""
        database = self.make_database()
        try:
            yield database
        finally:
            statements.drop(self._server, database.name)

    def make_database(self) -> Database:
        """Clone the template for a caller who drops the clone, or the whole cluster, himself."""
        name = f"{_PREFIX}{self._run}_{uuid.uuid4().hex[:12]}"
        statements.clone(self._server, self.template, name)
        database = Database(name, with_database(self.url, name))
        with psycopg.connect(database.url, autocommit=True) as connection:
            statements.restamp(connection)
        return database

    def drop_all(self) -> None:
        """Drop what this run made."""
        for name in statements.names(self._server, f"{_PREFIX}{self._run}_"):
            statements.drop(self._server, name)

    def close(self) -> None:
        self._server.close()

    def _drop_leftovers(self) -> None:
        """Drop the databases of runs that were killed before they could do it."""
        for name in statements.names(self._server, _PREFIX):
            run = name.removeprefix(_PREFIX).partition("_")[0]
            if run != self._run and statements.is_dead(self._server, run):
                statements.drop(self._server, name)
