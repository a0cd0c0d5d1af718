"""A package that runs again and again is each time a process of its own."""

import os

from libs.testkit.packages import run_package


def test_a_run_has_its_own_arguments_environment_and_exit_status() -> None:
    good, said = run_package("ensurepip", ["--help"], {**os.environ, "COLUMNS": "60"})
    bad, complaint = run_package("ensurepip", ["--no-such-option"], dict(os.environ))

    assert (good, bad) == (0, 2)
    assert max(len(line) for line in said.splitlines()) <= 60
    assert "unrecognized arguments: --no-such-option" in complaint
