"""An incident as a value: who belongs to it, what its timeline says, when it is over."""

from dataclasses import replace
from datetime import timedelta

import pytest
from alerts_cast import BAD, BEGUN, DOWN, LATE, OPENED, begun, entry, fired
from timelines import MINUTE, START

from monitor.alerts import incidents, mute
from monitor.alerts.incidents import Book
from monitor.alerts.mute import Muted
from monitor.model import (
    UNWATCHED,
    EntryKind,
    FailureKind,
    Mute,
    Rule,
    Severity,
    TimelineEntry,
    outages,
)


def test_it_begins_with_what_was_seen_first() -> None:
    assert incidents.begin(Book(), fired(), DOWN, BAD) == BEGUN
    certificate = begun(severity=Severity.DEGRADED, cause="certificate", number=8)
    assert certificate == replace(BEGUN, id=8, severity=Severity.DEGRADED, cause="certificate")


@pytest.mark.parametrize(
    ("severity", "cause", "service"),
    [
        (Severity.DOWN, "", "s"),
        (Severity.ACCOUNT, "", "s"),
        (Severity.MONITOR, "", None),
        (Severity.MONITOR, "refused", "s"),
    ],
)
def test_only_the_monitors_own_trouble_is_no_services(
    severity: Severity, cause: str, service: str | None
) -> None:
    assert begun(severity=severity, cause=cause).service == service


def test_who_joins_late_is_told_of_and_who_began_earlier_dates_it_back() -> None:
    later = incidents.join(BEGUN, "s/b/chat", START + MINUTE, LATE)
    joined = entry(
        EntryKind.JOINED, 1, check="s/b/chat", kind=FailureKind.CONNECT_TIMEOUT, text=LATE.message
    )
    assert later == replace(
        BEGUN,
        checks=("s/a/chat", "s/b/chat"),
        active=frozenset({"s/a/chat", "s/b/chat"}),
        timeline=(OPENED, joined),
    )
    assert incidents.join(BEGUN, "s/b/chat", START - MINUTE, LATE).opened == START - MINUTE


def test_who_comes_back_is_in_the_list_once() -> None:
    both = incidents.join(BEGUN, "s/b/chat", START, LATE)
    left = incidents.leave(both, "s/a/chat", START + MINUTE)
    assert left.active == {"s/b/chat"}
    again = incidents.join(left, "s/a/chat", START + 2 * MINUTE, BAD)
    assert (again.checks, again.active) == (both.checks, both.active)


def test_it_ends_with_the_last_check_and_not_before_any_of_them() -> None:
    both = incidents.join(BEGUN, "s/b/chat", START, LATE)
    both = replace(both, remind_at=START + 99 * MINUTE, update_at=START + 9 * MINUTE)
    left = incidents.leave(both, "s/a/chat", START + 5 * MINUTE)
    assert left.closed is None
    assert left.timeline[2:] == (entry(EntryKind.LEFT, 5, check="s/a/chat"),)

    over = incidents.leave(left, "s/b/chat", START + 3 * MINUTE)
    assert over == replace(
        left,
        active=frozenset(),
        closed=START + 5 * MINUTE,
        remind_at=None,
        update_at=None,
        timeline=(*left.timeline, entry(EntryKind.RESOLVED, 5)),
    )


def test_a_reminder_in_between_does_not_say_when_it_ended() -> None:
    reminded = incidents.reminded(BEGUN, START + 60 * MINUTE, timedelta(hours=1))
    assert incidents.leave(reminded, "s/a/chat", START + 50 * MINUTE).closed == START + 50 * MINUTE


def test_it_never_ends_before_it_began() -> None:
    assert incidents.leave(BEGUN, "s/a/chat", START - MINUTE).closed == START


def test_another_cause_is_an_entry_and_the_one_that_is_explained() -> None:
    cause = entry(
        EntryKind.CAUSE, 4, check="s/a/chat", kind=FailureKind.CONNECT_TIMEOUT, text=LATE.message
    )
    changed = incidents.change_cause(BEGUN, "s/a/chat", START + 4 * MINUTE, LATE)
    assert changed == replace(BEGUN, failure=LATE, timeline=(OPENED, cause))


