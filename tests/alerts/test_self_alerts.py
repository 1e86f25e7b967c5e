"""What the monitor says of itself: where it was, and what is wrong with it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from alerts_cast import START, memory

from monitor.alerts import Context, self_alerts
from monitor.alerts.self_alerts import LASTS, TroubleTracker
from monitor.model import NotificationType

CONTEXT = Context(now=START)
SEEN = replace(memory(), last_seen=START - timedelta(minutes=17), stopped_cleanly=True)


def test_a_gap_is_told_with_its_length_and_a_restart_is_not() -> None:
    assert self_alerts.started(SEEN, CONTEXT) == (
        "👁 monitor: was down for 17m\nFrom 24 Nov 11:43 UTC to 24 Nov 12:00 UTC nothing was probed."
    )
    assert (
        self_alerts.started(replace(SEEN, last_seen=START - timedelta(minutes=4)), CONTEXT) is None
    )
    assert self_alerts.started(replace(SEEN, last_seen=None), CONTEXT) is None


@pytest.mark.parametrize(
    ("by_clock", "why"),
    [
        (False, "Its machine was suspended, or the monitor itself was paused."),
        (True, "Its machine was paused, or its clock was set forward."),
    ],
)
def test_a_pause_is_told_as_a_gap_is(why: str, *, by_clock: bool) -> None:
    begin = START - timedelta(minutes=17)
    assert self_alerts.paused(begin, START, CONTEXT, by_clock=by_clock) == (
        "👁 monitor: could not see for 17m\n"
        f"From 24 Nov 11:43 UTC to 24 Nov 12:00 UTC nothing was probed.\n{why}"
    )


@pytest.mark.parametrize(
    ("crashes", "told"), [(1, True), (2, True), (3, False), (4, True), (5, False), (64, True)]
)
def test_a_crash_is_told_and_a_loop_of_them_ever_less_often(crashes: int, told: bool) -> None:
    short = replace(SEEN, last_seen=START - timedelta(seconds=5), stopped_cleanly=False)
    text = self_alerts.started(replace(short, crashes=crashes), CONTEXT)
    assert (text is not None) == told
    if text:
        assert text.splitlines()[:2] == [
            "👁 monitor: crashed",
            "From 24 Nov 11:59 UTC to 24 Nov 12:00 UTC nothing was probed.",
        ]
        within = replace(CONTEXT, now=START + timedelta(seconds=40))
        later = replace(short, crashes=crashes, last_seen=START + timedelta(seconds=30))
        assert "\nAt 24 Nov 12:00 UTC nothing was probed for 10s.\n" in (
            self_alerts.started(later, within) or ""
        )
    if text and crashes > 1:
        assert f"Crashes within an hour: {crashes}." in text


@pytest.mark.parametrize(
    ("seconds", "what"),
    [
        (90, "From 24 Nov 11:58 UTC to 24 Nov 12:00 UTC no result of its own was stored."),
        (0, "At 24 Nov 12:00 UTC no result of its own was stored for 0s."),
    ],
)
def test_a_takeover_tells_what_is_stored_and_not_what_the_other_one_did(
    seconds: int, what: str
) -> None:
    last = START - timedelta(seconds=seconds)
    text = self_alerts.started(
        replace(SEEN, last_seen=last, stopped_cleanly=False, crashes=1), CONTEXT, "process 7 on a"
    )
    assert text == (
        f"👁 monitor: the standby has taken over\n{what}\nUntil then process 7 on a led; it gave no more signs of"
        " life: a crash, a hang, a loss of power, or a network that is cut."
    )
    stopped = self_alerts.started(replace(SEEN, stopped_cleanly=True), CONTEXT, "process 7 on a")
    assert "was probed" in (stopped or "")


def test_trouble_of_our_own_is_told_when_it_lasts_and_when_it_is_over() -> None:
    watch, said = TroubleTracker(LASTS), []
    for second in range(0, 200, 10):
        why = "the disk is full" if 20 <= second < 100 else None
        now = START + timedelta(seconds=second)
        if notice := watch.see("store", why, now, float(second)):
            said.append((second, notice.event, notice.what, notice.text.splitlines()))
    assert said == [
        (
            40,
            "store",
            NotificationType.OPENED,
            [
                "👁 monitor: its store is in trouble",
                "the disk is full",
                "Probing and alerts go on; what cannot be written waits in memory, and a restart would lose it.",
            ],
        ),
        (
            100,
            "store",
            NotificationType.RESOLVED,
            ["✅ monitor: its store is well again", "That lasted 1m20s."],
        ),
    ]


def test_trouble_that_is_soon_over_is_no_news() -> None:
    watch = TroubleTracker(LASTS)
    said = [
        watch.see("store", why, START, at) for at, why in enumerate(["full", None, "full", None])
    ]
    assert said == [None] * 4
