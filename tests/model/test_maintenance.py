"""Maintenance windows: by people's clocks, whatever their clocks do; and what silences cover."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.load import parse
from monitor.config.values import parse_repetition
from monitor.model import ALL, Maintenance, MaintenanceWindow, Recurrence, Silence

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(sorted(available_timezones()))
DAYS = st.dates(date(1975, 1, 1), date(2035, 1, 1))


def read(text: str) -> Maintenance:
    head = '[service.a]\nendpoints = { x = "https://a.example", y = "https://b.example" }\n'
    (found,) = parse(
        f"{head}[maintenance.m]\n{text}", path=Path("/etc/monitor/m.toml"), env={}
    ).maintenance
    return found


def starts(found: Maintenance, first: str, days: int) -> list[str]:
    begin = datetime.fromisoformat(first)
    return [
        window.start.isoformat(timespec="minutes")[:16]
        for window in found.windows(begin, begin + timedelta(days=days))
    ]


def test_a_recurring_window_begins_by_the_local_clock_also_after_it_was_changed() -> None:
    maintenance = read('every = "sunday 04:00"\nfor = "2h"\ntimezone = "Europe/Berlin"')
    assert starts(maintenance, "2026-10-12T00:00:00+00:00", 28) == [
        "2026-10-18T02:00",
        "2026-10-25T03:00",
        "2026-11-01T03:00",
        "2026-11-08T03:00",
    ]


def test_a_start_that_the_clocks_skip_comes_later_and_one_that_comes_twice_counts_once() -> None:
    maintenance = read('every = "day 02:30"\nfor = "30m"\ntimezone = "Europe/Berlin"')
    assert starts(maintenance, "2026-03-28T12:00:00+00:00", 1) == [
        "2026-03-29T01:30"
    ]  # 03:30 there
    assert starts(maintenance, "2026-10-24T12:00:00+00:00", 1) == [
        "2026-10-25T00:30"
    ]  # the first 02:30


def test_a_window_lasts_as_long_as_it_says_also_when_the_clocks_change_in_it() -> None:
    maintenance = read('every = "day 01:30"\nfor = "2h"\ntimezone = "Europe/Berlin"')
    night = datetime(2026, 3, 29, 0, 45, tzinfo=UTC)
    window = maintenance.window_at(night)
    assert window is not None
    assert window.end - window.start == timedelta(hours=2)


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("day 03:00", [24, 25, 26, 27, 28, 29, 30]),
        ("weekday 03:00", [24, 25, 26, 27, 30]),
        ("weekend 03:00", [28, 29]),
        ("mon,thu 03:00", [26, 30]),
        ("Saturday 03:00", [28]),
        ("month 25 03:00", [25]),
    ],
)
def test_days_are_named_as_people_name_them(text: str, begun: list[int]) -> None:
    maintenance = read(f'every = "{text}"\nfor = "1h"')
    assert [
        int(start[8:10]) for start in starts(maintenance, "2026-11-24T00:00:00+00:00", 7)
    ] == begun


def test_one_that_has_begun_counts_until_it_ends() -> None:
    maintenance = read('every = "day 23:00"\nfor = "3h"')
    in_it, after = datetime(2026, 11, 25, 1, 59, tzinfo=UTC), datetime(2026, 11, 25, 2, tzinfo=UTC)
    window = MaintenanceWindow(datetime(2026, 11, 24, 23, tzinfo=UTC), after)
    assert (maintenance.window_at(in_it), maintenance.window_at(after)) == (window, None)


def test_a_single_window_may_be_written_with_an_offset_or_by_a_zone() -> None:
    one = read("from = 2026-12-01T22:00:00+08:00\nuntil = 2026-12-02T02:00:00+08:00")
    other = read(
        'from = 2026-12-01T22:00:00\nuntil = "2026-12-02T02:00:00"\ntimezone = "Asia/Shanghai"'
    )
    expected = MaintenanceWindow(
        datetime(2026, 12, 1, 14, tzinfo=UTC), datetime(2026, 12, 1, 18, tzinfo=UTC)
    )
    assert (one.once, other.once) == (expected, expected)
    assert one.windows(expected.end, expected.end + timedelta(days=9)) == ()


def test_an_hour_that_happens_twice_is_covered_whole() -> None:
    maintenance = read(
        'from = 2026-10-25T02:00:00\nuntil = 2026-10-25T02:59:00\ntimezone = "Europe/Berlin"'
    )
    assert maintenance.once == MaintenanceWindow(
        datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 59, tzinfo=UTC)
    )


def test_a_window_covers_its_services_and_endpoints_or_everything() -> None:
    maintenance = read('every = "day 03:00"\nfor = "1h"\nendpoints = ["a/x"]')
    assert [maintenance.covers(path) for path in ("a/x/chat", "a/x", "a/y/chat", "a")] == [
        True,
        True,
        False,
        False,
    ]
    everything = read('every = "day 03:00"\nfor = "1h"')
    assert everything.covers("b/y/chat")


@given(ZONES, DAYS, st.times(), st.integers(1, 23), st.integers(0, 3600 * 24 * 9))
def test_there_is_one_window_a_day_in_every_zone_of_the_world(
    zone: str, first: date, at: time, hours: int, later: int
) -> None:
    lasts = timedelta(hours=hours)
    at = at.replace(microsecond=0)
    daily = Recurrence(at=at, zone=ZoneInfo(zone), lasts=lasts)
    maintenance = Maintenance(id="m", title="m", recurring=daily)
    begin = datetime.combine(first, time(), UTC)
    windows = maintenance.windows(begin, begin + timedelta(days=10))

    assert all(window.end - window.start == lasts for window in windows)
    assert len({window.start for window in windows}) == len(windows)
    assert 9 <= len(windows) <= 12
    for window in windows:
        wall = window.start.astimezone(ZoneInfo(zone))
        wanted = datetime.combine(wall.date(), at, ZoneInfo(zone))
        exists = wanted.astimezone(UTC).astimezone(ZoneInfo(zone)).time() == at
        assert wall.time() == at or not exists
    moment = begin + timedelta(seconds=later)
    holding = [window for window in windows if window.holds(moment)]
    assert maintenance.window_at(moment) == (holding[-1] if holding else None)


@given(ZONES, DAYS, st.integers(0, 86_400), st.integers(0, 86_400))
def test_a_shorter_look_sees_a_part_of_what_a_longer_one_sees(
    zone: str, first: date, skip: int, short: int
) -> None:
    recurring = Recurrence(at=time(2, 30), zone=ZoneInfo(zone), lasts=timedelta(hours=5))
    begin = datetime.combine(first, time(), UTC)
    all_of_them = recurring.between(begin, begin + timedelta(days=5))
    start = begin + timedelta(seconds=skip)
    until = start + timedelta(seconds=short)
    assert recurring.between(start, until) == tuple(
        window for window in all_of_them if window.end > start and window.start < until
    )


def test_what_comes_too_often_to_be_told_apart_is_known() -> None:
    gaps = [
        parse_repetition(each).shortest_gap.days
        for each in ("day 1:00", "sun 1:00", "fri,sun 1:00")
    ]
    assert gaps == [1, 7, 2]


def test_a_silence_covers_what_stands_below_its_target() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def covered(target: str) -> list[bool]:
        silence = Silence(target=target, since=now, until=now + timedelta(hours=1))
        return [silence.covers(path) for path in ("a/x/chat", "a/xy/chat", "b/x/chat", "a")]

    assert covered("a/x") == [True, False, False, False]
    assert covered("a") == [True, True, False, True]
    assert covered("a/x/chat") == [True, False, False, False]
    assert covered(ALL) == [True, True, True, True]


def test_a_window_holds_from_its_first_moment_until_just_before_its_last() -> None:
    start, second = datetime(2026, 11, 24, 12, tzinfo=UTC), timedelta(seconds=1)
    window = MaintenanceWindow(start, start + timedelta(hours=1))
    moments = (start - second, start, window.end - second, window.end)
    assert [window.holds(at) for at in moments] == [False, True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "from = 2026-11-25T03:00:00Z\nuntil = 2026-11-25T04:00:00Z",
        'every = "month 25 03:00"\nfor = "1h"',
    ],
)
def test_what_begins_only_when_one_stops_looking_is_not_seen(text: str, tokyo: None) -> None:
    found, start = read(text), datetime(2026, 11, 25, 3, tzinfo=UTC)
    instant = timedelta(microseconds=1)
    assert found.windows(start - timedelta(hours=9), start) == ()
    assert [found.window_at(at) is None for at in (start - instant, start)] == [True, False]
    (window,) = found.windows(start - timedelta(hours=9), start + instant)
    assert (window.start.tzinfo, window.end.tzinfo) == (UTC, UTC)


def test_days_of_work_are_known_until_their_last_moment() -> None:
    maintenance = read('every = "month 20 00:00"\nfor = "96h"')
    window = MaintenanceWindow(
        datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    )
    assert maintenance.window_at(window.end - timedelta(microseconds=1)) == window


def test_of_windows_that_overlap_the_one_that_ends_last_holds() -> None:
    daily = Recurrence(at=time(22), zone=UTC, lasts=timedelta(hours=26))
    maintenance = Maintenance(id="m", title="m", recurring=daily)
    window = maintenance.window_at(datetime(2026, 11, 24, 23, tzinfo=UTC))
    assert window is not None
    assert window.start == datetime(2026, 11, 24, 22, tzinfo=UTC)


def test_where_clocks_go_back_over_midnight_the_first_midnight_counts() -> None:
    """At 00:01 of 7 November 2010 it was 23:01 of the day before, once more."""
    at_midnight = Recurrence(
        at=time(0), zone=ZoneInfo("America/St_Johns"), lasts=timedelta(minutes=30)
    )
    midnight = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    again_before_it = midnight + timedelta(minutes=20)
    assert at_midnight.between(midnight, again_before_it) == (
        MaintenanceWindow(midnight, midnight + timedelta(minutes=30)),
    )
