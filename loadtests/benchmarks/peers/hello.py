"""A Litestar handler that decodes the body of an order and says so: `hello PORT PROCESSES`."""

import asyncio
import os
import signal
import sys
from typing import Any, Final

import msgspec
import uvloop
from litestar import Litestar, MediaType, Request, Response, post
from msgspec import Struct

from deploy.local.ports import LOOPBACK
from libs.foundation.web.server import listening, serve


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """As in a body of POST /v1/orders."""

    sku: str
    quantity: int


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """As in a body of POST /v1/orders."""

    provider: str
    kind: str
    value: str


class Payment(Struct, frozen=True, forbid_unknown_fields=True):
    """As in a body of POST /v1/orders."""

    source: Source


class OrderBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body that the load generator sends."""

    currency: str
    customer_id: str
    lines: tuple[Line, ...]
    payment: Payment


_DECODER: Final = msgspec.json.Decoder(OrderBody)
_ANSWER: Final = b'{"status":"decoded"}'


@post("/v1/orders")
async def orders(request: Request[Any, Any, Any]) -> Response[bytes]:
    _DECODER.decode(await request.body())
    return Response(_ANSWER, status_code=201, media_type=MediaType.JSON)


class Closing:
    """Ends at once: no balancer has to be told first."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.stopping = asyncio.Event()

    def close(self) -> None:
        self.draining.set()
        self.stopping.set()


async def main(port: int) -> None:
    """Serve as the product does, until SIGTERM."""
    closing = Closing()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, closing.close)
    application = Litestar([orders], openapi_config=None, logging_config=None)
    with listening(LOOPBACK, port, shares_port=True) as listener:
        await serve(application, listener, closing, keep_alive_grace_ms=0)


def serve_in_processes(port: int, processes: int) -> None:
    """Fork before there is any loop or thread: each process has a socket of its own on the port."""
    children: list[int] = []
    for _ in range(1, processes):
        child = os.fork()
        if child == 0:
            children.clear()
            break
        children.append(child)
    uvloop.run(main(port))
    for child in children:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


if __name__ == "__main__":
    serve_in_processes(int(sys.argv[1]), int(sys.argv[2]))
