"""What a report of a month says, whole, in both languages; and its file, which needs nothing else."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from cast import english_words
from page_cast import SERVICE
from report_cast import DAY, HOSTILE, HOUR, LATER, NOVEMBER, founding, hostile, html, said

NBSP, NOTHING = "\u00a0", "\u2013"
EMPTY = founding(counts=(), incidents=(), spent={}, measured_since=None)


def plain(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    return [" | ".join(row).replace(NBSP, " ").replace(NOTHING, "-") for row in rows]


def test_it_says_of_each_base_url_from_each_place_what_was_measured_and_what_is_left_out() -> None:
    [service] = said(founding(), shows_urls=False).services
    availability, times = service.tables
    assert plain((availability.columns, *availability.rows)) == [
        "Base URL | Measured from | Availability | Good share | Days measured | Runs | Maintenance | Says nothing | Missed | Down",
        "Direct to the US origin | San Francisco | 99.00 % | 90.00 % | 30 of 30 | 10,000 | 0 % | 0.50 % | 0.25 % | 3 h",
        "Direct to the US origin | Shanghai | 90.00 % | 90.00 % | 3 of 30 | 100 | 50.00 % | 0 % | 0 % | 3 h",
        "Cloudflare CDN | San Francisco | - | - | 0 of 30 | 0 | 0 % | 100 % | 0 % | -",
        "Cloudflare CDN | Shanghai | - | - | 0 of 30 | 0 | - | - | - | -",
        *(
            f"{name} | {place} | - | - | 0 of 30 | 0 | - | - | - | -"
            for name in (
                "Cloudflare Worker",
                "优化 CDN",
                "Premium reverse proxy 1",
                "Premium reverse proxy 2",
            )
            for place in ("San Francisco", "Shanghai")
        ),
    ]
    assert plain(times.rows) == [
        "Direct to the US origin | San Francisco | 0.61 s | 1.03 s | 1.03 s | 1.19 s | 2.78 s | 2.78 s",
        "Direct to the US origin | Shanghai | 0.61 s | 1.03 s | 1.03 s | 1.19 s | 2.78 s | 2.78 s",
    ]
    assert service.spent.replace(NBSP, " ") == (
        "The probes spent 12,400 tokens (1.7500 EUR). Of that, 55 tokens (0.2500 EUR) at Shanghai and"
        " 12,345 tokens (1.5000 EUR) at San Francisco."
    )


def test_incidents_are_told_by_kind_and_never_in_the_words_of_an_endpoint() -> None:
    table = said(founding()).incidents
    assert table is not None
    assert plain((table.columns, *table.rows)) == [
        "Incident | State | Where | Why | Began | Ended | In this month",
        "#9 | Major outage | Direct to the US origin | bad gateway | 2026-11-10 00:00 | 2026-11-10 03:00 | 3 h",
        "#4 | Degraded | 6 base URLs | bad gateway | 2026-11-05 00:00 | 2026-11-05 03:00 | 3 h",
        "#2 | No data | the monitor itself | bad gateway | 2026-11-03 00:00 | 2026-11-03 03:00 | 3 h",
    ]
    assert HOSTILE not in str(table)


def test_incidents_of_several_services_name_theirs() -> None:
    report = founding()
    other = replace(report.services[0], id="other", name="Other", endpoints=())
    table = said(replace(report, services=(*report.services, other))).incidents
    assert table is not None
    assert [row[2] for row in table.rows] == [
        f"{SERVICE.name}: Direct to the US origin",
        f"{SERVICE.name}: 6 base URLs",
        "the monitor itself",
    ]


def test_a_month_of_which_nothing_is_known_says_so_and_claims_nothing() -> None:
    view = said(EMPTY)
    assert view.notes == ("Nothing was measured in this month.", "Nothing was ever measured.")
    assert (view.incidents, view.incidents_note) == (
        None,
        "No incident is known, because nothing was measured.",
    )
    [service] = view.services
    [availability] = service.tables
    assert {row[2:] for row in availability.rows} == {
        (NOTHING, NOTHING, "0 of 30", "0", NOTHING, NOTHING, NOTHING, NOTHING)
    }
    assert service.spent == "No spend is recorded."
    first = replace(EMPTY, measured_since=NOVEMBER.end + DAY)
    assert said(first).notes[-1] == "The first day of which anything is kept is 2026-12-02."
    assert said(replace(EMPTY, days_measured=15)).incidents_note == (
        "No incident was open in what was measured."
    )


def test_a_month_in_progress_says_until_when_it_is_told() -> None:
    assert said(founding()).notes == ("Days on which something was measured: 30 of 30.",)
    now = NOVEMBER.begin + 2.5 * DAY
    view = said(replace(founding(), at=now, days=3, days_measured=2))
    assert view.notes == (
        "This month is in progress: it is told as of 2026-11-03 12:00, and that day counts as one.",
        "Days on which something was measured: 2 of 3.",
    )


def test_all_times_are_utc_and_it_says_so() -> None:
    view = said(founding())
    assert view.title == "Report of November 2026"
    assert view.period == "2026-11-01 00:00 to 2026-12-01 00:00, time zone UTC"
    assert view.incidents is not None
    assert view.incidents.rows[0][4:6] == ("2026-11-10 00:00", "2026-11-10 03:00")


def test_it_says_of_what_was_imported_that_its_incidents_are_not_known() -> None:
    a, b, *rest = (endpoint.path for endpoint in SERVICE.endpoints)
    until = NOVEMBER.begin + 10 * DAY
    some = founding(imported_until={f"{a}/chat": until}, incidents=())
    view = said(some)
    assert view.notes[1:] == (
        "What is known of Direct to the US origin before 2026-11-11 00:00 was imported from another program: incidents of that time are not known.",
    )
    assert view.incidents_note == "No incident is known."
    many = replace(some, imported_until=dict.fromkeys([a, b, *rest], until))
    [note] = said(many).notes[1:]
    assert "What is known of 6 base URLs before 2026-11-11 00:00" in note
    assert said(some, "zh-CN").incidents_note == "没有已知的事件。"


def test_how_an_incident_went_on_after_the_monitor_died_is_not_known() -> None:
    [first, *rest] = founding().incidents
    still = replace(first, closed=None)
    dead = replace(founding(), incidents=(still, *rest), seen_until=first.opened + HOUR)
    view = said(dead)
    assert view.notes[-1] == (
        "The monitor was last alive at 2026-11-10 01:00: how open incidents went on is not known."
    )
    assert view.incidents is not None
    assert view.incidents.rows[0][5:] == ("Ongoing", f"1{NBSP}h")
    assert len(said(replace(dead, seen_until=LATER - timedelta(minutes=1))).notes) == 1


def test_what_the_page_keeps_to_itself_is_left_out() -> None:
    shown, hidden = html(founding()), html(founding(), shows_urls=False, shows_spend=False)
    for secret in ("https://api.ohmygpt.com", "12,400"):
        assert secret in shown
        assert secret not in hidden
    gone = said(founding(spent=None)).services[0]
    assert gone.spent == "What was spent is not kept any more."


@pytest.mark.parametrize("code", ["en", "zh-CN"])
def test_the_file_is_whole_in_itself_and_hostile_names_stay_text(code: str) -> None:
    for report in (founding(), hostile(), EMPTY):
        text = html(report, code)
        assert f'<html lang="{code}">' in text
        assert "default-src 'none'" in text
        assert not re.search(r"<script|<img|<link|@import|url\(|\ssrc=|\son\w+=", text)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "&lt;script&gt;" in html(hostile(), code)
    assert "https://x.example/?a=&lt;b&gt;&amp;c=&#39;d&#39;" in html(hostile(), code)


def test_in_chinese_all_of_it_is_chinese() -> None:
    names = {*["up", "degraded", "down"], "monitor"}
    view = said(founding(), "zh-CN", shows_urls=False)
    assert view.title == "2026年11月月度报告"
    sentences = (*view.notes, *view.formulas, *(service.spent for service in view.services))
    tables = [*view.services[0].tables, view.incidents]
    headings = [heading for table in tables if table for heading in (table.caption, *table.columns)]
    assert {word for text in (*sentences, *headings) for word in english_words(text)} <= names


def test_incidents_lead_to_their_pages_where_they_have_one() -> None:
    text = html(founding(), link=lambda each: f"../../incidents/{each.id}/" if each.id == 9 else "")
    assert re.findall(r'<a href="([^"]*)">(#\d+)</a>', text) == [("../../incidents/9/", "#9")]