def test_each_base_url_has_its_own_reason_until_that_changes() -> None:
    both = incidents.join(BEGUN, "s/b/chat", START + MINUTE, LATE)
    both = incidents.join(both, "s/b/models", START + MINUTE, BAD)
    assert both.reasons == {"s/a": BAD, "s/b": LATE}
    assert both.kinds == (BAD.kind, LATE.kind)

    same = incidents.change_cause(both, "s/b/chat", START + 2 * MINUTE, BAD)
    assert same.reasons == {"s/a": BAD, "s/b": BAD}
    assert same.kinds == (BAD.kind,)


def test_what_works_again_is_no_reason_any_more() -> None:
    both = incidents.join(BEGUN, "s/b/chat", START + MINUTE, LATE)
    left = incidents.leave(both, "s/a/chat", START + 2 * MINUTE)
    assert left.failure == LATE
    assert left.reasons == {"s/b": LATE}
    over = incidents.leave(left, "s/b/chat", START + 3 * MINUTE)
    assert over.reasons == both.reasons


def test_failed_runs_are_counted_by_kind() -> None:
    counted = incidents.count(incidents.count(BEGUN, BAD.kind, 3), LATE.kind)
    assert incidents.count(counted, BAD.kind).failed_runs == {
        "bad_gateway": 4,
        "connect_timeout": 1,
    }


def test_what_people_said_or_were_told_stands_in_the_timeline_with_its_time() -> None:
    now = START + 7 * MINUTE
    asked = replace(BEGUN, remind_at=now)
    assert incidents.acked(asked, now, "on it") == replace(
        BEGUN, acked=now, timeline=(OPENED, entry(EntryKind.ACKED, 7, text="on it"))
    )
    assert incidents.annotated(asked, now, "a cable").timeline[1:] == (
        entry(EntryKind.NOTE, 7, text="a cable"),
    )
    assert mute.muted(BEGUN, Muted(Mute.SILENCE, "night"), now) == replace(
        BEGUN, muted=Mute.SILENCE, timeline=(OPENED, entry(EntryKind.MUTED, 7, text="night"))
    )


def test_telling_unmutes_forgets_what_would_have_been_told_and_sets_the_reminder() -> None:
    now, four = START + 7 * MINUTE, timedelta(hours=4)
    held = replace(BEGUN, announced=False, muted=Mute.SILENCE, update_at=now)
    assert incidents.announced(held, now, four) == replace(
        BEGUN, told_at=now, told_as=Severity.DOWN, remind_at=now + four
    )
    assert incidents.announced(replace(held, acked=now), now, four).remind_at is None


def test_reminders_stretch_to_a_day_or_to_what_was_asked_for() -> None:
    def gaps(hours: float, times: int) -> list[float]:
        incident, now, found = BEGUN, START, []
        for _ in range(times):
            incident = incidents.reminded(incident, now, timedelta(hours=hours))
            assert incident.remind_at is not None
            found.append((incident.remind_at - now) / timedelta(hours=1))
            assert incident.timeline[-1] == TimelineEntry(at=now, what=EntryKind.REMINDED)
            now = incident.remind_at
        assert incident.reminded == times
        return found

    assert gaps(4, 4) == [8, 16, 24, 24]
    assert gaps(48, 2) == [48, 48]


def test_of_a_long_story_the_beginning_and_the_end_are_kept() -> None:
    incident = BEGUN
    for minute in range(1, 200):
        incident = incidents.annotated(incident, START + minute * MINUTE, str(minute))
        assert len(incident.timeline) == min(minute + 1, 100)
    kept = [each.text for each in incident.timeline]
    assert kept == [BAD.message, *map(str, range(1, 50)), *map(str, range(150, 200))]


