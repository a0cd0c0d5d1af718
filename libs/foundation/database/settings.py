"""How a process reaches PostgreSQL, and the limits it asks the server to hold it to."""

from msgspec import Struct


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """Connection and limits; every timeout is enforced by the server, the pool's by the client."""

    url: str
    pool_size_max: int = 4
    pool_waiting_max: int = 64
    pool_wait_timeout_ms: int = 500
    connect_timeout_s: int = 5
    statement_timeout_ms: int = 3_000
    lock_timeout_ms: int = 1_000
    transaction_timeout_ms: int = 5_000
    tcp_user_timeout_ms: int = 5_000

    def __post_init__(self) -> None:
        if not self.lock_timeout_ms < self.statement_timeout_ms <= self.transaction_timeout_ms:
            raise ValueError(
                "lock_timeout_ms < statement_timeout_ms <= transaction_timeout_ms must hold"
            )
