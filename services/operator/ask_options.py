"""The options of every command that asks a process to act."""

from dataclasses import dataclass
from getpass import getuser
from typing import Annotated

from cyclopts import Parameter

from libs.foundation.messaging.asker import Asker


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """Who asks, why, and how long the command waits for what comes of it."""

    reason: str | None = None
    """Why; it stays in the audit."""
    by: str | None = None
    """Who asks; your login if not given."""
    wait_s: float = 15.0
    json: Annotated[bool, Parameter(negative="")] = False

    def asker(self) -> Asker | None:
        """Return who asks and why; None without a reason."""
        if not self.reason:
            return None
        return Asker(requested_by=self.by or getuser(), reason=self.reason)


@dataclass(frozen=True, kw_only=True)
class RehearsedOptions(AskOptions):
    """Without a reason nothing is asked for: the command shows what would happen."""

    dry_run: Annotated[bool, Parameter(negative="")] = False

    def asker(self) -> Asker | None:
        """Return who asks and why; None for a dry run."""
        return None if self.dry_run else super().asker()


@dataclass(frozen=True, kw_only=True)
class PatientOptions(RehearsedOptions):
    """For what takes its time."""

    wait_s: float = 60.0
