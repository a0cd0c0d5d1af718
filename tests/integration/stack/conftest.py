"""A stack of stand-ins: real servers and supervision, and services of a few lines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.layout import Layout, layout_in
from deploy.local.leftovers import remove_storage
from deploy.local.processes import Process, Table

_SERVICE = """
import http.server, os

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

address = ("127.0.0.1", int(os.environ["STANDIN_PROCESS_SIDE_PORT"]))
http.server.HTTPServer(address, Ready).serve_forever()
"""


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """Give the test a folder for one stack, and remove its storage, wherever that lies."""
    layout = layout_in(tmp_path / "stack")
    yield layout
    remove_storage(layout)


@pytest.fixture
def other_layout(tmp_path: Path) -> Iterator[Layout]:
    """Give the test a folder for a second stack."""
    layout = layout_in(tmp_path / "other")
    yield layout
    remove_storage(layout)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Give the test a table with one process, which needs nothing."""
    (tmp_path / "stand_in.py").write_text(_SERVICE)
    return Table(
        setup=(),
        processes=(
            Process(
                name="stand-in",
                module="stand_in",
                prefix="STANDIN_",
                environment={"PYTHONPATH": str(tmp_path)},
            ),
        ),
    )
