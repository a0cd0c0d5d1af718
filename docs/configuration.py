"""Makes the configuration reference from the settings of every process."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from libs.domain.inventory.worker import InventoryWorkerSettings
from libs.domain.orders.worker import OrdersWorkerSettings
from libs.domain.payments.settings import PaymentsSettings
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.settings import SettingRow, reference
from services.admin.settings import AdminSettings
from services.api.settings import ApiSettings
from services.operator.settings import DatabaseAccess, KafkaAccess
from services.payment_simulator.settings import SimulatorSettings
from services.worker.settings import WorkerSettings


class Chapter(Struct, frozen=True, kw_only=True):
    """One table: what one struct reads under one prefix."""

    title: str
    command: str
    prefix: str
    settings: type[Struct]


CHAPTERS: Final = (
    Chapter(title="API", command="python -m services.api", prefix="API_", settings=ApiSettings),
    Chapter(
        title="Admin", command="python -m services.admin", prefix="ADMIN_", settings=AdminSettings
    ),
    Chapter(
        title="Outbox relay",
        command="python -m services.outbox_relay",
        prefix="RELAY_",
        settings=RelaySettings,
    ),
    Chapter(
        title="Every worker",
        command="python -m services.worker CONTEXT",
        prefix="WORKER_",
        settings=WorkerSettings,
    ),
    Chapter(
        title="Worker of orders, in addition",
        command="python -m services.worker orders",
        prefix="WORKER_",
        settings=OrdersWorkerSettings,
    ),
    Chapter(
        title="Worker of inventory, in addition",
        command="python -m services.worker inventory",
        prefix="WORKER_",
        settings=InventoryWorkerSettings,
    ),
    Chapter(
        title="Worker of payments, in addition",
        command="python -m services.worker payments",
        prefix="WORKER_",
        settings=PaymentsSettings,
    ),
    Chapter(
        title="Operators' command, for what concerns the database",
        command="orderly",
        prefix="OPERATOR_",
        settings=DatabaseAccess,
    ),
    Chapter(
        title="Operators' command, for what concerns Kafka",
        command="orderly topics check",
        prefix="OPERATOR_",
        settings=KafkaAccess,
    ),
    Chapter(
        title="Payment simulator",
        command="python -m services.payment_simulator",
        prefix="SIMULATOR_",
        settings=SimulatorSettings,
    ),
)

_OPENING: Final = """\
# Configuration

Generated from the code by `make generate`; `make check` fails when it is stale.

A process reads its variables once, when it starts, and reports everything that is wrong with them
at once. It logs what it read, with secrets hidden (`process_starting`).

- A name ends in its unit: `_MS`, `_S`, `_ROWS`, `_MAX`.
- `NAME_FILE=/path` reads the value of `NAME` from a file; setting both is an error.
- A variable with a process's prefix that is none of its settings is taken for a misspelt one: an
  error.
- An empty variable means "nothing", where nothing is allowed.
- Settings that contradict each other (a lease shorter than three renewals) are an error too.
"""


def configuration(chapters: Sequence[Chapter] = CHAPTERS) -> str:
    """Return the whole document."""
    return _OPENING + "".join(_chapter(chapter) for chapter in chapters)


def _chapter(chapter: Chapter) -> str:
    rows = reference(chapter.settings, chapter.prefix)
    return f"\n## {chapter.title}\n\n`{chapter.command}`\n\n" + "".join(_table(rows))


def _table(rows: Sequence[SettingRow]) -> Iterator[str]:
    if not rows:
        yield "Nothing.\n"
        return
    yield "| variable | value | default | meaning |\n|---|---|---|---|\n"
    for row in rows:
        cells = (f"`{row.variable}`", row.type, _default(row.default), row.documentation)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(default: str | None) -> str:
    if default is None:
        return "**required**"
    return f"`{default}`" if default else "nothing"
