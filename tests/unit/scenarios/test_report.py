"""What a run of a scenario is held against, and what it says when it could not be measured."""

from pathlib import Path

import pytest

from loadtests.benchmarks import rounds
from loadtests.scenarios import page, report
from loadtests.scenarios.generator import Second, Sent
from loadtests.scenarios.report import (
    Thresholds,
    judged,
    knee_of,
    memory_growth_mib,
    memory_peak_mib,
    thresholds_of,
)
from loadtests.scenarios.run import Outcome, Step
from loadtests.scenarios.sampler import Sample
from loadtests.scenarios.scenario import scenarios
from loadtests.scenarios.sql.journeys import StageLatency
from tests.unit.benchmarks import measured

GENEROUS = Thresholds(
    accept_p50_ms=100,
    accept_p99_ms=200,
    final_p99_ms=1_000,
    lost_share=0.1,
    settled_s=10,
    memory_growth_mib=10,
    memory_peak_mib=100,
    broken_invariants=0,
)


def sent(planned: int = 100, accepted: int = 100, other: int = 0, cores: float = 0.1) -> Sent:
    second = Second(sent=accepted + other, accepted=accepted, other=other, p50_ms=5, p99_ms=50)
    return Sent(
        planned=planned,
        broken=0,
        cores=cores,
        seconds=[second],
        accepted_p50_ms=5,
        accepted_p99_ms=50,
    )


def outcome(*of: Sent, steps: tuple[Step, ...] = (), broken: tuple[str, ...] = ()) -> Outcome:
    final = StageLatency(stage="placed to confirmed", messages=100, p50_ms=9, p95_ms=9, p99_ms=90)
    return Outcome(
        sent=list(of) or [sent()],
        samples=[Sample(at_s=1, cores={"api": 0.5}, memory_mib={"api": 50})],
        stages=[final],
        steps=list(steps),
        settled_s=1,
        broken=list(broken),
    )


def step(rate: float, *, holds: bool) -> Step:
    return Step(
        rate=rate,
        p99_ms=10,
        lost=0,
        holds=holds,
        busiest={"api": 0.9, "kafka": 0.2},
        longest={"outbox": 900, "api": 3},
    )


def failed(of: Outcome) -> set[str]:
    return {verdict.name for verdict in judged(of, GENEROUS) if not verdict.holds}


def test_a_calm_run_holds() -> None:
    assert failed(outcome()) == set()


def test_what_was_shed_and_broken_does_not_hold() -> None:
    shed = outcome(sent(accepted=80, other=20), broken=("S1 CD-1",))

    assert failed(shed) == {"lost_share", "broken_invariants"}


@pytest.mark.parametrize("refused", [sent(planned=200), sent(cores=0.95)])
def test_a_load_that_was_not_offered_gives_no_figure(refused: Sent) -> None:
    assert failed(outcome(refused)) == {
        "accept_p50_ms",
        "accept_p99_ms",
        "final_p99_ms",
        "lost_share",
    }


def test_the_knee_is_the_last_step_that_held() -> None:
    climbed = outcome(sent(), sent(), steps=(step(100, holds=True), step(130, holds=False)))

    knee = knee_of(climbed)

    assert knee is not None
    assert (knee.rate, knee.next_rate) == (100, 130)
    assert next(iter(knee.busiest)) == "api"
    assert next(iter(knee.longest)) == "outbox"


def test_memory_is_watched_of_all_processes_but_the_servers() -> None:
    samples = [
        Sample(at_s=1, memory_mib={"api": 50, "relay": 90, "kafka": 400}),
        Sample(at_s=2, memory_mib={"api": 60, "relay": 40, "kafka": 800}),
    ]

    assert memory_peak_mib(samples) == 90
    assert memory_growth_mib(samples) == 10


def test_memory_growth_is_of_the_process_that_grew_most() -> None:
    samples = [
        Sample(at_s=number, memory_mib={"api": 50 + number, "relay": 40}) for number in range(20)
    ]

    assert memory_growth_mib(samples) == 18


@pytest.mark.parametrize("name", [each.name for each in scenarios(1, 1)])
def test_every_scenario_has_thresholds(name: str) -> None:
    assert thresholds_of(name).broken_invariants == 0


def test_a_page_needs_nothing_else_and_escapes_what_it_shows(tmp_path: Path) -> None:
    benched = measured.report([], rounds.Outcome())
    made = report.Report(
        scenario=scenarios(1, 1)[0],
        started_at=benched.started_at,
        seconds=1,
        machine=benched.machine,
        outcome=outcome(broken=("S1 <b>",)),
        knee=None,
        verdicts=judged(outcome(), GENEROUS),
    )
    report.write(made, tmp_path / "smoke.json")

    html = page.render(made, report.read(tmp_path / "smoke.json"))

    assert "S1 &lt;b&gt;" in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in html


def test_a_report_of_another_shape_is_no_run_before(tmp_path: Path) -> None:
    (tmp_path / "smoke.json").write_text("{}")

    assert report.read(tmp_path / "smoke.json") is None
    assert report.read(tmp_path / "none.json") is None
