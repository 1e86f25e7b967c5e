"""Who is busy or turns us away is asked less often: to the second where a second was named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.backoff import Backoff, pause
from monitor.model import Check, Endpoint, Failure, FailureKind, Outcome, Result, Secret
from monitor.probes import PROBES

AT = datetime(2026, 11, 24, tzinfo=UTC)
ENDPOINT = Endpoint(id="e", service="s", url="https://a.example", name="e")
CHAT = Check(service="s", endpoint=ENDPOINT, probe=PROBES["chat"](every="5m"), model="m")
MODELS = Check(service="s", endpoint=ENDPOINT, probe=PROBES["models"](every="1m"))


def result(kind: FailureKind | None, retry_after: float | None = None) -> Result:
    failure = Failure(kind, "got it, want none") if kind else None
    return Result(
        check="s/e/chat",
        vantage="v",
        at=AT,
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        retry_after=None if retry_after is None else timedelta(seconds=retry_after),
    )


@pytest.mark.parametrize(
    ("check", "kind", "retry_after", "streak", "expected"),
    [
        (CHAT, None, None, 1, 0),
        (CHAT, FailureKind.SERVER_ERROR, 60, 5, 0),  # whether it is back is what we are here for
        (CHAT, FailureKind.RATE_LIMITED, 1234, 1, 1234),
        (CHAT, FailureKind.RATE_LIMITED, 7, 1, 300),
        (
            CHAT,
            FailureKind.RATE_LIMITED,
            7,
            2,
            600,
        ),  # it waited longer than it was asked to, in vain
        (CHAT, FailureKind.RATE_LIMITED, 7, 9, 1200),
        (CHAT, FailureKind.RATE_LIMITED, 1, 1, 600),  # as `Retry-After: 0` is read: no answer
        (CHAT, FailureKind.RATE_LIMITED, None, 1, 600),
        (CHAT, FailureKind.OVERLOADED, None, 2, 1200),
        (CHAT, FailureKind.OVERLOADED, None, 9, 1200),
        (CHAT, FailureKind.QUOTA_EXHAUSTED, None, 1, 0),
        (CHAT, FailureKind.QUOTA_EXHAUSTED, 3600, 1, 3600),
        (CHAT, FailureKind.AUTH_INVALID, None, 2, 60),
        (CHAT, FailureKind.AUTH_INVALID, None, 4, 240),
        (CHAT, FailureKind.AUTH_INVALID, None, 6, 900),
        (CHAT, FailureKind.AUTH_INVALID, None, 99, 900),
        (MODELS, FailureKind.AUTH_INVALID, None, 2, 0),  # costs nothing, and still proves the way
        (MODELS, FailureKind.RATE_LIMITED, None, 1, 120),
    ],
)
def test_the_pause_is_what_the_server_asked_for_or_grows(
    check: Check, kind: FailureKind | None, retry_after: float | None, streak: int, expected: float
) -> None:
    assert pause(check, result(kind, retry_after), streak) == timedelta(seconds=expected)


def test_a_check_holds_back_to_the_second_and_then_goes_on() -> None:
    backoff = Backoff()
    assert backoff.note(CHAT, result(FailureKind.RATE_LIMITED, 1000), 50.0) == timedelta(
        seconds=1000
    )
    assert [backoff.holds(CHAT.key, at) for at in (50.0, 1049.9, 1050.0)] == [True, True, False]
    assert not backoff.holds(MODELS.key, 30.0)


def test_a_good_run_ends_the_pause_and_the_count() -> None:
    backoff = Backoff()
    for kind in (FailureKind.RATE_LIMITED, FailureKind.RATE_LIMITED, None):
        backoff.note(CHAT, result(kind), 0.0)
    assert not backoff.holds(CHAT.key, 1.0)
    assert backoff.note(CHAT, result(FailureKind.RATE_LIMITED), 1.0) == timedelta(minutes=10)


def test_account_trouble_is_confirmed_before_the_pause() -> None:
    backoff = Backoff()
    notes = [backoff.note(CHAT, result(FailureKind.QUOTA_EXHAUSTED), 0.0) for _ in range(6)]
    assert notes == [timedelta(minutes=minutes) for minutes in (0, 0, 0, 0, 8, 15)]


@given(st.lists(st.sampled_from([None, *FailureKind]), max_size=20), st.floats(0, 4000))
def test_no_check_ever_waits_longer_than_an_hour_or_four_periods(
    kinds: list[FailureKind | None], retry_after: float
) -> None:
    backoff = Backoff()
    for kind in kinds:
        backoff.note(CHAT, result(kind, min(retry_after, 3600)), 0.0)
    assert not backoff.holds(CHAT.key, 3600.1)


def test_another_kind_of_refusal_begins_the_count_anew() -> None:
    backoff = Backoff()
    kinds = (FailureKind.RATE_LIMITED, FailureKind.OVERLOADED, FailureKind.OVERLOADED)
    notes = [backoff.note(CHAT, result(kind), 0.0) for kind in kinds]
    assert notes == [timedelta(minutes=10), timedelta(minutes=10), timedelta(minutes=20)]


def test_nothing_is_said_of_a_pause_that_moves_no_run() -> None:
    backoff = Backoff()
    assert backoff.note(CHAT, result(FailureKind.RATE_LIMITED, 7), 0.0) == timedelta(0)
    assert backoff.holds(CHAT.key, 299.9)
    assert backoff.note(CHAT, result(None), 1.0) == timedelta(0)


def test_a_check_that_was_changed_is_asked_at_once_and_counted_anew() -> None:
    backoff = Backoff()
    for _ in range(2):
        backoff.note(CHAT, result(FailureKind.RATE_LIMITED), 0.0)
    backoff.note(MODELS, result(FailureKind.RATE_LIMITED), 0.0)
    backoff.forget([CHAT.key, "s/e/none"])
    assert [backoff.holds(each.key, 1.0) for each in (CHAT, MODELS)] == [False, True]
    assert backoff.note(CHAT, result(FailureKind.RATE_LIMITED), 1.0) == timedelta(minutes=10)


def test_a_key_that_works_again_for_a_free_call_lets_the_paid_ones_go_at_once() -> None:
    backoff = Backoff()
    for check in (CHAT, CHAT, MODELS):
        backoff.note(check, result(FailureKind.AUTH_INVALID), 0.0)
    other = replace(CHAT, endpoint=replace(ENDPOINT, id="e2"))
    for _ in range(2):
        backoff.note(other, result(FailureKind.AUTH_INVALID), 0.0)
    backoff.note(MODELS, result(None), 30.0)
    assert [backoff.holds(each.key, 31.0) for each in (CHAT, other)] == [False, True]


@pytest.mark.parametrize(
    "kinds",
    [
        [None],
        [FailureKind.AUTH_INVALID, FailureKind.SERVER_ERROR],
        [FailureKind.RATE_LIMITED, None],
    ],
)
def test_nothing_else_that_a_free_call_meets_does(kinds: list[FailureKind | None]) -> None:
    backoff = Backoff()
    for _ in range(2):
        backoff.note(CHAT, result(FailureKind.AUTH_INVALID), 0.0)
    for kind in kinds:
        backoff.note(MODELS, result(kind), 30.0)
    assert backoff.holds(CHAT.key, 31.0)


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.AUTH_INVALID,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.PERMISSION_DENIED,
        FailureKind.MODEL_NOT_FOUND,
        FailureKind.REGION_BLOCKED,
    ],
)
@pytest.mark.parametrize("between", [[], [FailureKind.BAD_GATEWAY]])
def test_every_pause_of_an_account_ends_when_a_free_call_with_its_key_is_good_again(
    kind: FailureKind, between: list[FailureKind]
) -> None:
    here = replace(ENDPOINT, key=Secret("k" * 20))
    elsewhere, stranger = replace(here, id="e2"), replace(here, id="e3", key=Secret("o" * 20))
    paid = [replace(CHAT, endpoint=endpoint) for endpoint in (here, elsewhere, stranger)]
    free = replace(MODELS, endpoint=here)
    backoff = Backoff()
    for check in (*paid, *paid, free):
        backoff.note(check, result(kind), 0.0)
    for failure in (*between, None):
        backoff.note(free, result(failure), 30.0)
    assert [backoff.holds(check.key, 31.0) for check in paid] == [False, False, True]


def test_a_busy_server_keeps_its_pause_when_the_key_works_again() -> None:
    backoff = Backoff()
    backoff.note(MODELS, result(FailureKind.AUTH_INVALID), 0.0)
    backoff.note(CHAT, result(FailureKind.RATE_LIMITED, 1000), 0.0)
    backoff.note(MODELS, result(None), 30.0)
    assert backoff.holds(CHAT.key, 31.0)
