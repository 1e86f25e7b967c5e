"""What the operator wrote says in which language it is, where that is not the page's."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
import worlds
from page_cast import MOCK_SITE, NOW, SITE, ago
from rendering import rendered

from monitor.language import ENGLISH, language
from monitor.model import (
    Announcement,
    EntryKind,
    NotificationType,
    OutboxMessage,
    Severity,
    Snapshot,
    TimelineEntry,
)
from monitor.page import view
from monitor.page.formatting import lang_attribute

CHINESE = language("zh-CN")
NOTE = "源站正常。请先使用反向代理。"


@pytest.mark.parametrize(
    ("text", "in_english", "in_chinese"),
    [
        ("优化 CDN", "zh", None),
        ("The origin is healthy.", None, "en"),
        ("オリジンは正常です", "ja", "ja"),
        ("원본 서버는 정상입니다", "ko", "ko"),
        ("Сервер исправен", "und-Cyrl", "und-Cyrl"),
        ("504", None, None),
        ("", None, None),
    ],
)
def test_letters_tell_the_language(
    text: str, in_english: str | None, in_chinese: str | None
) -> None:
    assert (lang_attribute(text, ENGLISH), lang_attribute(text, CHINESE)) == (
        in_english,
        in_chinese,
    )


def test_a_name_in_latin_letters_is_at_home_everywhere() -> None:
    assert lang_attribute("Cloudflare CDN", CHINESE, name=True) is None
    assert lang_attribute("优化 CDN", ENGLISH, name=True) == "zh"


def test_the_number_at_the_end_of_a_name_stands_on_no_line_of_its_own() -> None:
    home = pages()["index.html"]
    assert home.count("Premium reverse proxy\u00a01") == 2, "among the picks, and above its figures"
    assert 'data-name="Premium reverse proxy 1"' in home, "as the operator wrote it, for programs"


def pages() -> Mapping[str, str]:
    site, snapshot = worlds.maintained(MOCK_SITE), worlds.mock()
    first, *others = snapshot.incidents
    note = TimelineEntry(at=NOW, what=EntryKind.NOTE, text=NOTE)
    first = replace(first, timeline=(*first.timeline, note))
    page, _ = view(site, replace(snapshot, incidents=(first, *others)), {})
    return {
        name: content.decode() for name, content in rendered(page).items() if name.endswith(".html")
    }


def test_notes_titles_and_names_are_marked_where_they_are_foreign() -> None:
    texts = pages()
    home, chinese = texts["index.html"], texts["zh-CN/index.html"]
    assert home.count(f'<p lang="zh">{NOTE}</p>') == 2
    assert f"<p>{NOTE}</p>" in chinese
    assert '<span lang="zh">优化 CDN</span>' in home
    assert '<span lang="zh">' not in chinese
    title = "Optimised CDN: certificate and edge upgrade"
    assert f'<h3 lang="en">{title}</h3>' in chinese
    assert f"<h3>{title}</h3>" in home
    assert f'<p lang="zh">{NOTE}</p>' in texts["incidents/9/index.html"]


def test_a_note_of_the_operator_stands_on_every_page_in_its_language() -> None:
    settings = replace(SITE.settings, note=(("en", "Run by <friends>."), ("zh-CN", "由朋友维护。")))
    page, _ = view(replace(SITE, settings=settings), worlds.mixed(), {})
    for name, content in rendered(page).items():
        if name.endswith(".html") and name != "404.html" and "embed/" not in name:
            here, there = "Run by &lt;friends&gt;.", "由朋友维护。"
            if name.startswith("zh-CN/"):
                here, there = there, here
            assert f'<p class="page-note">{here}</p>'.encode() in content, name
            assert there.encode() not in content, name


def announced(*announcements: Announcement) -> Mapping[str, bytes]:
    snapshot = replace(worlds.all_good(), announcements=announcements)
    return rendered(view(SITE, snapshot, {})[0])


def test_an_announcement_is_the_operators_own_words_and_no_incident() -> None:
    text = "<b>New</b> model: 新模型已上线。\u202e"
    files = announced(
        Announcement(id=3, at=ago(hours=2), text=text, service="ohmygpt", until=ago(hours=-2)),
        Announcement(id=2, at=ago(days=1), text="We move."),
        Announcement(id=1, at=ago(days=2), text="canary", service="hidden"),
    )
    home, chinese = files["index.html"].decode(), files["zh-CN/index.html"].decode()
    shown = "&lt;b&gt;New&lt;/b&gt; model: 新模型已上线。"
    assert f'<b>Announcement, OhMyGPT</b> <span lang="zh">{shown}</span>' in home
    assert "The operator, <time" in home.split(shown)[1][:60]
    assert f"<b>OhMyGPT 公告</b> <span>{shown}</span>" in chinese
    assert '<b>公告</b> <span lang="en">We move.</span>' in chinese
    assert "Happening now" not in home
    assert ">All base URLs work.<" in home
    status = json.loads(files["status.json"])
    assert (status["state"], status["incidents"]) == ("operational", [])
    assert status["announcements"] == [
        {
            "id": 3,
            "at": "2026-11-23T11:42:05Z",
            "until": "2026-11-23T15:42:05Z",
            "service": "ohmygpt",
            "text": "<b>New</b> model: 新模型已上线。",
        },
        {"id": 2, "at": "2026-11-22T13:42:05Z", "until": None, "service": None, "text": "We move."},
    ]
    assert not any(b"canary" in content for content in files.values())


def undelivered(count: int) -> Snapshot:
    """A channel that cannot deliver, with what its service said."""
    rows = tuple(
        OutboxMessage(
            id=number,
            channel="canary-channel",
            what=NotificationType.OPENED,
            severity=Severity.DOWN,
            incident=9,
            created=NOW,
            not_before=NOW,
            attempts=9,
            last_error="401: bot12345:canary-token, chat -100777",
            text="canary-text",
        )
        for number in range(count)
    )
    return replace(worlds.mixed(), dead=rows)


def test_alerts_that_reached_nobody_are_told_without_whom_or_why() -> None:
    files = rendered(view(SITE, undelivered(3), {})[0])
    home = files["index.html"].decode()
    assert "3 alerts of the last 7 days reached nobody." in home
    assert "过去 7\u00a0天有 3\u00a0条告警未能送达。" in files["zh-CN/index.html"].decode()
    assert b'"undelivered":{"alerts":3,"last":"2026-11-23T13:42:05Z"}' in files["status.json"]
    for name, content in files.items():
        for canary in (b"canary", b"bot12345", b"100777"):
            assert canary not in content, name


def test_where_all_were_delivered_to_people_nothing_is_said() -> None:
    lost = undelivered(1)
    events = tuple(replace(row, what=NotificationType.EVENT) for row in lost.dead)
    files = rendered(view(SITE, replace(lost, dead=events), {})[0])
    assert "reached nobody" not in files["index.html"].decode()
    assert b'"undelivered":null' in files["status.json"]
