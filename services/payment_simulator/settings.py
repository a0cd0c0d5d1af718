"""Settings of the payment simulator, read from SIMULATOR_*."""

from msgspec import Struct

from libs.foundation.settings import ProcessSettings
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
