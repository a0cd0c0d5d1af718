"""Who is calling, and what may be asked for in that name."""

from msgspec import Struct

from libs.foundation.web.refusals import InsufficientScope


class Principal(Struct, frozen=True, kw_only=True):
    """An authenticated caller; `scopes` is what it may do, `name` is unique within its kind."""

    kind: str
    name: str
    scopes: frozenset[str]

    @property
    def id(self) -> str:
        """Name of the caller among all kinds."""
        return f"{self.kind}:{self.name}"

    def require(self, *accepted: str) -> None:
        """Raise InsufficientScope unless the caller has one of the accepted scopes."""
        if self.scopes.isdisjoint(accepted):
            raise InsufficientScope(*accepted)
