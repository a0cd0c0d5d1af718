"""The parts of the local stack that need no server."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local import stack_environment, supervision
from deploy.local.account import Account, reachable
from deploy.local.database_url import password_of, with_database, with_login
from deploy.local.identity import ProcessIdentity, stop, this_process
from deploy.local.launch import StartFailed
from deploy.local.layout import layout_in
from deploy.local.leftovers import AlreadyRunning, alone
from deploy.local.processes import ORDERLY, Addresses, Process
from deploy.local.service import environment_of, run_to_end
from deploy.local.state import ProcessState

ADDRESSES = Addresses(
    folder="/state",
    kafka="127.0.0.1:9092",
    api_port=8_080,
    payment_simulator_port=8_081,
    issuer_port=8_082,
    admin_port=8_083,
    databases={
        f"orderly_{role}": f"postgresql://{role}"
        for role in (
            "api",
            "operator",
            "outbox_relay",
            "worker_orders",
            "worker_inventory",
            "worker_payments",
        )
    },
)


@given(failures=st.integers(0, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_the_pause_before_a_restart_is_bounded(failures: int, chance: float) -> None:
    assert 0 <= supervision.delay_s(failures, chance) <= 15


def test_the_pause_before_a_restart_grows() -> None:
    pauses = [supervision.delay_s(failures, 0.5) for failures in range(5)]

    assert pauses == sorted(set(pauses))


@pytest.mark.parametrize("process", [*ORDERLY.setup, *ORDERLY.processes], ids=lambda row: row.name)
def test_every_row_of_the_table_names_only_known_addresses_and_its_own_prefix(
    process: Process,
) -> None:
    variables = environment_of(process, ADDRESSES, inherited={}, overrides={})

    assert set(variables) == set(process.environment)
    assert all(name.startswith(process.prefix) for name in variables)
    assert not any("{" in text for text in variables.values())


def test_a_stray_variable_of_the_shell_is_not_taken_for_a_setting() -> None:
    [api] = [process for process in ORDERLY.processes if process.name == "api"]

    variables = environment_of(
        api,
        ADDRESSES,
        inherited={"API_KEY": "someone else's", "PATH": "/bin"},
        overrides={"API_DEADLINE_MS": "9000", "RELAY_LEASE_MS": "1"},
    )

    assert "API_KEY" not in variables
    assert variables["PATH"] == "/bin"
    assert variables["API_DEADLINE_MS"] == "9000"
    assert "RELAY_LEASE_MS" not in variables


def test_the_file_of_addresses_is_private_and_a_shell_reads_it_back(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    running = ProcessState(process=ProcessIdentity(42, 0.0))

    stack_environment.write(
        layout, {"ORDERLY_X": "a 'b' $c"}, {"worker-orders": running, "api": ProcessState()}
    )

    script = (
        f'. {layout.environment}; echo "$ORDERLY_X|$ORDERLY_PID_WORKER_ORDERS|$ORDERLY_PID_API"'
    )
    shown = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert shown.stdout == "a 'b' $c|42|\n"
    assert layout.environment.stat().st_mode & 0o077 == 0


def test_a_dsn_is_turned_to_another_role_and_database() -> None:
    url = "postgresql://postgres:old@127.0.0.1:5432/postgres?sslmode=disable"

    changed = with_database(with_login(url, "orderly_api", "p@ss/w"), "orderly")

    assert changed == ("postgresql://orderly_api:p%40ss%2Fw@127.0.0.1:5432/orderly?sslmode=disable")
    assert password_of(url) == "old"


def test_a_folder_below_a_closed_one_is_not_reachable_for_others(tmp_path: Path) -> None:
    stranger = Account(uid=os.getuid() + 4_711, gid=os.getgid() + 4_711)
    closed = tmp_path / "closed"
    inside = closed / "inside"
    inside.mkdir(parents=True)

    closed.chmod(0o700)

    assert not reachable(inside, stranger)
    assert reachable(Path("/"), stranger)


async def test_a_process_with_a_recycled_pid_is_never_signalled() -> None:
    recycled = ProcessIdentity(os.getpid(), this_process().started_at_s - 60)

    killed = await stop([recycled], grace_s=1)

    assert not recycled.alive
    assert killed == []


async def test_a_command_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('no broker')\n")
    row = Process(name="topics", module="broken", prefix="BROKEN_", environment={})

    with pytest.raises(StartFailed, match="no broker"):
        await run_to_end(row, tmp_path / "topics.log", {"PYTHONPATH": str(tmp_path)})


def test_one_folder_has_one_supervisor(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)

    with alone(layout), pytest.raises(AlreadyRunning), alone(layout):
        pass
