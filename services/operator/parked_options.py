"""The options of `orderly parked`: which keys, and how they are asked for."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from libs.foundation.clock import utc_now
from libs.foundation.messaging.sql.parked_listing import Narrowing
from services.operator.ask_options import AskOptions
from services.operator.moments import moment


@dataclass(frozen=True, kw_only=True)
class CauseOptions:
    """Each narrows the choice, by the message that a key's queue waits for."""

    fingerprint: str | None = None
    """What the failures of one cause share: exception@file:function."""
    type: str | None = None
    code: str | None = None
    older_than: str | None = None
    """Only keys that were parked before: a time (2026-11-23T08:00Z) or an age (90m)."""

    def narrowing(self, owner: str | None, topic: str | None, key: str | None) -> Narrowing:
        """Return the choice; raises ValueError over a time that cannot be read."""
        now = utc_now()
        before = None if self.older_than is None else moment(self.older_than, now)
        return Narrowing(
            owner=owner,
            topic=topic,
            key=key,
            fingerprint=self.fingerprint,
            type=self.type,
            code=self.code,
            older_than_s=None if before is None else (now - before).total_seconds(),
        )


@dataclass(frozen=True, kw_only=True)
class BulkOptions(AskOptions):
    """Many keys are asked for only with --yes; without it the command shows what it would do."""

    everything: Annotated[bool, Parameter(name="--all", negative="")] = False
    """Every key that is parked, where nothing else narrows the choice."""
    dry_run: Annotated[bool, Parameter(negative="")] = False
    """Only show what would be done."""
    yes: Annotated[bool, Parameter(negative="")] = False
    """Go on although the choice may match many keys."""
