"""A child process can be awaited, frozen, killed and read."""

from pathlib import Path

import pytest

from deploy.local.health import answers_ok
from deploy.local.launch import StartFailed
from deploy.local.ports import LOOPBACK, free_port
from libs.testkit.faults import running

# A stand-in for a service: it serves /readyz on its side port, and says when it is asked to end.
_SERVICE = """
import http.server, os, signal, sys

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

def drain(*_):
    print("draining", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, drain)
http.server.HTTPServer(("127.0.0.1", int(os.environ["SIDE_PORT"])), Ready).serve_forever()
"""


@pytest.fixture
def side_port() -> int:
    return free_port()


@pytest.fixture
def environment(tmp_path: Path, side_port: int) -> dict[str, str]:
    (tmp_path / "stand_in.py").write_text(_SERVICE)
    (tmp_path / "broken.py").write_text("raise SystemExit('no configuration')")
    return {"PYTHONPATH": str(tmp_path), "SIDE_PORT": str(side_port)}


async def test_a_terminated_service_drains_and_its_output_is_kept(
    environment: dict[str, str], side_port: int
) -> None:
    async with running("stand_in", environment=environment, side_port=side_port) as service:
        status = await service.terminate()

    assert status == 0
    assert service.output() == "draining\n"


async def test_a_paused_service_answers_again_only_when_resumed(
    environment: dict[str, str], side_port: int
) -> None:
    async with running("stand_in", environment=environment, side_port=side_port) as service:
        service.pause()
        while_paused = await service.ready()
        service.resume()
        await service.until_ready()

    assert not while_paused


async def test_a_killed_service_cannot_drain(environment: dict[str, str], side_port: int) -> None:
    async with running("stand_in", environment=environment, side_port=side_port) as service:
        await service.kill()

    assert service.output() == ""
    assert not await answers_ok(f"http://{LOOPBACK}:{side_port}/readyz")


async def test_a_service_that_ends_before_it_is_ready_shows_its_last_words(
    environment: dict[str, str], side_port: int
) -> None:
    with pytest.raises(StartFailed, match="no configuration"):
        async with running("broken", environment=environment, side_port=side_port):
            pass
