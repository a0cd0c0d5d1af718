"""Posts orders over a number of kept-alive connections for a number of seconds."""

import asyncio
import random
import sys
import uuid
from time import perf_counter
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

_ANSWER_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class LoadResult(Struct, frozen=True, kw_only=True):
    """Answers by status, and the latency of the accepted requests."""

    seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float


class _Load:
    def __init__(self, host: str, port: int, token: str) -> None:
        self._host = host
        self._port = port
        self._token = token
        self._statuses: dict[str, int] = {}
        self._seconds: list[float] = []

    async def run(self, connections: int, seconds: float) -> LoadResult:
        started_s = perf_counter()
        await asyncio.gather(*[self._post_until(started_s + seconds) for _ in range(connections)])
        elapsed_s = perf_counter() - started_s
        latencies = sorted(self._seconds)
        return LoadResult(
            seconds=elapsed_s,
            statuses=self._statuses,
            p50_ms=latencies[len(latencies) // 2] * 1_000,
            p99_ms=latencies[len(latencies) * 99 // 100] * 1_000,
        )

    async def _post_until(self, ends_at_s: float) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        while (started_s := perf_counter()) < ends_at_s:
            writer.write(self._request())
            head = await reader.readuntil(_ANSWER_END)
            await reader.readexactly(int(head.split(_LENGTH)[1].split(b"\r")[0]))
            status = head.split(b" ", 2)[1].decode()
            self._statuses[status] = self._statuses.get(status, 0) + 1
            self._seconds.append(perf_counter() - started_s)
        writer.close()

    def _request(self) -> bytes:
        body = msgspec.json.encode(
            {
                "currency": "EUR",
                "customer_id": f"c_{random.randrange(20_000)}",
                "lines": [
                    {"sku": f"CD-{random.randint(1, 1_000)}", "quantity": 1},
                    {"sku": f"CD-{random.randint(1, 1_000)}", "quantity": 2},
                ],
                "payment": {
                    "source": {"provider": "simulator", "kind": "token", "value": "tok_good"}
                },
            }
        )
        head = (
            f"POST /v1/orders HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._token}\r\nIdempotency-Key: {uuid.uuid4().hex}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def main(host: str, port: str, token: str, connections: str, seconds: str) -> None:
    result = await _Load(host, int(port), token).run(int(connections), float(seconds))
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:6]))
