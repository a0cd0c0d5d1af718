"""Maps a key to its partition exactly as Kafka's own clients do."""

from functools import lru_cache

from aiokafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType] - no types.


# Of the keys that are written about now: an aggregate's messages follow each other within seconds.
@lru_cache(maxsize=4_096)
def _hash(key: str) -> int:
    digest: int = murmur2(key.encode())
    return digest & 0x7FFFFFFF


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of `key`: murmur2, sign bit cleared, modulo the partition count."""
    return _hash(key) % partitions
