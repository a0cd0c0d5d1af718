"""A folder that the account cannot enter has its data elsewhere, and does not inherit old data."""

import os
from pathlib import Path

import pytest

from deploy.local import account
from deploy.local.account import Account, private_folder


def nowhere(_folder: Path, _account: Account) -> bool:
    """Let no account enter any folder."""
    return False


def test_a_clone_made_again_in_the_same_place_does_not_find_the_old_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "OUTSIDE", tmp_path / "outside")
    monkeypatch.setattr(account, "reachable", nowhere)
    me = Account(uid=os.getuid(), gid=os.getgid())
    wanted = tmp_path / "clone" / "postgres"

    (private_folder(wanted, me) / "data").touch()
    kept = [each.name for each in private_folder(wanted, me).iterdir()]
    wanted.unlink()
    anew = list(private_folder(wanted, me).iterdir())

    assert kept == ["data"]
    assert anew == []
