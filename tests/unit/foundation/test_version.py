"""A build is known by its version and commit, in an image as in a checkout."""

from pathlib import Path

import pytest

from libs.foundation.version import Build, build, read_build

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.3"\n')
    return tmp_path


def checked_out(root: Path, head: str) -> Path:
    git = root / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text(head + "\n")
    return git


def test_an_image_names_its_commit_in_a_file(root: Path) -> None:
    checked_out(root, "f" * 40)
    (root / "COMMIT").write_text(COMMIT + "\n")

    assert read_build(root) == Build(version="1.2.3", commit=COMMIT)


def test_a_checkout_names_the_commit_of_its_branch(root: Path) -> None:
    git = checked_out(root, "ref: refs/heads/main")
    (git / "refs" / "heads" / "main").write_text(COMMIT + "\n")

    assert read_build(root).commit == COMMIT


def test_a_packed_branch_is_found(root: Path) -> None:
    git = checked_out(root, "ref: refs/heads/main")
    (git / "packed-refs").write_text(
        f"# pack-refs\n{'f' * 40} refs/heads/m\n{COMMIT} refs/heads/main\n"
    )

    assert read_build(root).commit == COMMIT


def test_a_detached_head_is_the_commit(root: Path) -> None:
    checked_out(root, COMMIT)

    assert read_build(root).commit == COMMIT


def test_without_git_the_commit_is_unknown(root: Path) -> None:
    assert read_build(root).commit == "unknown"


def test_this_tree_has_a_version() -> None:
    assert build().version.count(".") == 2
