"""A month of the calendar in a zone: its edges, also where clocks change, and over what it can be counted."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Month

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Asia/Shanghai", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati")
ZONES_OF_CHANGES = ("Europe/Berlin", "America/Havana", "America/Asuncion", "Australia/Lord_Howe")
MONTHS = st.builds(
    Month,
    st.integers(1971, 2198),
    st.integers(1, 12),
    st.sampled_from([ZoneInfo(name) for name in (*ZONES, *ZONES_OF_CHANGES)]),
)


@pytest.mark.parametrize(
    ("zone", "begin", "end"),
    [
        ("UTC", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("Asia/Shanghai", "2026-10-31T16:00", "2026-11-30T16:00"),
        ("America/Los_Angeles", "2026-11-01T07:00", "2026-12-01T08:00"),  # an hour longer
        ("America/Havana", "2026-11-01T04:00", "2026-12-01T05:00"),  # midnight happens twice
    ],
)
def test_a_month_lasts_from_midnight_to_midnight_of_its_zone(
    zone: str, begin: str, end: str
) -> None:
    month = Month(2026, 11, ZoneInfo(zone))
    assert month.begin == datetime.fromisoformat(begin).replace(tzinfo=UTC)
    assert month.end == datetime.fromisoformat(end).replace(tzinfo=UTC)
    assert month.days == (date(2026, 11, 1), date(2026, 11, 30))


@given(MONTHS)
def test_months_follow_each_other_without_a_gap_and_are_read_as_they_are_written(
    month: Month,
) -> None:
    assert month.next.previous == month.previous.next == month
    assert month.end == month.next.begin
    assert month.previous.end == month.begin < month.end
    assert Month.parse(str(month), month.zone) == month
    assert Month.of(month.begin, month.zone) == month
    assert Month.of(month.end - timedelta(microseconds=1), month.zone) == month


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "2026-1", "1969-12", "2200-01", " 2026-11", "२०२६-११"],
)
def test_what_is_no_month_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'got ".*", want a month such as "2026-11"'):
        Month.parse(text)


@pytest.mark.parametrize("zone", ZONES)
def test_it_is_counted_by_hours_where_they_are_kept_and_fit_else_as_the_same_month_in_utc(
    zone: str,
) -> None:
    month = Month(2026, 11, ZoneInfo(zone))
    in_utc = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    fits = zone != "Asia/Kolkata"
    assert month.counted(EPOCH) == ((month.begin, month.end) if fits else in_utc)
    assert month.counted(month.begin) == month.counted(EPOCH)
    assert month.counted(month.begin + timedelta(hours=1)) == in_utc
