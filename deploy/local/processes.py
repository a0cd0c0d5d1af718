"""The table of Orderly's processes: which module, which role, which variables."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.local import launch
from deploy.local.health import answers_ok
from deploy.local.layout import ROOT
from deploy.local.ports import LOOPBACK


class Process(Struct, frozen=True):
    """One row: `python -m module arguments` with `environment`, whose braces `Addresses` fills."""

    name: str
    module: str
    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def side_port_variable(self) -> str:
        return f"{self.prefix}PROCESS_SIDE_PORT"


class Addresses(Struct, frozen=True):
    """What the rows' braces may name."""

    folder: Path
    kafka: str
    api_port: int
    payment_simulator_port: int
    databases: Mapping[str, str]
    """The DSN of each role."""


def _worker(context: str) -> Process:
    return Process(
        name=f"worker_{context}",
        module="services.worker",
        arguments=(context,),
        prefix="WORKER_",
        environment={
            "WORKER_DATABASE_URL": f"{{databases[orderly_worker_{context}]}}",
            "WORKER_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
        },
    )


_RELAY_ENVIRONMENT: Final = {
    "RELAY_DATABASE_URL": "{databases[orderly_outbox_relay]}",
    "RELAY_KAFKA_BOOTSTRAP_SERVERS": "{kafka}",
}
