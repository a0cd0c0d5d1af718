"""Runs `orderly` beside a running stack."""

import os

from libs.testkit.packages import run_package
from tests.e2e.stack import RunningStack


def environment_of(stack: RunningStack, database_url: str | None) -> dict[str, str]:
    """Return what the command is told; as the reader in stack.env unless said so."""
    return {
        **os.environ,
        "OPERATOR_DATABASE_URL": database_url or stack.database_url,
        "OPERATOR_KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap,
    }


def orderly(stack: RunningStack, *arguments: str, database_url: str | None = None) -> str:
    """Run the command and return what it prints."""
    environment = environment_of(stack, database_url)
    status, written = run_package("services.operator", arguments, environment)
    assert status == 0, written
    return written
