"""What a process holds of a bucket: never more than it was given, never older than stated."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from libs.foundation.web.quotas.account import Account, Grant
from libs.foundation.web.quotas.quota import Quota, QuotaSettings

HOLDING_S = 5.0
QUOTA = Quota(64, 60)


def grant(requests: int, rest: int = 0, wait_s: float = 0.1) -> Grant:
    return Grant(requests=requests, rest=rest, wait_s=wait_s)


@given(st.integers(1, 10_000_000), st.integers(1, 86_400))
def test_a_window_gives_back_what_was_promised_and_never_more(requests: int, window: int) -> None:
    quota = Quota(requests, window)
    window_us = window * 1_000_000
    assume(requests <= window_us)

    assert quota.requests_in(window_us) <= requests
    assert quota.requests_in(quota.window_us) == requests
    assert quota.requests_in(-1) == 0
    assert 1 <= quota.allotment <= requests


def test_more_requests_than_microseconds_are_no_quota() -> None:
    with pytest.raises(ValueError, match="window_s"):
        QuotaSettings(requests_max=1_000_001, window_s=1)


def test_what_was_given_is_spent_one_by_one() -> None:
    account = Account(QUOTA)
    account.receive(grant(3), now_s=0)

    assert [account.spend() for _ in range(4)] == [True, True, True, False]


def test_an_empty_bucket_is_left_alone_until_something_can_be_in_it() -> None:
    account = Account(QUOTA)

    account.receive(grant(0, wait_s=0.4), now_s=10)
    assert account.closed_s(10) == pytest.approx(0.4)
    assert account.closed_s(10.4) == 0
    account.receive(grant(0, wait_s=30), now_s=20)
    assert account.closed_s(20) == 1


def test_what_is_not_spent_in_time_goes_back_once() -> None:
    account = Account(QUOTA)
    account.receive(grant(4), now_s=0)
    account.spend()
    account.receive(grant(4), now_s=4)

    assert account.give_back(4.9, HOLDING_S) == 0
    assert account.give_back(5, HOLDING_S) == 7
    assert account.give_back(6, HOLDING_S) == 0
    assert account.spend() is False


def test_without_the_bucket_one_allotment_is_lent_and_never_returned() -> None:
    account = Account(QUOTA)

    assert account.lend(0, HOLDING_S) is True
    assert account.held == QUOTA.allotment
    assert account.lend(1, HOLDING_S) is False
    assert account.give_back(5, HOLDING_S) == 0
    assert account.held == 0
    assert account.lend(5, HOLDING_S) is True


class Spending(RuleBasedStateMachine):
    """Anything may happen to an account, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(QUOTA)
        self.now_s = 0.0
        self.given = self.lent = self.spent = self.returned = 0

    @rule(requests=st.integers(0, QUOTA.allotment), wait_s=st.integers(0, 100))
    def receive(self, requests: int, wait_s: int) -> None:
        self.account.receive(grant(requests, wait_s=wait_s), self.now_s)
        self.given += requests

    @rule()
    def lend(self) -> None:
        if self.account.lend(self.now_s, HOLDING_S):
            self.lent += QUOTA.allotment

    @rule()
    def spend(self) -> None:
        self.spent += self.account.spend()

    @rule()
    def give_back(self) -> None:
        self.returned += self.account.give_back(self.now_s, HOLDING_S)

    @rule(seconds=st.integers(0, 10))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @invariant()
    def no_more_is_spent_than_was_given(self) -> None:
        assert self.account.held >= 0
        assert self.spent + self.returned + self.account.held <= self.given + self.lent

    @invariant()
    def no_more_goes_back_than_the_bucket_gave(self) -> None:
        assert self.returned <= self.given

    @invariant()
    def loans_are_bounded_by_time(self) -> None:
        assert self.lent <= QUOTA.allotment * (self.now_s / HOLDING_S + 1)

    @invariant()
    def a_refusal_ends(self) -> None:
        assert self.account.closed_s(self.now_s) <= 1


TestSpending = Spending.TestCase
