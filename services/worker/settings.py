"""What every worker needs, whatever its context."""

from msgspec import Struct, field

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.settings import KafkaSettings, ProcessSettings


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """Settings of a worker; its context's own settings stand under the same prefix."""

    process: ProcessSettings
    database: DatabaseSettings
    kafka: KafkaSettings
    consumer: ConsumerSettings = field(default_factory=ConsumerSettings)

    def __post_init__(self) -> None:
        if self.consumer.wave_connections_max >= self.database.pool_size_max:
            raise ValueError(
                "database_pool_size_max must leave a connection beside"
                " consumer_wave_connections_max, for background loops and operators' requests"
            )
