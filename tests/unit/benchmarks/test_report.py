"""The report says everything that was measured, and names everything that was not."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from loadtests.benchmarks import page
from loadtests.benchmarks.machine import percentile, sync_latency
from loadtests.benchmarks.measurement import Measurement, Sample
from loadtests.benchmarks.plots import goodness
from loadtests.benchmarks.report import row_reports, write
from loadtests.benchmarks.rounds import Outcome
from loadtests.benchmarks.rows import Better
from tests.unit.benchmarks.measured import report, row, samples

_VOID = {"meta", "rect", "circle", "line", "br", "wbr"}


class _Balance(HTMLParser):
    """Fails on an element that is not closed where it must be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _outcome() -> Outcome:
    return Outcome(samples=samples([10] * 5, [4] * 5))


def _text(html: str) -> str:
    parser = _Balance()
    parser.feed(html)
    assert parser.open == []
    return "".join(parser.text)


def test_the_page_shows_the_goal_beside_the_result() -> None:
    html = page.render(report([row(goal=2)], _outcome()))

    text = _text(html)
    assert "ours_vs_theirs" in text
    assert "≥ 2" in text
    assert "2.50" in text
    assert "2.50 to 2.50" in text
    assert "1met0missed0not measured" in text


def test_the_page_names_what_was_not_measured_and_why() -> None:
    outcome = Outcome(samples=samples([10] * 5, []), absent={"theirs": "there is no JVM"})

    text = _text(page.render(report([row()], outcome)))

    assert "not measured" in text
    assert "theirs: there is no JVM" in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    html = page.render(report([row()], _outcome()))

    assert re.findall(r"<(?:script|link|img|iframe)|url\(|@import", html) == []
    assert set(re.findall(r"https?://[^\s\"<]+", html)) == {"http://www.w3.org/2000/svg"}


def test_the_page_has_colours_for_the_light_and_for_the_dark() -> None:
    html = page.render(report([row()], _outcome()))

    assert "color-scheme: light dark" in html
    assert "prefers-color-scheme: dark" in html


def test_text_from_outside_cannot_become_markup() -> None:
    html = page.render(report([row()], _outcome(), what="<b>bold</b> & more"))

    assert "<b>bold" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in html


def test_a_noisy_neighbour_is_told() -> None:
    noisy = Outcome(samples=[_turn(machine_cores=1.9, server_cores=0.5) for _ in range(5)])
    quiet = Outcome(samples=[_turn(machine_cores=1.9, server_cores=1.8) for _ in range(5)])

    assert "Programs outside" in page.render(report([row()], noisy))
    assert "Programs outside" not in page.render(report([row()], quiet))


def test_the_medians_stand_under_their_rows_in_the_json(tmp_path: Path) -> None:
    made = report([row(), row("another", goal=1)], _outcome())

    write(made, tmp_path / "bench" / "report.json")

    written = json.loads((tmp_path / "bench" / "report.json").read_text())
    assert written["ratios"] == {"ours_vs_theirs": 2.5, "another": 2.5}
    assert written["machine"]["sync"]["p50_us"] == 100
    assert written["servers"]["replication_factor"] == 1
    assert written["contenders"][0]["settings"] == {"clients": "4"}
    assert len(written["contenders"][0]["samples"]) == 5


def test_a_row_without_a_ratio_is_null_in_the_json(tmp_path: Path) -> None:
    made = report([row()], Outcome(absent={"ours": "no servers"}))

    write(made, tmp_path / "report.json")

    assert json.loads((tmp_path / "report.json").read_text())["ratios"] == {"ours_vs_theirs": None}


@pytest.mark.parametrize(
    ("better", "ratio", "share"),
    [
        (Better.AT_LEAST, 4.0, 2.0),
        (Better.AT_LEAST, 1.0, 0.5),
        (Better.AT_MOST, 1.0, 2.0),
        (Better.AT_MOST, 4.0, 0.5),
    ],
)
def test_better_is_always_on_the_same_side_of_the_goal(
    better: Better, ratio: float, share: float
) -> None:
    (found,) = row_reports([row(goal=2, better=better)], _outcome(), 5)

    assert goodness(found, ratio) == share


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]

    assert percentile(values, 50) == 3
    assert percentile(values, 99) == 5
    assert percentile([7.0], 1) == 7


def test_the_disk_is_measured_where_the_servers_will_write(tmp_path: Path) -> None:
    measured = sync_latency(tmp_path)

    assert 0 < measured.p50_us <= measured.p99_us
    assert list(tmp_path.iterdir()) == []


def _turn(**facts: float) -> Sample:
    measurement = Measurement(figures={"rate": 1.0}, facts=facts)
    return Sample(contender="ours", round=0, seconds=1.0, measurement=measurement)
