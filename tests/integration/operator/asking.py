"""Runs `orderly` with an operator's rights on a test's database."""

import asyncio
import json
import os
from typing import Any, Final

from libs.testkit.databases import Database
from libs.testkit.packages import run_package

NOWHERE: Final = "127.0.0.1:9"
NUMBERED: Final = [(f"k{n % 7}", n) for n in range(1, 101)]


async def orderly(*arguments: str, **variables: str) -> tuple[int, str]:
    """Return the exit status and what was written; of the environment only the settings differ."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OPERATOR_")}
    environment = {**kept, "COLUMNS": "200", **variables}
    return await asyncio.to_thread(run_package, "services.operator", arguments, environment)


async def asked(
    database: Database, *arguments: str, role: str = "orderly_operator", kafka: str = NOWHERE
) -> tuple[int, str]:
    return await orderly(
        *arguments,
        OPERATOR_DATABASE_URL=database.url_for(role),
        OPERATOR_KAFKA_BOOTSTRAP_SERVERS=kafka,
    )


async def as_json(
    database: Database, *arguments: str, kafka: str = NOWHERE
) -> tuple[int, dict[str, Any]]:
    code, output = await asked(database, *arguments, "--json", role="orderly_reader", kafka=kafka)
    return code, json.loads(output)
