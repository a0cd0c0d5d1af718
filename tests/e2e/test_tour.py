"""The tour of the API does what it says: its commands are run, in order, against a real stack."""

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from tests.e2e.books import balanced
from tests.e2e.stack import RunningStack

TOUR: Final = Path(__file__).parents[2] / "docs" / "tour.md"
_STEP: Final = re.compile(
    r"^```bash\n(?P<commands>.*?)^```$(?:\n+```http\n(?P<answer>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
_END: Final = "--- end of step {} ---"


def steps() -> list[tuple[str, list[str]]]:
    """Return the commands of each step, and the lines its answer must have."""
    text = TOUR.read_text(encoding="utf-8")
    return [
        (step["commands"], (step["answer"] or "").splitlines()) for step in _STEP.finditer(text)
    ]


async def test_the_tour_leads_where_it_says(own_stack: RunningStack, tmp_path: Path) -> None:
    taken = steps()

    outputs = await walk(own_stack, [commands for commands, _ in taken], tmp_path)

    assert len(outputs) == len(taken) > 12
    missing = [
        f"{line!r} is not in the answer to:\n{commands}\n{output}"
        for (commands, lines), output in zip(taken, outputs, strict=True)
        for line in lines
        if not expected(line).search(output)
    ]
    assert missing == []
    assert await balanced(own_stack) == []


async def walk(stack: RunningStack, commands: list[str], folder: Path) -> list[str]:
    """Run all steps in one shell, as a reader does, and return what each one wrote."""
    script = "".join(
        f"{each}\nprintf '\\n%s\\n' '{_END.format(number)}'\n"
        for number, each in enumerate(commands)
    )
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-o", "pipefail", "-c", script),
        cwd=folder,
        env={
            **os.environ,
            "ORDERLY_API_URL": stack.api_url,
            "ORDERLY_STAFF_TOKEN": stack.staff_token,
            "ORDERLY_CUSTOMER_TOKEN": stack.customer_token,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    written, _ = await shell.communicate()
    output = written.decode().replace("\r", "")
    assert shell.returncode == 0, output
    found: list[str] = []
    for number in range(len(commands)):
        before, _, output = output.partition(f"\n{_END.format(number)}\n")
        found.append(before)
    return found


def expected(line: str) -> re.Pattern[str]:
    """Return what finds a line of the document, in which `...` stands for anything."""
    return re.compile(".*".join(re.escape(part) for part in line.split("...")))
