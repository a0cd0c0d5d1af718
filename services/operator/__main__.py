"""Operator: the `orderly` command."""

import logging
import os
import sys
from typing import Final

import psycopg
from aiokafka.errors import KafkaError
from rich.console import Console

from libs.foundation.database.migrate import MigrationBlockedError
from libs.foundation.database.schema import CodeOutdated, SchemaOutdated
from libs.foundation.messaging.topics import TopicError
from libs.foundation.redaction import hide_credentials
from libs.foundation.settings import SettingsError
from services.operator.app import build_app

_EXIT_UNAVAILABLE: Final = 69  # EX_UNAVAILABLE of sysexits.h.
_EXIT_CANNOT_START: Final = 78  # EX_CONFIG.


def main() -> None:
    # Libraries say in their log what the command says better, or is about to try again.
    logging.basicConfig(handlers=[logging.NullHandler()])
    # Lines are never wrapped or coloured by content: their words are searched and piped. What
    # looks like markup in a key or an error is shown as it is.
    console = Console(highlight=False, soft_wrap=True, markup=False)
    try:
        build_app(os.environ, console)()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_EXIT_CANNOT_START)
    except (CodeOutdated, SchemaOutdated, MigrationBlockedError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_EXIT_CANNOT_START if isinstance(error, CodeOutdated) else _EXIT_UNAVAILABLE)
    except (psycopg.Error, KafkaError, TopicError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {hide_credentials(str(error))}\n")
        sys.exit(_EXIT_UNAVAILABLE)


if __name__ == "__main__":
    main()
