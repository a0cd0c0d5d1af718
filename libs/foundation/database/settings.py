"""How a process reaches PostgreSQL, and the limits it asks the server to hold it to."""

from msgspec import Struct


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """Connection and limits; every timeout is enforced by the server, the pool's by the client."""

    url: str
    """Address and login, `postgresql://role:password@host:port/database`."""
    pool_size_max: int = 4
    """Most connections this process opens at once through its pool."""
    pool_waiting_max: int = 64
    """Most callers that may wait for a connection; the next one is refused at once."""
    pool_wait_timeout_ms: int = 500
    """Longest wait of a caller for a connection."""
    connect_timeout_s: int = 5
    """Longest wait for the server to accept a connection."""
    statement_timeout_ms: int = 3_000
    """Time after which the server cancels a statement."""
    lock_timeout_ms: int = 1_000
    """Time after which the server gives up waiting for a lock."""
    transaction_timeout_ms: int = 5_000
    """Time after which the server ends a transaction, and one that is idle."""
    tcp_user_timeout_ms: int = 5_000
    """Time after which a connection whose data nobody acknowledges counts as lost."""

    def __post_init__(self) -> None:
        if not self.lock_timeout_ms < self.statement_timeout_ms <= self.transaction_timeout_ms:
            raise ValueError(
                "lock_timeout_ms < statement_timeout_ms <= transaction_timeout_ms must hold"
            )
