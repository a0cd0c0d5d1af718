"""The contenders, a module each, and the list of them in the order of a round."""

from typing import Final

from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.api import (
    Api,
    ApiWithoutAuthentication,
    ApiWithoutTelemetry,
)
from loadtests.benchmarks.contenders.debezium import Debezium
from loadtests.benchmarks.contenders.end_to_end import EndToEnd
from loadtests.benchmarks.contenders.fastapi_shop import FastApi
from loadtests.benchmarks.contenders.hello import Hello
from loadtests.benchmarks.contenders.overload import Overload
from loadtests.benchmarks.contenders.pgbench import (
    PgbenchHot,
    PgbenchOrders,
    PgbenchWorker,
)
from loadtests.benchmarks.contenders.relay import PinnedRelay, Relay
from loadtests.benchmarks.contenders.send_batch import SendBatch
from loadtests.benchmarks.contenders.skip_locked import SkipLocked
from loadtests.benchmarks.contenders.worker import HotWorker, Worker

CONTENDERS: Final[tuple[type[Contender], ...]] = (
    PgbenchOrders,
    Api,
    ApiWithoutTelemetry,
    ApiWithoutAuthentication,
    Hello,
    FastApi,
    Overload,
    EndToEnd,
    Debezium,
    Relay,
    PinnedRelay,
    SendBatch,
    SkipLocked,
    Worker,
    PgbenchWorker,
    HotWorker,
    PgbenchHot,
)
