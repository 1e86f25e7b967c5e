"""Curves and bars: gaps stay gaps, everything stays within its frame."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Point
from monitor.page import svg_charts

AT = datetime(2026, 11, 23, tzinfo=UTC)
MAYBE = st.none() | st.floats(0.001, 1e7)


def points(*medians: float | None) -> tuple[Point, ...]:
    return tuple(
        Point(AT, median, median and median * 2, median and median / 10) for median in medians
    )


def test_a_gap_splits_the_line() -> None:
    band, line = svg_charts.time_chart(points(1000, 1000, None, 2000, 2000))
    assert (line.count("M"), band.count("M"), band.count("z")) == (2, 2, 2)


def test_a_single_point_is_a_dash_within_the_frame() -> None:
    _, line = svg_charts.time_chart(points(None, None, 1000))
    assert re.findall(r"[ML]([\d.]+) ", line) == ["297", "300"]


def test_nothing_is_drawn_of_nothing() -> None:
    assert svg_charts.time_chart(()) == ("", "")
    assert svg_charts.time_chart(points(None, None)) == ("", "")
    assert svg_charts.speed_chart((), 100) == ""


@given(st.lists(MAYBE, max_size=48))
def test_no_curve_leaves_its_frame(medians: list[float | None]) -> None:
    series = points(*medians)
    drawn = "".join(svg_charts.time_chart(series)) + svg_charts.speed_chart(
        series, svg_charts.speed_top(series)
    )
    for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", drawn):
        assert 30 <= float(x) <= 300
        assert 4 <= float(y) <= 86


@pytest.mark.parametrize(
    ("fastest", "top"), [(75.0, 100.0), (100.0, 100.0), (101.0, 200.0), (3.2, 5.0), (0.0, 1.0)]
)
def test_the_axis_of_speeds_ends_at_a_round_number(fastest: float, top: float) -> None:
    assert svg_charts.speed_top([Point(AT, 1, 1, fastest)]) == pytest.approx(top)


@given(st.text("odpxmn", min_size=90, max_size=90))
def test_a_day_is_drawn_in_its_own_letter_and_bars_stay_apart(days: str) -> None:
    paths = dict(svg_charts.bars(days))
    for letter in set(days):
        spots = {int(x) for x in re.findall(r"M(\d+) ", paths[letter])}
        assert {
            4 + 8 * day for day, drawn_letter in enumerate(days) if drawn_letter == letter
        } <= spots
    assert all(letter in "oz" for letter in set(paths) - set(days))
    assert paths.get("z") == paths.get("m")


@given(st.text("odpxmn", max_size=90))
def test_bars_that_are_drawn_by_parts_are_those_of_each_day_in_turn(days: str) -> None:
    one_by_one: dict[str, str] = {}
    for index, letter in enumerate(days):
        for name, path in svg_charts.bars(letter):
            one_by_one[name] = one_by_one.get(name, "") + path.replace("M4 ", f"M{4 + 8 * index} ")
    assert dict(svg_charts.bars(days)) == one_by_one


def test_a_major_outage_is_striped_as_well_as_coloured() -> None:
    plain, broken = svg_charts.bars_svg("o" * 90), svg_charts.bars_svg("o" * 89 + "x")
    assert "url(#hatch)" not in plain
    assert broken.endswith('<path stroke="url(#hatch)" d="M716 3v28"/>')


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_shade_is_seen_and_stays_within_the_frame(one: float, other: float) -> None:
    x, width = svg_charts.shade(min(one, other), max(one, other))
    assert x >= 29.9
    assert width >= 2
    assert x + width <= 300.1


@pytest.mark.parametrize(
    ("medians", "low", "high"),
    [
        ((), 0.45, 8),
        ((600, 1500), 0.45, 8),
        ((210, 1500), 0.045, 8),
        ((600, 30_000), 0.45, 80),
        ((20, 30_000), 0.0045, 80),
    ],
)
def test_fast_and_slow_curves_get_an_axis_that_holds_them(
    medians: tuple[float, ...], low: float, high: float
) -> None:
    axis = svg_charts.axis_for(points(*medians))
    assert (axis.low, axis.high) == (low, high)
    for median in medians:
        assert 4 < axis.height(median) < 86
    assert all(4 <= y <= 86 for _, y in axis.ticks)
