"""No file names a registry or a machine, or puts work off."""

import pytest

from tests.architecture.rules import text
from tests.architecture.source import Rule, demand, found, repository


@pytest.mark.parametrize(
    "rule",
    [text.registry_hosts, text.machine_paths, text.work_left_for_later],
    ids=lambda rule: rule.__name__,
)
def test_no_file_contains_what_belongs_elsewhere(rule: Rule) -> None:
    demand(rule, repository())


@pytest.mark.parametrize(
    "line",
    [
        "https://pypi." + "org/simple",
        "image: ghcr" + ".io/someone/thing:1",
        "--index" + "-url https://mirror.example",
    ],
)
def test_a_registry_is_found(line: str) -> None:
    assert found(text.registry_hosts, "deploy/docker/Dockerfile", line) == [1]


@pytest.mark.parametrize("line", ["apache/kafka:4.1.0", "crates" + ".iota", "--no-emit-index-url"])
def test_a_package_without_its_registry_is_allowed(line: str) -> None:
    assert found(text.registry_hosts, "Makefile", line) == []


@pytest.mark.parametrize("folder", ["home", "root", "Users", "work"])
def test_a_path_of_one_machine_is_found(folder: str) -> None:
    assert found(text.machine_paths, "README.md", f"cd /{folder}/" + "someone") == [1]


@pytest.mark.parametrize(
    "line", ["var/work/a", "$HOME/work/a", "https://a.example/home/b", "/root"]
)
def test_a_relative_path_is_allowed(line: str) -> None:
    assert found(text.machine_paths, "README.md", line) == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME"])
def test_work_left_for_later_is_found(word: str) -> None:
    assert found(text.work_left_for_later, "libs/a.py", f"x = 1  # {word}: finish") == [1]
