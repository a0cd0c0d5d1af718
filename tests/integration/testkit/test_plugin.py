"""The plugin itself, seen from outside: a `pytest` command inside the test."""

import os
import re
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import psycopg
import pytest

from deploy.local import identity
from libs.testkit.databases import DatabaseServer
from libs.testkit.providers import DATABASE_VARIABLE, KAFKA_VARIABLE, PROVIDER_VARIABLE
from libs.testkit.test_run import RUN_VARIABLE, remove_leftovers

_ROOT = Path(__file__).parents[3]


def _pytest(folder: Path, *arguments: str, **environment: str) -> Popen[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(_ROOT), **environment}
    return Popen(command, cwd=folder, env=variables, stdout=PIPE, text=True)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Give the test an empty suite that uses the plugin."""
    (tmp_path / "tests" / "integration").mkdir(parents=True)
    (tmp_path / "tests" / "conftest.py").write_text('pytest_plugins = ["libs.testkit.plugin"]\n')
    return tmp_path


def test_a_run_that_skipped_every_test_with_servers_fails(suite: Path) -> None:
    (suite / "tests" / "test_unit.py").write_text("def test_passes():\n    pass\n")
    (suite / "tests" / "integration" / "test_skipped.py").write_text(
        "import pytest\n\n@pytest.mark.skip\ndef test_skipped():\n    pass\n"
    )

    run = _pytest(suite, "tests")
    output, _ = run.communicate(timeout=60)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, output
    assert "all 1 tests that need servers were skipped" in output


def test_named_servers_serve_as_well_and_keep_no_database(
    postgres_server: DatabaseServer, kafka_bootstrap: str
) -> None:
    run = _pytest(
        _ROOT,
        "tests/integration/testkit/test_provider.py",
        **{
            PROVIDER_VARIABLE: "servers",
            DATABASE_VARIABLE: postgres_server.url,
            KAFKA_VARIABLE: kafka_bootstrap,
        },
    )
    output, _ = run.communicate(timeout=60)

    assert run.returncode == 0, output
    assert "2 tests used servers: servers" in output
    with psycopg.connect(postgres_server.url) as server:
        kept = server.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
            (f"orderly_test_{_run_folder(output).name}_",),
        ).fetchall()
    assert kept == []


def test_the_servers_of_a_killed_run_are_ended_by_the_next(suite: Path) -> None:
    (suite / "tests" / "integration" / "test_hangs.py").write_text(
        "import threading\n\n"
        "def test_hangs(kafka_bootstrap):\n"
        "    print('servers are up', flush=True)\n"
        "    threading.Event().wait()\n"
    )
    run = _pytest(suite, "-s", "tests", **{PROVIDER_VARIABLE: "embedded"})
    folder = _run_folder(_read_until(run, "servers are up"))
    run.kill()
    run.wait()
    left = identity.started_with_variable(RUN_VARIABLE, str(folder))

    remove_leftovers()

    assert left != []
    assert [process for process in left if process.alive] == []
    assert not folder.exists()


def _read_until(run: Popen[str], words: str) -> str:
    """Read the run's output up to the line with `words`, or to its end."""
    lines: list[str] = []
    assert run.stdout is not None
    for line in run.stdout:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


def _run_folder(output: str) -> Path:
    [folder] = re.findall(r"^servers: \w+, in (\S+)$", output, re.MULTILINE)
    return Path(folder)
