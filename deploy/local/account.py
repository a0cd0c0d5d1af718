"""Chooses the account and the folders for PostgreSQL, which refuses to run as root."""

import hashlib
import os
import pwd
import shutil
from pathlib import Path
from typing import Final

from msgspec import Struct

_UNPRIVILEGED_NAME: Final = "nobody"
# Root-owned, unlike a folder below the temporary one: nobody can put a link in its place first.
OUTSIDE: Final = Path("/var/lib/orderly")


class Account(Struct, frozen=True):
    """An unprivileged system account that root starts PostgreSQL as."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Return the account to drop to, or None when this process is not root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED_NAME)
    return Account(entry.pw_uid, entry.pw_gid)


def reachable(path: Path, account: Account) -> bool:
    """Say whether `account` may walk down to `path`, by the modes of it and of all above it."""
    resolved = path.resolve()
    return all(_enterable(folder, account) for folder in (resolved, *resolved.parents))


def _enterable(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def private_folder(wanted: Path, account: Account | None) -> Path:
    """Make a folder only `account` reads: `wanted`, or one that `wanted` then links to.

    A clone below a folder that others may not enter (root's home) cannot hold the data itself.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if wanted.is_symlink() and not wanted.exists():
        wanted.unlink()
    if not wanted.exists() and account is not None and not reachable(wanted.parent, account):
        outside = OUTSIDE / "state" / hashlib.sha256(str(wanted).encode()).hexdigest()[:16]
        # A clone that was deleted and made again in the same place must not find the old data.
        shutil.rmtree(outside, ignore_errors=True)
        outside.mkdir(parents=True)
        wanted.symlink_to(outside, target_is_directory=True)
    wanted.mkdir(exist_ok=True)
    folder = wanted.resolve()
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def remove_folder(wanted: Path) -> None:
    """Remove what `private_folder` made, wherever it lies."""
    if wanted.is_symlink():
        shutil.rmtree(wanted.resolve(), ignore_errors=True)
        wanted.unlink()
    elif wanted.exists():
        shutil.rmtree(wanted)
