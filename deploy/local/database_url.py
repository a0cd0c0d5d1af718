"""Derives the DSN of another role or database from the DSN of a server."""

from urllib.parse import quote, urlsplit, urlunsplit


def with_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


def with_login(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{address}"))


def password_of(url: str) -> str:
    return urlsplit(url).password or ""
