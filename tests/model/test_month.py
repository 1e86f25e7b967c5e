"""A month of the calendar in UTC."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Month

MONTHS = st.builds(Month, st.integers(1971, 2198), st.integers(1, 12))


def test_a_month_lasts_from_midnight_to_midnight_of_utc() -> None:
    month = Month(2026, 11)
    assert month.begin == datetime(2026, 11, 1, tzinfo=UTC)
    assert month.end == datetime(2026, 12, 1, tzinfo=UTC)
    assert month.days == (date(2026, 11, 1), date(2026, 11, 30))
    early_in_shanghai = datetime(2026, 12, 1, 7, 59, tzinfo=timezone(timedelta(hours=8)))
    assert Month.of(early_in_shanghai) == month


@given(MONTHS)
def test_months_follow_each_other_without_a_gap_and_are_read_as_they_are_written(
    month: Month,
) -> None:
    assert month.next.previous == month.previous.next == month
    assert month.end == month.next.begin
    assert month.previous.end == month.begin < month.end
    assert Month.parse(str(month)) == month
    assert Month.of(month.begin) == month
    assert Month.of(month.end - timedelta(microseconds=1)) == month


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "2026-1", "1969-12", "2200-01", " 2026-11", "२०२६-११"],
)
def test_what_is_no_month_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'got ".*", want a month such as "2026-11"'):
        Month.parse(text)
