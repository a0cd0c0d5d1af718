"""The table of Orderly's processes: which module, which role, which variables."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from deploy.local.api_secrets import ISSUERS_FILE, KEYS_FILE
from deploy.local.signing import WEEK_S


class Process(Struct, frozen=True, kw_only=True):
    """One row: `python -m module arguments`; braces in `environment` are filled by `Addresses`."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    prefix: str
    environment: Mapping[str, str]
    needs_kafka: bool = False


class Table(Struct, frozen=True, kw_only=True):
    """What a stack runs beside its servers."""

    setup: tuple[Process, ...]
    """Commands that run to their end first."""
    processes: tuple[Process, ...]


class Addresses(Struct, frozen=True, kw_only=True):
    """What the braces of the table may name."""

    folder: str
    kafka: str
    api_port: int
    payment_simulator_port: int
    issuer_port: int
    admin_port: int
    databases: Mapping[str, str]
    """The DSN of each role."""

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def payment_simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.payment_simulator_port}"

    @property
    def issuer_url(self) -> str:
        return f"http://127.0.0.1:{self.issuer_port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def fill(self, template: str) -> str:
        return template.format(
            folder=self.folder,
            kafka=self.kafka,
            api_port=self.api_port,
            api_url=self.api_url,
            payment_simulator_port=self.payment_simulator_port,
            payment_simulator_url=self.payment_simulator_url,
            issuer_port=self.issuer_port,
            admin_port=self.admin_port,
            databases=self.databases,
        )


_RELAY_ENVIRONMENT: Final = {
    "RELAY_DATABASE_URL": "{databases[orderly_outbox_relay]}",
    "RELAY_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
}

PROCESSES: Final = (
    Process(
        name="payment-simulator",
        module="services.payment_simulator",
        prefix="SIMULATOR_",
        environment={
            "SIMULATOR_PORT": "{payment_simulator_port}",
            "SIMULATOR_LEDGER_PATH": "{folder}/payment-simulator.sqlite",
            "SIMULATOR_WEBHOOK_URL": "{api_url}/v1/payment-webhooks/simulator",
            "SIMULATOR_WEBHOOK_SECRET_FILE": "{folder}/webhook_secret",
        },
    ),
    Process(
        name="issuer",
        module="deploy.local.issuer",
        prefix="ISSUER_",
        environment={
            "ISSUER_PORT": "{issuer_port}",
            "ISSUER_KEYS_PATH": f"{{folder}}/{KEYS_FILE}",
        },
    ),
    Process(
        name="api",
        module="services.api",
        prefix="API_",
        environment={
            "API_PORT": "{api_port}",
            "API_REFERENCE_PAGE": "true",
            "API_DATABASE_URL": "{databases[orderly_api]}",
            "API_AUTHENTICATION_ISSUERS_FILE": f"{{folder}}/{ISSUERS_FILE}",
            "API_AUTHENTICATION_TOKEN_LIFETIME_MAX_S": str(WEEK_S),
            "API_CURSOR_SECRET_FILE": "{folder}/cursor_secret",
            "API_SIMULATOR_WEBHOOK_SECRETS_FILE": "{folder}/webhook_secret",
        },
    ),
    Process(
        name="admin",
        module="services.admin",
        prefix="ADMIN_",
        environment={
            "ADMIN_PORT": "{admin_port}",
            "ADMIN_DATABASE_URL": "{databases[orderly_operator]}",
            "ADMIN_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
            "ADMIN_AUTHENTICATION_ISSUERS_FILE": f"{{folder}}/{ISSUERS_FILE}",
            "ADMIN_AUTHENTICATION_TOKEN_LIFETIME_MAX_S": str(WEEK_S),
        },
    ),
    Process(
        name="outbox-relay",
        module="services.outbox_relay",
        prefix="RELAY_",
        environment=_RELAY_ENVIRONMENT,
        needs_kafka=True,
    ),
    # The standby: it takes over when the first one dies.
    Process(
        name="outbox-relay-2",
        module="services.outbox_relay",
        prefix="RELAY_",
        environment=_RELAY_ENVIRONMENT,
        needs_kafka=True,
    ),
    Process(
        name="worker-orders",
        module="services.worker",
        arguments=("orders",),
        prefix="WORKER_",
        environment={
            "WORKER_DATABASE_URL": "{databases[orderly_worker_orders]}",
            "WORKER_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
        },
        needs_kafka=True,
    ),
    Process(
        name="worker-inventory",
        module="services.worker",
        arguments=("inventory",),
        prefix="WORKER_",
        environment={
            "WORKER_DATABASE_URL": "{databases[orderly_worker_inventory]}",
            "WORKER_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
        },
        needs_kafka=True,
    ),
    Process(
        name="worker-payments",
        module="services.worker",
        arguments=("payments",),
        prefix="WORKER_",
        environment={
            "WORKER_DATABASE_URL": "{databases[orderly_worker_payments]}",
            "WORKER_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
            "WORKER_PROVIDER_URL": "{payment_simulator_url}",
        },
        needs_kafka=True,
    ),
)
# Runs to its end once the servers are ready, before any process that needs Kafka.
TOPICS: Final = Process(
    name="topics",
    module="services.operator",
    arguments=("topics", "apply"),
    prefix="OPERATOR_",
    environment={
        "OPERATOR_DATABASE_URL": "{databases[orderly_operator]}",
        "OPERATOR_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
    },
)
# A variable of the caller's shell that happens to start like one of ours (API_KEY) is not passed
# on: the process would refuse it as a misspelt setting.
PREFIXES: Final = tuple(sorted({process.prefix for process in (*PROCESSES, TOPICS)}))
ORDERLY: Final = Table(setup=(TOPICS,), processes=PROCESSES)
