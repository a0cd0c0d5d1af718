"""A provider's book of one order: what it did under each key, and what that comes to."""

from uuid import UUID

from libs.domain.payments.operation import Kind, Operation
from libs.domain.payments.provider import Declined, Succeeded


class ProviderBook:
    """Executes each key once; it is never asked for more than it has, or the test fails."""

    def __init__(self) -> None:
        self.answers: dict[UUID, Succeeded | Declined] = {}
        self.done: dict[UUID, tuple[Kind, int]] = {}  # What succeeded.
        self.authorised = 0
        self.captured = 0
        self.released = 0
        self.refunded = 0

    @property
    def open(self) -> int:
        return self.authorised - self.captured - self.released

    def execute(self, operation: Operation, *, willing: bool) -> Succeeded | Declined:
        """Return the key's one answer; giving money back is never refused."""
        if operation.key not in self.answers:
            gives_back = operation.kind in {Kind.RELEASE, Kind.RETURN}
            self.answers[operation.key] = (
                self._first(operation) if willing or gives_back else Declined(code="card_declined")
            )
        return self.answers[operation.key]

    def _first(self, operation: Operation) -> Succeeded:
        amount = operation.amount_minor
        reference = operation.target_reference or f"auth_{operation.key.hex}"
        match operation.kind:
            case Kind.AUTHORISE:
                assert self.authorised == 0, "two authorisations of one order"
                self.authorised = amount
            case Kind.CAPTURE:
                assert amount <= self.open
                self.captured += amount
            case Kind.RELEASE:
                assert amount == self.open
                self.released += amount
            case Kind.RETURN | Kind.REFUND:
                assert amount <= self.captured - self.refunded
                self.refunded += amount
        self.done[operation.key] = (operation.kind, amount)
        return Succeeded(reference=reference)
