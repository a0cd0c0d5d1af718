"""Settings of the payment simulator, read from SIMULATOR_*."""

from typing import Literal

from msgspec import Struct

from libs.foundation.settings import ProcessSettings, Secret
from libs.foundation.settings.shared import Port


class SimulatorSettings(Struct, frozen=True, kw_only=True):
    """Where the simulator listens and keeps its ledger."""

    process: ProcessSettings
    port: Port
    """Port of the provider's HTTP interface; 0 takes a free one and logs it."""
    host: str = "127.0.0.1"
    """Address the provider's HTTP interface listens on."""
    ledger_path: str
    """SQLite file that holds every operation; made when it does not exist."""
    webhook_url: str | None = None
    """Where webhooks are sent; none are when it is empty."""
    webhook_secret: Secret | None = None
    """Signs webhooks: `whsec_` and 24 to 64 bytes in base64, as the receiver has it."""
    webhooks: Literal["always", "on_demand"] = "on_demand"
    """always: one for each operation; on_demand: for those that faults name or answer later."""

    def __post_init__(self) -> None:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("webhook_url and webhook_secret must be set together")
