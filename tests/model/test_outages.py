"""When base URLs were down: one reckoning for alerts, reports and pages."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import EntryKind, Failure, FailureKind, Incident, Severity, Span, TimelineEntry
from monitor.model.outages import down_spans, length, outages, overlaps, united

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(
        lambda pair: (NOON + pair[0] * MINUTE, NOON + pair[1] * MINUTE)
    ),
    max_size=8,
)


def minutes(spans: list[Span]) -> set[int]:
    return {
        minute
        for begin, end in spans
        for minute in range((begin - NOON) // MINUTE, (end - NOON) // MINUTE)
    }


def incident(*timeline: TimelineEntry, severity: Severity = Severity.DOWN) -> Incident:
    """An open incident of two checks of `s/a` and one of `s/b`, from noon on."""
    return Incident(
        id=1,
        service="s",
        severity=severity,
        opened=NOON,
        checks=("s/a/chat", "s/a/models", "s/b/chat"),
        active=frozenset({"s/a/chat", "s/a/models", "s/b/chat"}),
        failure=Failure(FailureKind.BAD_GATEWAY, "got 502"),
        timeline=timeline,
    )


def at(minute: int, what: EntryKind, check: str) -> TimelineEntry:
    return TimelineEntry(at=NOON + minute * MINUTE, what=what, check=check)


def test_a_base_url_is_down_from_when_its_first_check_joined_until_its_last_one_left() -> None:
    both = incident(
        at(0, EntryKind.OPENED, "s/a/chat"),
        at(2, EntryKind.JOINED, "s/b/chat"),
        at(3, EntryKind.JOINED, "s/a/models"),
        at(5, EntryKind.LEFT, "s/a/chat"),
        at(8, EntryKind.LEFT, "s/b/chat"),
    )
    now = NOON + 10 * MINUTE
    assert outages("s/a", [both], now) == [(NOON, now)]
    assert outages("s/b", [both], now) == [(NOON + 2 * MINUTE, NOON + 8 * MINUTE)]
    assert outages("s/c", [both], now) == []
    assert length(down_spans(both, now)) == 10 * MINUTE


def test_what_is_slow_or_of_the_account_is_no_outage() -> None:
    for severity in set(Severity) - {Severity.DOWN, Severity.PARTIAL}:
        assert outages("s/a", [incident(severity=severity)], NOON + MINUTE) == []


@given(SPANS, SPANS)
def test_spans_are_sets_of_time(left: list[Span], right: list[Span]) -> None:
    whole = united(left)
    assert minutes(whole) == minutes(left)
    assert all(one[1] < other[0] for one, other in pairwise(whole))
    assert length(left) == len(minutes(left)) * MINUTE
    assert minutes(overlaps(united(left), united(right))) == minutes(left) & minutes(right)
