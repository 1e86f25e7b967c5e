"""What the page says of availability: over which time, and how much of it was good."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import worlds
from page_cast import NOW, SITE, key, result
from page_text import page_text
from rendering import rendered

from monitor.language import language
from monitor.model import Point, Rollup, Snapshot
from monitor.model.rollup import merge
from monitor.page import formatting, view

TODAY = NOW.date()


def home(outcomes: Mapping[date, Mapping[str, int]], first: datetime) -> str:
    """The home page where one main check was measured so, and nothing before `first`."""
    before = worlds.all_good()
    check = key("us-direct")
    days = {day: Rollup(outcomes=counts) for day, counts in outcomes.items()}
    whole = merge(days.values())
    history = replace(
        before.checks[check],
        days=days,
        windows=dict.fromkeys((7, 30, 90), whole),
        last_24h=whole,
        recent=tuple(
            result(check, 640, at) for at in (first, NOW) if NOW - at < timedelta(minutes=30)
        ),
        series=tuple(
            point if point.at + timedelta(minutes=30) > first else Point(point.at, None, None)
            for point in before.checks[check].series
        ),
    )
    snapshot: Snapshot = replace(before, checks={**before.checks, check: history})
    text = page_text(rendered(view(SITE, snapshot, {})[0])["index.html"].decode())
    return text[text.index("### Direct to the US origin") : text.index("### Cloudflare CDN")]


def test_until_there_is_a_day_of_data_it_says_since_when() -> None:
    assert "100\u00a0% uptime since 13:20 UTC today" in home(
        {TODAY: {"up": 5}}, NOW.replace(hour=13, minute=20)
    )
    assert "100\u00a0% uptime since 13:33 UTC today" in home(
        {TODAY: {"up": 2}}, NOW.replace(hour=13, minute=33)
    )
    yesterday = TODAY - timedelta(days=1)
    text = home({yesterday: {"up": 9}, TODAY: {"up": 99}}, NOW - timedelta(hours=16))
    assert "100\u00a0% uptime since 22 Nov, 21:42 UTC" in text
    assert "over" not in text.split("uptime")[1].split("Today")[0]


@pytest.mark.parametrize(("days", "said"), [(3, "over 3 days"), (90, "over 90 days")])
def test_it_says_over_how_many_days(days: int, said: str) -> None:
    measured = {TODAY - timedelta(days=back): {"up": 288} for back in range(days)}
    assert f"100\u00a0% uptime {said}" in home(measured, NOW - timedelta(days=days))


def test_the_good_share_stands_beside_it_where_they_differ() -> None:
    measured = {TODAY - timedelta(days=back): {"up": 37, "degraded": 63} for back in range(9)}
    text = home(measured, NOW - timedelta(days=9))
    assert "100\u00a0% answered, 37.00\u00a0% well over 9 days" in text


def test_the_same_in_chinese() -> None:
    chinese = language("zh-CN")
    assert formatting.uptime_over(0.999, 0.999, 90, chinese) == "90\u00a0天内可用率 99.90%"
    assert "37.00%" in formatting.uptime(1.0, 0.37, chinese)
