"""What one process holds of one principal's bucket: pure arithmetic, no clock and no database."""

from typing import Final

from msgspec import Struct

from libs.foundation.web.quotas.quota import Quota

# A bucket that is empty is asked again after this time at the latest, since another process may
# have given something back, and at the earliest: a flood must not become as many statements.
_CLOSED_MAX_S: Final = 1.0
_CLOSED_MIN_S: Final = 0.05


class Grant(Struct, frozen=True):
    """What the bucket gave, how much is left in it, and when the next request is in it."""

    requests: int
    rest: int
    wait_s: float


class Account:
    """Requests taken from the bucket and not spent yet.

    What is held was taken before, so all processes together never spend more than the bucket
    gave. What is not spent within the holding time goes back, all of it, the new with the old.
    """

    __slots__ = (
        "_closed_until_s",
        "_held_since_s",
        "_holds_loan",
        "_lent_until_s",
        "_quota",
        "held",
        "rest",
    )

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self.held = 0
        self.rest = 0
        self._held_since_s = 0.0
        self._closed_until_s = 0.0
        self._lent_until_s = 0.0
        self._holds_loan = False

    def spend(self) -> bool:
        """Take one request of those that are held, and say whether there was one."""
        if self.held == 0:
            return False
        self.held -= 1
        return True

    @property
    def runs_low(self) -> bool:
        """Whether the next allotment should be on its way, so that no request waits for it."""
        return self.held * 2 < self._quota.allotment

    def closed_s(self, now_s: float) -> float:
        """How long it makes no sense to ask the bucket; 0 when it does."""
        return max(0.0, self._closed_until_s - now_s)

    def receive(self, grant: Grant, now_s: float) -> None:
        """Take what the bucket gave."""
        self._begin_holding(now_s)
        self.held += grant.requests
        self.rest = grant.rest
        if grant.requests == 0:
            self._closed_until_s = now_s + min(_CLOSED_MAX_S, max(_CLOSED_MIN_S, grant.wait_s))

    def lend(self, now_s: float, holding_s: float) -> bool:
        """Go on without the bucket: one allotment per holding time; say whether it was given."""
        self.rest = 0
        if now_s < self._lent_until_s:
            self._closed_until_s = min(self._lent_until_s, now_s + _CLOSED_MAX_S)
            return False
        self._begin_holding(now_s)
        self.held += self._quota.allotment
        self._holds_loan = True
        self._lent_until_s = now_s + holding_s
        return True

    def give_back(self, now_s: float, holding_s: float) -> int:
        """Give up what was held for too long, and return how much of it the bucket gets back.

        Nothing while a loan may be part of it: the bucket must not get what it never gave.
        """
        if self.held == 0 or now_s < self._held_since_s + holding_s:
            return 0
        returned = 0 if self._holds_loan else self.held
        self.held = 0
        return returned

    def is_forgettable(self, now_s: float) -> bool:
        """Whether a new account would behave the same."""
        return self.held == 0 and now_s >= max(self._closed_until_s, self._lent_until_s)

    def _begin_holding(self, now_s: float) -> None:
        if self.held == 0:
            self._held_since_s = now_s
            self._holds_loan = False
