"""What the operator chose to show, and that nothing else is published."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import worlds
from page_cast import ENDPOINTS, MOCK_SITE, NOW, SITE, ago
from rendering import rendered
from worlds import maintained

from monitor.model import EntryKind, Maintenance, MaintenanceWindow, Snapshot, TimelineEntry
from monitor.page import Site, view
from monitor.page.states import State


def files(site: Site, snapshot: Snapshot) -> Mapping[str, bytes]:
    return rendered(view(site, snapshot, {})[0])


def chosen(**settings: object) -> Site:
    return replace(SITE, settings=replace(SITE.settings, **settings))


def test_without_hosts_no_base_url_is_in_any_file() -> None:
    pages = files(chosen(hosts=False), worlds.mixed())
    for name, content in pages.items():
        for endpoint in ENDPOINTS:
            host = endpoint.url.removeprefix("https://").encode()
            assert host not in content, name
    assert pages["best.txt"] == b"\n"
    page = pages["index.html"].decode()
    fastest = page.split("Use right now")[1].split("</section>")[0]
    assert "Premium reverse proxy" in fastest
    assert 'id="test"' not in page
    assert "connect-src 'self';" in page


def test_models_are_nobodys_business_unless_said() -> None:
    for models in (False, True):
        pages = files(chosen(models=models), worlds.mixed())
        shown = [name for name, content in pages.items() if b"gpt-4o-mini" in content]
        assert bool(shown) is models
        assert ("index.html" in shown) is models


def test_a_stylesheet_a_logo_and_links_of_the_operators(tmp_path: Path) -> None:
    (tmp_path / "secret-name.css").write_text("body { color: red }")
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    site = chosen(
        css=tmp_path / "secret-name.css",
        logo=tmp_path / "logo.svg",
        links=(("Telegram <group>", "https://t.me/example"),),
    )
    pages = files(site, worlds.all_good())
    own = next(name for name in pages if name.startswith("own."))
    assert pages[own] == b"body { color: red }"
    page = pages["zh-CN/index.html"].decode()
    assert page.index("style.") < page.index(f'href="../{own}"')
    assert 'class="brand__logo" src="../logo.' in page
    assert (
        '<a href="https://t.me/example" rel="noopener" lang="en">Telegram &lt;group&gt;</a>' in page
    )
    assert not any(b"secret-name" in content for content in pages.values())
    (tmp_path / "logo.svg").unlink()
    assert b"brand__mark" in files(site, worlds.all_good())["index.html"], "it does without"


def test_tags_and_limits_stand_beside_the_name() -> None:
    page = files(MOCK_SITE, worlds.mock())["index.html"].decode()
    unlimited = '<span class="tag tag--no_limit">no time limit</span>'
    assert f"Premium reverse proxy\u00a01 {unlimited}" in page
    assert 'Cloudflare CDN <span class="tag">100\u00a0s limit</span>' in page
    free = [replace(known.endpoint, cut_after=None, tags=("paid",)) for known in MOCK_SITE.checks]
    checks = tuple(
        replace(check, endpoint=endpoint)
        for check, endpoint in zip(MOCK_SITE.checks, free, strict=True)
    )
    page = files(replace(MOCK_SITE, checks=checks), worlds.mock())["index.html"].decode()
    assert 'Cloudflare CDN <span class="tag">paid</span>' in page
    assert unlimited not in page, "where none has a limit, that is nothing to tell"


def test_a_retired_base_url_keeps_its_history_and_is_recommended_no_more() -> None:
    site = worlds.without(SITE, "proxy-1")
    home, _ = view(site, worlds.all_good(), {})
    (retired,) = home.services[0].retired
    assert (retired.name, retired.availability_90d, retired.last) == (
        "Premium reverse proxy 1",
        1.0,
        NOW.date(),
    )
    assert len(home.endpoints) == 5
    pages = rendered(home)
    page = pages["index.html"].decode()
    assert page.count("https://www.aigptx.top") == 0
    assert "Retired" in page
    assert '<a href="endpoints/ohmygpt/proxy-1/">' in page


def test_a_retired_base_url_keeps_its_page_with_figures_and_incidents() -> None:
    pages = rendered(view(worlds.SITES["retired"], worlds.WORLDS["retired"](), {})[0])
    page = pages["endpoints/ohmygpt/us-direct/index.html"].decode()
    assert "This base URL is retired" in page
    assert page.count('<th scope="row">') >= 4
    assert 'href="../../../incidents/9/"' in page
    kept = json.loads(pages["endpoints/ohmygpt/us-direct/status.json"])
    assert (kept["retired"], len(kept["days"]), len(kept["windows"])) == (True, 90, 4)


def test_maintenance_is_its_own_state_and_counts_against_nobody() -> None:
    page, _ = view(maintained(MOCK_SITE), worlds.mock(), {})
    worked = next(endpoint for endpoint in page.endpoints if endpoint.path == "ohmygpt/fast-cdn")
    assert worked.state is State.MAINTENANCE
    assert {check.text for check in worked.checks.values()} == {"Paused"}
    assert [(work.active, work.id) for work in page.maintenance] == [
        (True, "edge"),
        (False, "kernel"),
    ]
    assert "fast-cdn" not in {pick.endpoint for pick in page.picks}
    assert page.network.note == "1 in maintenance"
    assert [day.minutes for day in worked.history.days if day.letter == "m"] == [45, 45]


def test_scheduled_maintenance_is_one_line() -> None:
    later = Maintenance(
        id="x",
        title="New cables",
        once=MaintenanceWindow(ago(hours=-5), ago(hours=-6)),
    )
    page = files(replace(SITE, maintenance=(later,)), worlds.all_good())["index.html"].decode()
    assert "Happening now" not in page
    assert "<b>Scheduled maintenance: New cables</b>" in page


def test_all_in_maintenance_is_not_called_down() -> None:
    now = Maintenance(id="x", title="Move", once=MaintenanceWindow(ago(hours=1), ago(hours=-1)))
    page, _ = view(replace(SITE, maintenance=(now,)), worlds.everything_down(), {})
    assert (page.state, page.headline) == (State.MAINTENANCE, "The service is in maintenance.")


def test_maintenance_of_what_is_not_public_is_not_told() -> None:
    hidden = Maintenance(
        id="x",
        title="Secret",
        services=frozenset({"other"}),
        once=MaintenanceWindow(ago(hours=1), ago(hours=-1)),
    )
    pages = files(replace(SITE, maintenance=(hidden,)), worlds.all_good())
    assert not any(b"Secret" in content for content in pages.values())


def test_a_persons_note_is_text_cut_and_cleaned_in_every_language() -> None:
    snapshot = worlds.mixed()
    text = "<b>We</b> know.\u202e\nMore \x07" + "x" * 2000
    first, *others = snapshot.incidents
    note = TimelineEntry(at=NOW, what=EntryKind.NOTE, text=text)
    with_note = replace(first, timeline=(*first.timeline, note))
    pages = files(SITE, replace(snapshot, incidents=(with_note, *others)))
    for page in ("index.html", "zh-CN/index.html", "incidents/9/index.html"):
        assert "&lt;b&gt;We&lt;/b&gt; know. More xxx" in pages[page].decode()
        assert "x" * 1000 not in pages[page].decode()


@pytest.mark.parametrize("first", ["en", "zh-CN"])
def test_the_first_language_is_at_the_root_and_each_leads_to_the_other(first: str) -> None:
    other = "zh-CN" if first == "en" else "en"
    pages = files(chosen(languages=(first, other)), worlds.mixed())
    assert f'<html lang="{first}"' in pages["index.html"].decode()
    page = pages[f"{other}/endpoints/ohmygpt/cf-cdn/index.html"].decode()
    assert f'<html lang="{other}"' in page
    assert 'href="../../../../endpoints/ohmygpt/cf-cdn/"' in page
    assert 'hreflang="x-default" href="https://status.example/endpoints/ohmygpt/cf-cdn/"' in page
    assert "\u200b" not in page
    assert "\u200b" not in pages["status.json"].decode()
    headline = json.loads(pages["status.json"])["headline"]
    assert ("Shanghai." in headline) is (first == "en")


def test_one_language_alone_names_no_other() -> None:
    pages = files(chosen(languages=("en",)), worlds.mixed())
    assert not any(name.startswith("zh-CN") for name in pages)
    assert "hreflang" not in pages["index.html"].decode()
