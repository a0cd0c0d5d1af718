"""Takes the traces that a process exports and throws them away: `trace_sink PORT`."""

import sys

from aiohttp import web

from deploy.local.ports import LOOPBACK


async def receive(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(content_type="application/x-protobuf")


def main(port: int) -> None:
    application = web.Application(client_max_size=64 * 2**20)
    application.add_routes([web.post("/v1/traces", receive)])
    web.run_app(application, host=LOOPBACK, port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
