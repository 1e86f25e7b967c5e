"""The clocks: what goes on in suspend, and what tells that somebody set the wall clock."""

import time
from datetime import timedelta

import pytest
from cast import HandClock

from monitor.clock import ClockSteps, SystemClock

HOUR = timedelta(hours=1)


def test_a_wall_clock_that_is_set_is_told_from_time_that_passes(clock: HandClock) -> None:
    steps = ClockSteps(clock)
    clock.tick(86_400)
    assert steps.total() == timedelta(0)
    clock.step(3600)
    clock.tick(20)
    assert steps.total() == HOUR
    assert steps.total() == HOUR
    clock.step(-2 * 3600)
    assert steps.total() == -HOUR


def test_small_corrections_are_no_steps_and_do_not_add_up(clock: HandClock) -> None:
    steps = ClockSteps(clock)
    for _ in range(100):
        clock.step(1.9)
        assert steps.total() == timedelta(0)
    clock.step(2)
    assert steps.total() == timedelta(seconds=2)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_elapsed_time_counts_what_was_slept_through() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= SystemClock().elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_without_a_clock_that_counts_suspend_it_is_the_monotonic_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    before = time.monotonic()
    assert before <= SystemClock().elapsed() <= time.monotonic()
