"""Twice as many base URLs and incidents take about twice the work, not four times as much."""

import sys
from collections.abc import Callable
from functools import cache, partial
from types import FrameType
from typing import Any

import pytest
from worlds import crowd

from monitor.model import Snapshot
from monitor.page import PageView, Site, view
from monitor.page.feed import atom
from monitor.page.statuspage import statuspage


def steps(work: Callable[[], object]) -> int:
    """Lines of Python that it runs, each turn of a loop anew: the same on every machine."""
    count = 0

    def line(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@cache
def made_once(count: int) -> PageView:
    return home_page(crowd(count))


def home_page(world: tuple[Site, Snapshot]) -> PageView:
    return view(*world, {})[0]


def work(part: str, count: int) -> Callable[[], object]:
    snapshot, page = crowd(count), made_once(count)
    parts: dict[str, Callable[[], object]] = {
        "what the page says": partial(home_page, snapshot),
        "Statuspage's API": partial(statuspage, page),
        "the feed": partial(atom, page),
    }
    return parts[part]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["what the page says", "Statuspage's API", "the feed"])
def test_the_work_grows_with_the_base_urls_and_no_faster(part: str) -> None:
    few, many = (steps(work(part, count)) for count in (50, 200))
    assert few > 500
    assert many < 5 * few
