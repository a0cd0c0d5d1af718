"""Why a relay stops publishing, and what helps."""


class LeaseLost(Exception):
    """Another relay publishes now, or may do so any moment."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"epoch {epoch} no longer holds the lease")


class HandedOver(Exception):
    """An operator asked this relay to let a standby take over."""


class ProducerFailed(Exception):
    """The producer cannot go on; the supervisor and the standby are its rebuild."""


class Blocked(Exception):
    """Publishing would lose or misplace messages; only a person can help, by the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class CursorMissing(Blocked):
    """Nothing says how far the outbox is published."""

    def __init__(self) -> None:
        super().__init__(
            "messaging.outbox_cursor is empty, so nothing says how far the outbox is published",
            "Restore the table, or run `orderly outbox reanchor` to publish all that is kept again",
        )


class RestoredElsewhere(Blocked):
    """The cursor was written in another cluster or database, whose transaction ids mean nothing."""

    def __init__(self, written_in: str, found_in: str) -> None:
        super().__init__(
            f"the outbox cursor was written in {written_in}, but this is {found_in}:"
            " the database was restored or copied, and its transaction ids began anew",
            "Stop the relay of the other database, then run `orderly outbox reanchor`",
        )


class TopicsDiffer(Blocked):
    """A topic is missing or has another partition count than its keys were mapped by."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem, "Run `orderly topics check`, and `orderly topics apply` if missing"
        )


class PublishingForbidden(Blocked):
    """The broker does not let the relay write."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "Grant the relay's principal Write and Describe on the topics")
