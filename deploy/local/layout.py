"""Says where one stack keeps its state, its logs and its addresses."""

from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT: Final = Path(__file__).parents[2]
# Every process of a stack carries this variable with the stack's folder: a child that was started
# and not yet written down when the supervisor was killed is found by it.
STACK_VARIABLE: Final = "ORDERLY_STACK"


class Layout(Struct, frozen=True):
    """The folder of one stack; `make up` uses `var`."""

    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    @property
    def state(self) -> Path:
        return self.folder / "stack.json"

    @property
    def environment(self) -> Path:
        return self.folder / "stack.env"

    @property
    def lock(self) -> Path:
        return self.folder / "stack.lock"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def services(self) -> Path:
        """Where the services keep files, and what is read by them alone."""
        return self.folder / "services"

    @property
    def kafka(self) -> Path:
        return self.folder / "kafka"


def layout_in(folder: Path) -> Layout:
    return Layout(folder.resolve())


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file in one step: a reader never sees half of it. Only the owner may read it."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(content)
    unfinished.replace(path)
