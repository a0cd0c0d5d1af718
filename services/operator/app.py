"""The `orderly` command: its tree of commands."""

from collections.abc import Mapping

from cyclopts import App
from rich.console import Console

from libs.foundation.database import migrate
from libs.foundation.version import build
from services.operator.outbox_commands import OutboxCommands
from services.operator.parked_commands import ParkedCommands
from services.operator.payments_commands import PaymentsCommands
from services.operator.settings import DatabaseAccess, load_access
from services.operator.topics_commands import TopicsCommands


class SchemaCommands:
    """Migrations, as a role that may create roles and schemas."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def migrate(self, *, to: str = "head", down: bool = False) -> int:
        """Migrate up to a revision; with --down walk back to it, which drops data for good."""
        access = load_access(DatabaseAccess, self._environ)
        if down:
            migrate.downgrade(access.database.url, to)
        else:
            migrate.upgrade(access.database.url, to)
        return 0


def build_app(environ: Mapping[str, str], console: Console) -> App:
    """Return the application; settings are read when a command runs, not before."""
    app = App("orderly", help="Operates an installation of Orderly.", version=build().version)
    app.command(SchemaCommands(environ).migrate)

    topics = App("topics", help="Kafka topics.")
    topics_commands = TopicsCommands(environ, console)
    topics.command(topics_commands.apply)
    topics.command(topics_commands.check)
    app.command(topics)

    parked = App("parked", help="Messages that were set aside.")
    parked_commands = ParkedCommands(environ, console)
    parked.command(parked_commands.list)
    parked.command(parked_commands.retry)
    parked.command(parked_commands.skip)
    app.command(parked)

    outbox = App("outbox", help="The outbox and its relay.")
    outbox_commands = OutboxCommands(environ, console)
    outbox.command(outbox_commands.status)
    outbox.command(outbox_commands.reanchor)
    outbox.command(outbox_commands.handover)
    app.command(outbox)

    payments = App("payments", help="Payments and their provider.")
    payments_commands = PaymentsCommands(environ, console)
    payments.command(payments_commands.reconcile)
    payments.command(payments_commands.settle)
    app.command(payments)
    return app
