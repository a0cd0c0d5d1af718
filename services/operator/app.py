"""The `orderly` command: its tree of commands."""

from collections.abc import Mapping

from cyclopts import App
from rich.console import Console

from libs.foundation.database import migrate
from libs.foundation.version import build
from services.operator.audit_commands import AuditCommands
from services.operator.consumers_commands import ConsumersCommands
from services.operator.installation_commands import InstallationCommands
from services.operator.order_commands import OrderCommands
from services.operator.outbox_commands import OutboxCommands
from services.operator.parked_commands import ParkedCommands
from services.operator.payments_commands import PaymentsCommands
from services.operator.reconcile_commands import ReconcileCommands
from services.operator.relay_commands import RelayCommands
from services.operator.replay_commands import ReplayCommands
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
    parked.command(parked_commands.show)
    parked.command(parked_commands.retry)
    parked.command(parked_commands.skip)
    parked.command(parked_commands.stop)
    parked.command(parked_commands.resume)
    app.command(parked)

    audit = App("audit", help="What operators have asked for.")
    audit_commands = AuditCommands(environ, console)
    audit.command(audit_commands.list)
    audit.command(audit_commands.show)
    app.command(audit)

    outbox = App("outbox", help="The outbox and its relay.")
    outbox_commands = OutboxCommands(environ, console)
    outbox.command(outbox_commands.status)
    outbox.command(outbox_commands.reanchor)
    outbox.command(outbox_commands.handover)
    app.command(outbox)

    add_business(app, environ, console)
    add_operations(app, environ, console)
    return app


def add_business(app: App, environ: Mapping[str, str], console: Console) -> None:
    """Add what is asked about orders and their payments."""
    payments = App("payments", help="Payments and their provider.")
    payments_commands = PaymentsCommands(environ, console)
    payments.command(payments_commands.reconcile)
    payments.command(payments_commands.settle)
    app.command(payments)

    order = App("order", help="One order: where it is, and why it is stuck.")
    order_commands = OrderCommands(environ, console)
    order.command(order_commands.show)
    order.command(order_commands.list)
    order.command(order_commands.resend_step)
    order.command(order_commands.cancel)
    order.command(order_commands.reject)
    app.command(order)


def add_operations(app: App, environ: Mapping[str, str], console: Console) -> None:
    """Add what tells how an installation is, and what sends kept messages again."""
    relay = App("relay", help="Who relays the outbox.")
    relay_commands = RelayCommands(environ, console)
    relay.command(relay_commands.status)
    relay.command(relay_commands.handover)
    app.command(relay)

    consumers = App("consumers", help="Consumers of this installation.")
    consumers_commands = ConsumersCommands(environ, console)
    consumers.command(consumers_commands.status)
    consumers.command(consumers_commands.forget)
    app.command(consumers)

    replay = App("replay", help="Sends kept messages again.")
    replay_commands = ReplayCommands(environ, console)
    replay.default(replay_commands.replay)
    replay.command(replay_commands.status)
    replay.command(replay_commands.stop)
    app.command(replay)

    installation = InstallationCommands(environ, console)
    app.command(installation.partitions)
    app.command(installation.doctor)
    app.command(ReconcileCommands(environ, console).reconcile)
