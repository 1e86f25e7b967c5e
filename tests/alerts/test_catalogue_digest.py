"""What a daily message says of models and prices, and when it is due."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts import Context
from monitor.alerts.catalogue_digest import CatalogueNews, catalogue_digest, last_time_to_tell
from monitor.language import language
from monitor.model import CatalogueChange, CatalogueItem

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENGLISH, CHINESE = (Context(now=NOW, language=language(code)) for code in ("en", "zh-CN"))


def change(
    name: str, before: str | None, after: str | None, what: CatalogueItem = CatalogueItem.MODEL
) -> CatalogueChange:
    return CatalogueChange(at=NOW, what=what, name=name, before=before, after=after)


def news(*changes: CatalogueChange, at: str = "US direct", **nearest: str | None) -> CatalogueNews:
    return CatalogueNews(service="OhMyGPT", endpoint=at, changes=changes, nearest=nearest)


CHANGES = (
    change("vip", "ratio 0.8", "ratio 1", CatalogueItem.GROUP),
    change("new-group", None, "ratio 2", CatalogueItem.GROUP),
    change("old-group", "ratio 2", None, CatalogueItem.GROUP),
    change("gone", "ratio 1", None),
    change("other", "", None),
    change("fresh", None, "ratio 3"),
    change("a", "ratio 0.625, completion_ratio 8", "ratio 1.25, completion_ratio 8"),
    change("b", "", "input 2.5, output 10"),
    change("c", "formula 0a", "formula 0b"),
)


def test_a_day_is_told_by_service_with_what_is_asked_and_gone_first() -> None:
    calm = CatalogueNews(service="Other", endpoint="E", changes=(change("z", None, ""),))
    both = (news(*CHANGES, gone="gone-2"), news(*CHANGES, at="Cloudflare CDN", gone="gone-2"))
    assert catalogue_digest((calm, *both), ENGLISH) == (
        "🏷 Models or prices changed in 2 services\n"
        "OhMyGPT, US direct and Cloudflare CDN:\n"
        "Gone, and asked by your checks: gone (the nearest there is gone-2)\n"
        "New models: fresh\n"
        "Gone: other\n"
        "New groups: new-group\n"
        "Groups that are gone: old-group\n"
        "Group vip: ratio 0.8 → 1 (+25 %)\n"
        "a: ratio 0.625 → 1.25 (+100 %)\n"
        "b: input, USD for a million tokens not told → 2.5, output, USD for a million tokens not told → 10\n"
        "c: another formula of its price\n"
        "Other, E:\n"
        "New models: z"
    )
    assert catalogue_digest(both, CHINESE) == (
        "🏷 OhMyGPT：模型或价格有变化\n"
        "OhMyGPT · US direct 和\xa0Cloudflare CDN：\n"
        "已下架，而你的检测正在用：gone（那里最接近的是 gone-2）\n"
        "新增模型：fresh\n"
        "已下架：other\n"
        "新增分组：new-group\n"
        "已取消的分组：old-group\n"
        "分组 vip：倍率 0.8 → 1（+25%）\n"
        "a：倍率 0.625 → 1.25（+100%）\n"
        "b：输入（美元/百万 token） 未公布 → 2.5、输出（美元/百万 token） 未公布 → 10\n"
        "c：计价公式有变化"
    )


def test_many_changes_are_counted_and_the_first_are_named() -> None:
    new = [change(f"m{number:02}", None, "") for number in range(53)]
    dearer = [change(f"p{number:02}", "ratio 1", "ratio 2") for number in range(20)]
    text = catalogue_digest([news(*new, *dearer)], ENGLISH)
    assert text is not None
    lines = text.splitlines()
    names = ", ".join(f"m{number:02}" for number in range(12))
    assert lines[2] == f"New models: {names} and 41 more"
    assert lines[3] == "p00: ratio 1 → 2 (+100 %)"
    assert lines[11:] == ["And 12 more prices changed."]
    many = [news(change(f"m{place}", None, ""), at=f"E{place}") for place in range(30)]
    text = catalogue_digest(many, ENGLISH)
    assert text is not None
    assert len(text.splitlines()) == 2 + 2 * 8
    assert text.endswith("\nMore base URLs that changed: 22; see `monitor status`.")


def test_what_changed_back_is_no_news_and_several_steps_are_one() -> None:
    away = (change("a", "ratio 1", None), change("b", None, "ratio 1"))
    back = (change("a", None, "ratio 1"), change("b", "ratio 1", None))
    assert catalogue_digest([news(*away, *back)], ENGLISH) is None
    assert catalogue_digest([], ENGLISH) is None
    steps = (change("a", "ratio 1", "ratio 2"), change("a", "ratio 2", "ratio 4"))
    text = catalogue_digest([news(*steps)], ENGLISH)
    assert text is not None
    assert text.splitlines()[2:] == ["a: ratio 1 → 4 (+300 %)"]


@given(
    st.integers(0, 4 * 366 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata"]),
)
def test_it_is_due_once_a_day_at_nine_by_the_clock_of_the_messages(
    now: datetime, zone: str
) -> None:
    due = last_time_to_tell(now, ZoneInfo(zone))
    assert (due.hour, due.minute) == (9, 0)
    assert due <= now < due + timedelta(hours=25)
    assert last_time_to_tell(due.astimezone(UTC), ZoneInfo(zone)) == due
