"""Prepares the database that the processes expect: migrated, with a password for every role."""

import secrets
from typing import Final

import psycopg

from deploy.local.database_url import with_database, with_login
from deploy.local.sql import roles
from libs.foundation.database import migrate

DATABASE: Final = "orderly"
READER: Final = "orderly_reader"


def prepare_database(superuser_url: str) -> dict[str, str]:
    """Migrate, give every role a new password, and return the DSN of each role."""
    with psycopg.connect(superuser_url, autocommit=True) as server:
        roles.create_database(server, DATABASE)
        url = with_database(superuser_url, DATABASE)
        migrate.upgrade(url)
        passwords = {role: secrets.token_urlsafe(24) for role in roles.logins(server)}
        roles.set_passwords(server, passwords)
    return {role: with_login(url, role, password) for role, password in passwords.items()}
