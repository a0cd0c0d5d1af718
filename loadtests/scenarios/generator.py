"""Sends orders by a schedule with wrk, and tells second by second what became of them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from loadtests.benchmarks.commands import CommandFailed, run_to_end
from loadtests.benchmarks.site import Site
from loadtests.scenarios.latencies import BUCKETS, Latencies
from loadtests.scenarios.scenario import Stage

_SCRIPT: Final = Path(__file__).parent / "lua" / "open_orders.lua"
# Few enough that none is idle for as long as the server keeps idle ones, many enough for a stall.
_CONNECTIONS: Final = range(16, 513)
_SECONDS_KEPT: Final = 2
# Answers may come a little after the last order was sent.
_TAIL_S: Final = 3
_MARGIN_S: Final = 20
_RESULT: Final = re.compile(r"^RESULT (\{.*\})$", re.MULTILINE)

Counts = list[tuple[int, int]]


class Second(Struct, frozen=True, kw_only=True):
    """One second of the schedule: orders due in it, and those of them that were accepted."""

    sent: int = 0
    accepted: int = 0
    other: int = 0
    """Answers other than 201 that came in this second."""
    p50_ms: float = 0
    p99_ms: float = 0


class Sent(Struct, frozen=True, kw_only=True):
    """What the generator offered and got; `cores` is what it took itself."""

    planned: int
    broken: int
    """Connections refused or cut, idle ones as well, and answers that did not come in time."""
    cores: float
    seconds: list[Second]
    accepted_p50_ms: float
    accepted_p99_ms: float

    @property
    def sent(self) -> int:
        return sum(each.sent for each in self.seconds)

    @property
    def accepted(self) -> int:
        return sum(each.accepted for each in self.seconds)

    @property
    def lost(self) -> int:
        """Orders that were shed, or not answered before the end."""
        return self.sent - self.accepted


class _Printed(Struct, frozen=True):
    planned: int
    broken: int
    sent: Counts
    accepted: Counts
    other: Counts
    late: Counts


async def send(site: Site, url: str, token: str, stages: Sequence[Stage], skus: int) -> Sent:
    """Send the stages' orders to `url`, from one thread."""
    schedule = ",".join(f"{each.from_rate}:{each.to_rate}:{each.seconds}" for each in stages)
    seconds = sum(each.seconds for each in stages) + _TAIL_S
    done = await run_to_end(
        (
            "wrk",
            "-t1",
            f"-c{_connections(stages)}",
            f"-d{seconds:.0f}s",
            "--timeout",
            "10s",
            *("-s", str(_SCRIPT), url, "--", token, schedule, str(skus)),
        ),
        environment=site.environment,
        limit_s=seconds + _MARGIN_S,
    )
    found = _RESULT.search(done.output)
    if found is None:
        raise CommandFailed(f"wrk printed no result: {done.output[-400:]}")
    return _sent(msgspec.json.decode(found.group(1), type=_Printed), done.cores)


def _connections(stages: Sequence[Stage]) -> int:
    peak = max(rate for each in stages for rate in (each.from_rate, each.to_rate))
    wanted = round(peak * _SECONDS_KEPT)
    return min(max(wanted, _CONNECTIONS[0]), _CONNECTIONS[-1])


def _sent(printed: _Printed, cores: float) -> Sent:
    sent, accepted, other = dict(printed.sent), dict(printed.accepted), dict(printed.other)
    late: dict[int, Latencies] = {}
    for key, count in printed.late:
        late.setdefault(key // BUCKETS, Latencies()).add(key % BUCKETS, count)
    whole = Latencies.merged(late.values())
    last = max((*sent, *accepted, *other), default=-1)
    return Sent(
        planned=printed.planned,
        broken=printed.broken,
        cores=cores,
        accepted_p50_ms=whole.percentile_ms(50),
        accepted_p99_ms=whole.percentile_ms(99),
        seconds=[
            Second(
                sent=sent.get(number, 0),
                accepted=accepted.get(number, 0),
                other=other.get(number, 0),
                p50_ms=late.get(number, Latencies()).percentile_ms(50),
                p99_ms=late.get(number, Latencies()).percentile_ms(99),
            )
            for number in range(last + 1)
        ],
    )