def test_however_long_the_story_its_downtime_and_what_was_not_seen_to_recover_stay_true() -> None:
    incident = incidents.join(BEGUN, "s/b/chat", START, LATE)
    incident = incidents.leave(incident, "s/b/chat", START + MINUTE, UNWATCHED)
    incident = incidents.acked(incident, START + 2 * MINUTE, "on it")
    for hour in range(1, 101):
        at = START + hour * 60 * MINUTE
        incident = incidents.reach_changed(incident, "s/a/chat", at, "1 of 3", is_partial=True)
        incident = incidents.annotated(incident, at, str(hour))
        incident = incidents.reach_changed(
            incident, "s/a/chat", at + 30 * MINUTE, "2 of 3", is_partial=False
        )
    over = incidents.leave(incident, "s/a/chat", START + 101 * 60 * MINUTE)
    spans = outages.down_spans(over, START + 200 * 60 * MINUTE)
    full = sum((end - begin for begin, end in spans), timedelta(0))
    assert full == MINUTE + timedelta(hours=1 + 99 / 2 + 0.5)
    assert over.unwatched == {"s/b/chat"}
    assert [each.text for each in over.timeline if each.what is EntryKind.ACKED] == ["on it"]
    assert len(over.timeline) == 100 + 200 + 3


@pytest.mark.parametrize(
    ("check", "minutes", "severity", "belongs"),
    [
        ("s/a/models", 60, Severity.DOWN, True),  # its endpoint is in it already
        ("s/b/chat", 5, Severity.DOWN, True),  # together
        ("s/b/chat", -5, Severity.DOWN, True),
        ("s/b/chat", 5.1, Severity.DOWN, False),
        ("s/b/chat", -5.1, Severity.DOWN, False),
        ("t/a/chat", 0, Severity.DOWN, False),
        ("s/a/chat", 0, Severity.DEGRADED, False),
        ("s/b/chat", 60, Severity.ACCOUNT, True),  # one key
        ("t/a/chat", 60, Severity.ACCOUNT, False),
        ("t/a/chat", 60, Severity.MONITOR, True),  # one monitor
    ],
)
def test_what_has_one_cause_is_one_incident(
    check: str, minutes: float, severity: Severity, belongs: bool
) -> None:
    home = begun(severity=severity if severity is not Severity.DEGRADED else Severity.DOWN)
    rule = Rule(name="r", severity=severity)
    found = incidents.home(Book().put(home), fired(check, minutes), rule, None)
    assert found == (home if belongs else None)


def test_causes_that_must_not_mix_and_what_is_muted_otherwise_have_incidents_of_their_own() -> None:
    book = Book().put(begun())
    other = replace(DOWN, cause="certificate")
    assert incidents.home(book, fired(), other, None) is None
    assert incidents.home(book, fired(), DOWN, Mute.SILENCE) is None
    refused = Book().put(begun(severity=Severity.MONITOR, cause="refused"))
    same = Rule(name="refused", severity=Severity.MONITOR, cause="refused")
    assert incidents.home(refused, fired("s/b/chat", 99), same, None) is not None
    assert incidents.home(refused, fired("t/a/chat"), same, None) is None


def test_a_book_holds_what_is_open_and_numbers_only_upwards() -> None:
    book = Book().put(begun(number=3)).put(begun("s/b/chat", number=1))
    assert (list(book.open), book.next_id) == ([3, 1], 4)
    book = book.put(replace(book.open[3], closed=START))
    assert (list(book.open), book.next_id) == ([1], 4)


def test_a_base_url_is_down_while_one_of_its_checks_is_in_an_outage() -> None:
    outage = incidents.join(begun(), "s/b/chat", START, BAD)
    book = Book().put(incidents.leave(outage, "s/b/chat", START + MINUTE))
    slow = begun("s/c/chat", Severity.DEGRADED, number=2)
    found = [incidents.is_down(book.put(slow), f"s/{each}") for each in "abc"]
    assert found == [True, False, False]
