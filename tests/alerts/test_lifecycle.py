"""What time alone does to an incident, as values: mutes that begin and end, reminders, news, calm."""

from dataclasses import replace
from datetime import timedelta

import pytest
from alerts_cast import BEGUN, OPENED, begun, entry
from timelines import MINUTE, START

from monitor.alerts.incidents import Book
from monitor.alerts.lifecycle import UPDATE_AFTER, TimedChange, calmed, grown, look_at
from monitor.alerts.mute import Quiet
from monitor.model import (
    EntryKind,
    FlapSeries,
    Incident,
    Mute,
    NotificationType,
    Severity,
    Silence,
    TimelineEntry,
)

FOUR = timedelta(hours=4)
HALF = timedelta(seconds=30)
NOW = START + 10 * MINUTE
TOLD = replace(BEGUN, told_at=START, told_as=Severity.DOWN, remind_at=START + FOUR)
SILENT = replace(BEGUN, announced=False)
SILENCED = Quiet(silences=(Silence(target="s", since=START, until=START + 60 * MINUTE),))
UNTIL = "silenced until 2026-11-24 13:00 UTC"
SERIES = FlapSeries(since=START, incidents=4)


def look(
    incident: Incident, quiet: Quiet | None = None, *others: Incident, minutes: float = 10
) -> TimedChange | None:
    book = Book()
    for each in (incident, *others):
        book = book.put(each)
    now = START + minutes * MINUTE
    return look_at(incident, now, quiet=quiet or Quiet(), book=book, remind=FOUR)


def muted(text: str) -> tuple[TimelineEntry, ...]:
    return (OPENED, entry(EntryKind.MUTED, 10, text=text))


def test_nothing_happens_before_its_time() -> None:
    assert look(TOLD) is None
    assert look(TOLD, minutes=239) is None


def test_a_mute_that_begins_is_an_entry_once() -> None:
    now_muted = replace(TOLD, muted=Mute.SILENCE, timeline=muted(UNTIL))
    assert look(TOLD, SILENCED) == TimedChange(now_muted)
    assert look(now_muted, SILENCED) is None
    assert look(replace(now_muted, muted=Mute.DOWN), SILENCED) is not None


def test_what_was_told_is_reminded_of_when_its_mute_ends_or_its_time_has_come() -> None:
    def reminded(minutes: float) -> TimedChange:
        timeline = (OPENED, entry(EntryKind.REMINDED, minutes))
        again = START + minutes * MINUTE + 2 * FOUR
        told = replace(TOLD, reminded=1, remind_at=again, timeline=timeline)
        return TimedChange(told, NotificationType.REMINDER)

    unmuted = reminded(10)
    told_anew = replace(unmuted, incident=replace(unmuted.incident, told_at=NOW))
    assert look(replace(TOLD, muted=Mute.SILENCE)) == told_anew
    assert look(TOLD, minutes=240) == reminded(240)


def test_who_knows_of_it_is_not_reminded_when_a_mute_ends() -> None:
    known = replace(TOLD, acked=START, muted=Mute.SILENCE)
    assert look(known) == TimedChange(replace(known, muted=None, remind_at=None))


def test_what_was_kept_silent_is_told_as_soon_as_nothing_mutes_it() -> None:
    told = replace(SILENT, announced=True, told_at=NOW, told_as=Severity.DOWN, remind_at=NOW + FOUR)
    assert look(SILENT) == TimedChange(told, NotificationType.OPENED)
    assert look(replace(SILENT, muted=Mute.SILENCE)) == TimedChange(told, NotificationType.OPENED)


def test_that_it_has_grown_is_told_when_the_time_for_it_has_come() -> None:
    due = replace(TOLD, update_at=NOW)
    assert look(due, minutes=9.9) is None
    assert look(due) == TimedChange(TOLD, NotificationType.UPDATE)


def test_what_comes_and_goes_stays_silent_until_it_has_lasted_half_an_hour() -> None:
    flapping = replace(SILENT, series=SERIES)
    timeline = muted("it comes and goes")
    assert look(flapping) == TimedChange(replace(flapping, muted=Mute.FLAPPING, timeline=timeline))
    assert look(replace(flapping, muted=Mute.FLAPPING), minutes=29) is None
    passed = look(replace(flapping, muted=Mute.FLAPPING), minutes=30)
    assert passed is not None
    assert passed.news is NotificationType.OPENED
    assert passed.incident.series == replace(SERIES, ended=START + 30 * MINUTE)


def test_what_is_slow_stays_silent_while_each_of_its_base_urls_is_down() -> None:
    slow = replace(begun("s/a/chat", Severity.DEGRADED), announced=False)
    outage = begun("s/a/models", number=2)
    assert look(slow, None, outage) == TimedChange(
        replace(slow, muted=Mute.DOWN, timeline=muted("its base URL is down"))
    )
    wider = replace(slow, active=frozenset({"s/a/chat", "s/b/chat"}))
    for other in (wider, replace(slow, cause="certificate"), replace(slow, announced=True)):
        passed = look(other, None, outage)
        assert passed is None or passed.incident.muted is None


def test_it_is_calm_when_the_last_of_those_that_came_and_went_is_long_over() -> None:
    last = replace(SILENT, closed=START, active=frozenset(), series=SERIES)
    now = START + 30 * MINUTE
    calm = replace(last, series=replace(SERIES, ended=now))
    assert calmed(last, now) == TimedChange(calm, NotificationType.CALM)
    assert calmed(last, now - MINUTE) is None


MORE = replace(TOLD, checks=("s/a/chat", "s/b/chat"))


def test_people_hear_five_minutes_after_the_first_message_that_it_has_grown() -> None:
    assert grown(TOLD, MORE, NOW, HALF) == replace(MORE, update_at=START + UPDATE_AFTER)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TOLD, replace(TOLD, checks=("s/a/chat", "s/a/models"))),  # no other base URL
        (MORE, TOLD),
        (replace(TOLD, told_at=None), MORE),
        (TOLD, replace(MORE, muted=Mute.SILENCE)),
        (TOLD, replace(MORE, severity=Severity.ACCOUNT)),  # it concerns them all anyway
        (TOLD, replace(MORE, update_at=NOW)),
    ],
)
def test_nothing_is_told_twice_or_where_nobody_would_choose_otherwise(
    before: Incident, after: Incident
) -> None:
    assert grown(before, after, NOW, HALF) == after


def test_what_is_still_in_the_first_message_is_not_told_again() -> None:
    assert grown(TOLD, MORE, START + HALF, HALF) == MORE
    assert grown(TOLD, MORE, START + HALF + timedelta(seconds=1), HALF).update_at is not None
