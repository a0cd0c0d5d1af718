"""Finds TCP ports on loopback that nobody listens on."""

import random
import socket
from contextlib import closing
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below the range from which Linux and macOS take the local port of an outgoing connection: a port
# from that range could be taken by a client while the server that owns it restarts.
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000
_random: Final = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that could be bound just now."""
    found: list[int] = []
    for port in _random.sample(range(_LOWEST, _HIGHEST), k=_HIGHEST - _LOWEST):
        if len(found) == count:
            return found
        if _can_bind(port):
            found.append(port)
    raise OSError(f"fewer than {count} free ports between {_LOWEST} and {_HIGHEST}")


def free_port() -> int:
    return free_ports(1)[0]


def _can_bind(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
