"""A package that runs again and again is each time a process of its own."""

from libs.testkit.packages import run_package

# The package that other tests run too: whichever is first is the one that is loaded beforehand.
PACKAGE = "services.operator"
AWAY = {"OPERATOR_DATABASE_URL": "postgresql://me@127.0.0.1:1/none"}


def test_each_run_has_its_own_arguments_environment_and_exit_status() -> None:
    unsettled, complaint = run_package(PACKAGE, ["outbox", "status"], {})
    away, _ = run_package(PACKAGE, ["outbox", "status"], AWAY)
    told, _ = run_package(PACKAGE, ["--version"], {})
    again, _ = run_package(PACKAGE, ["outbox", "status"], {})

    assert (unsettled, away, told, again) == (78, 69, 0, 78)
    assert "OPERATOR_DATABASE_URL is missing" in complaint
