"""What a reader does with the page, in a real browser, and what it does for them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import worlds
from browser import Browser, Tab
from page_cast import CHECKS, SITE
from shots import as_if_new, files, rendered

from monitor.page import Renderer, publish, view
from monitor.web import WebServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]
PAGES = ("", "endpoints/ohmygpt/us-direct/", "incidents/9/", "method.html")
LANGUAGES = ("", "zh-CN/")
LIVE = "[document.querySelector('#live').innerText, stale.hidden]"
TOLD = "document.querySelector('.uptime__scrub').getAttribute('aria-valuetext')"
TIP = "document.querySelector('.tip')"
SPACED = r"""{const sheet = new CSSStyleSheet(); sheet.replaceSync(`* { line-height: 1.5 !important;
letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }`);
document.adoptedStyleSheets.push(sheet);}"""
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts on", "scripts off"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_loads_without_a_complaint(
    browser: Browser, address: str, scripts: bool, language: str
) -> None:
    for page in PAGES:
        async with browser.tab(scripts=scripts) as tab:
            await tab.open(f"{address}/mock/{language}{page}")
            await tab.ask("1")
            assert tab.complaints == [], page


async def test_a_complaint_would_have_been_heard(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mock/")
        await tab.ask("document.body.append(Object.assign(new Image(), {src: '//127.0.0.1:9/x'}))")
        await tab.ask("new Promise(done => setTimeout(done, 100))")
        assert "Content Security Policy" in "".join(tab.complaints)


@pytest.mark.parametrize("world", worlds.WORLDS)
async def test_no_page_scrolls_sideways_on_the_smallest_phone(
    browser: Browser, address: str, world: str
) -> None:
    async with browser.tab(320) as tab:
        for page in PAGES if world in {"mock", "mixed", "told"} else ("",):
            for language in LANGUAGES:
                await tab.open(f"{address}/{world}/{language}{page}")
                await tab.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
                await tab.lay_out_all()
                assert await tab.ask(SIDEWAYS) <= 0, page
                if world == "mock":
                    await tab.ask(SPACED)
                    assert await tab.ask(SIDEWAYS) <= 0, f"{page} with wide text"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_twice_as_large_it_still_needs_no_sideways_scrolling(
    browser: Browser, address: str, language: str
) -> None:
    """A zoom of 200 % leaves a desktop of 1280 pixels the width of 640."""
    async with browser.tab(640) as tab:
        await tab.do(
            "Emulation.setDeviceMetricsOverride",
            width=640,
            height=450,
            deviceScaleFactor=2,
            mobile=False,
        )
        for page in PAGES:
            await tab.open(f"{address}/mock/{language}{page}")
            await tab.lay_out_all()
            assert await tab.ask(SIDEWAYS) <= 0, page


async def test_a_language_leads_to_the_same_page_in_the_other(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        for page in PAGES:
            await tab.open(f"{address}/mock/{page}")
            there = await tab.ask("document.querySelector('.lang').href")
            await tab.open(there)
            assert await tab.ask("document.documentElement.lang") == "zh-CN"
            back = await tab.ask("document.querySelector('.lang').href")
            assert back.removesuffix("index.html") == f"{address}/mock/{page}"


async def test_without_scripts_nothing_is_missing_and_nothing_is_dead(
    browser: Browser, address: str
) -> None:
    shown = "[...document.querySelectorAll('%s')].filter(e => e.checkVisibility()).length"
    async with browser.tab(scripts=False) as tab:
        await tab.open(f"{address}/mock/")
        text = await tab.ask("document.body.innerText")
        assert "Valid until 13:52:05 UTC. If that time has passed" in text
        assert "Live" not in text.split("Happening now")[0]
        for language in LANGUAGES:
            await tab.open(f"{address}/mock/{language}")
            await tab.lay_out_all()
            assert await tab.ask(shown % "button, #opts, #live, #stale, .vantages") == 0
            assert await tab.ask(shown % ".uptime__bars path, .charts--ttft .chart__line") >= 18
            assert await tab.ask(shown % ".endpoint__state") == 6
            assert await tab.ask(shown % ".uptime figcaption b") == 6
            assert await tab.ask(shown % ".matrix .cell") == 6 * 7
            await tab.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert await tab.ask(shown % ".endpoint .mini tbody tr") > 6


USE = """(e => e?.checkVisibility() ? [e.innerText.split(/\\s+/), getComputedStyle(e.querySelector('code')).userSelect,
  e.getBoundingClientRect().bottom < document.querySelector('.verdict').getBoundingClientRect().top] : null)(document.querySelector('.use'))"""


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts on", "scripts off"])
async def test_a_phone_is_told_first_what_to_use_when_something_is_wrong(
    browser: Browser, address: str, scripts: bool
) -> None:
    """One tap selects it where no script can copy it."""
    copy = ["Copy"] * scripts
    async with browser.tab(390, scripts=scripts) as tab:
        for page, words in (
            ("mock/", ["Use", "https://www.aigptx.top"]),
            ("places/", ["From", "Shanghai", "use", "https://www.aigptx.top"]),
            ("places/from/cn/", ["From", "Shanghai", "use", "https://www.aigptx.top"]),
        ):
            await tab.open(f"{address}/{page}")
            assert await tab.ask(USE) == [words + copy, "all", True]
        worlds = (
            "all-good",
            "everything-down",
            "stopped",
            "fresh",
            "rejected-key",
            "places/from/fra",
        )
        for world in worlds:
            await tab.open(f"{address}/{world}/")
            assert await tab.ask(USE) is None, world
        await tab.open(f"{address}/mock/")
        await tab.ask("document.documentElement.classList.add('is-stale')")
        (words, *_) = await tab.ask(USE)
        assert " ".join(words) == "This page is old, so nothing is recommended."
    async with browser.tab(1280, scripts=scripts) as tab:
        await tab.open(f"{address}/mock/")
        assert await tab.ask(USE) is None, "it stands beside the headline there"


FOUND = "[...document.querySelectorAll('#base-urls :is(.endpoint, .row:not(.row--head))')].filter(e => e.checkVisibility()).length"


async def test_among_many_base_urls_one_is_found_and_stays_found_after_a_refresh(
    browser: Browser, tmp_path: Path
) -> None:
    """By name, host or state; those in trouble are chosen without a script too."""
    pages = Renderer().files(view(*worlds.crowd(200), {})[0])
    publish(tmp_path, as_if_new(pages))
    web = await served(tmp_path)
    box = "document.querySelector('#find')"
    seek = f"{box}.value = '{{}}'; {box}.dispatchEvent(new Event('input')); [{FOUND}, found.textContent]"
    try:
        async with browser.tab() as tab:
            await tab.open(f"http://127.0.0.1:{web.port}/")
            await tab.lay_out_all()
            assert await tab.ask(FOUND) == 200
            one = [11, "11 of 200 base URLs match."]
            assert await tab.ask(seek.format("API4")) == one
            none = await tab.ask(seek.format("no such"))
            assert none == [0, "0 of 200 base URLs match."]
            await tab.ask(seek.format("mirror 19 outage"))
            assert await tab.ask(FOUND) == 1
            await tab.ask("document.querySelector('#show-ill').click()")
            publish(tmp_path, as_if_new(pages, 1))
            await come_back(tab)
            await tab.until("document.documentElement.dataset.generated > '2027'")
            await tab.until(f"{FOUND} === 1")
            assert await tab.ask(f"[{box}.value, document.querySelector('#show-ill').checked]") == [
                "mirror 19 outage",
                True,
            ]
        async with browser.tab(320, scripts=False) as tab:
            await tab.open(f"http://127.0.0.1:{web.port}/")
            await tab.lay_out_all()
            assert await tab.ask(FOUND) == 200
            assert await tab.ask(SIDEWAYS) <= 0
            assert await tab.ask("document.querySelector('#find').checkVisibility()") is False
            await tab.ask("document.querySelector('#show-ill').click()")
            assert await tab.ask(FOUND) == 20
    finally:
        await web.close()


HITS = """[[...document.querySelectorAll('#hits a')].filter(e => e.checkVisibility()).map(e => e.innerText.replace('\\n', ' ')),
  found.textContent]"""


async def test_where_the_home_page_names_services_the_search_finds_base_urls_in_a_list(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.page.view_models.BY_SERVICE", 100)
    pages = Renderer().files(view(*worlds.crowd(200), {})[0])
    publish(tmp_path, as_if_new(pages))
    web = await served(tmp_path)
    box = "document.querySelector('#find')"
    seek = f"{box}.value = '{{}}'; {box}.dispatchEvent(new Event('input'))"
    try:
        async with browser.tab(390) as tab:
            await tab.open(f"http://127.0.0.1:{web.port}/")
            await tab.lay_out_all()
            assert await tab.ask(HITS) == [[], ""]
            assert await tab.ask(SIDEWAYS) <= 0
            await tab.ask(seek.format("API4"))
            await tab.until("found.textContent")
            hits, text = await tab.ask(HITS)
            assert text == "11 of 200 base URLs match."
            assert len(hits) == 11
            assert "https://api4.example" in hits[0]
            await tab.ask(seek.format("mirror"))
            await tab.until("found.textContent.startsWith('200')")
            assert len((await tab.ask(HITS))[0]) == 50
            await tab.ask(seek.format("many mirror 199"))
            await tab.until("found.textContent.startsWith('1 ')")
            await tab.open(await tab.ask("document.querySelector('#hits a').href"))
            assert await tab.ask("document.querySelector('h1').textContent") == "Mirror 199"
            assert tab.complaints == []
            await tab.open(f"http://127.0.0.1:{web.port}/services/many/")
            await tab.lay_out_all()
            assert await tab.ask(FOUND) == 200
            assert await tab.ask(SIDEWAYS) <= 0
    finally:
        await web.close()


async def test_a_fresh_page_says_live_and_one_of_a_dead_daemon_says_stale(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/all-good/")
        assert await tab.ask(LIVE) == ["Live", True]
        await tab.open(f"{address}/stopped/")
        assert await tab.ask(LIVE) == ["Stale", False]
        assert "Monitoring stopped at 23 Nov, 13:42 UTC." in await tab.ask("stale.innerText")
        assert "nothing is recommended" in await tab.ask("document.body.innerText")


async def test_every_page_grows_stale_in_title_icon_and_colour(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        for page in PAGES:
            await tab.open(f"{address}/mock/{page}")
            assert await tab.ask("stale.hidden") is True
            before = "new Date(Date.now() - 47 * 6e4).toISOString()"
            await tab.ask(f"document.documentElement.dataset.generated = {before}")
            await asyncio.sleep(1.2)
            assert "This page is 47 min old." in await tab.ask("stale.innerText"), page
            assert (await tab.ask("document.title")).startswith("⚠ ")
            assert "unknown" in await tab.ask("document.querySelector('link[rel=icon]').href")
            grey = "getComputedStyle(document.querySelector('main > :not(.stale)')).filter"
            assert await tab.ask(grey) == "grayscale(1)"


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_visitor_whose_clock_is_wrong_is_not_fooled(
    browser: Browser, address: str, tmp_path: Path, hours: int
) -> None:
    """What is new is live, and what is 47 minutes old is stale, by the server's clock."""
    wrong = f"{{const real = Date.now; Date.now = () => real() + {hours} * 36e5}}"
    publish(tmp_path, as_if_new(files("all-good"), ago=timedelta(minutes=47)))
    web = await served(tmp_path)
    try:
        async with browser.tab() as tab:
            await tab.do("Page.addScriptToEvaluateOnNewDocument", source=wrong)
            await tab.open(f"{address}/all-good/")
            await tab.until(f"{LIVE}[0] === 'Live' && stale.hidden")
            await tab.open(f"http://127.0.0.1:{web.port}/")
            await tab.until("!stale.hidden && stale.innerText.includes('This page is 47 min old.')")
    finally:
        await web.close()


async def test_the_days_can_be_walked_pointed_at_and_dismissed(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mixed/")
        assert await tab.ask(TOLD) == "Today: Major outage, 2 h 18 min"
        await tab.ask("document.querySelector('.uptime__scrub').focus({focusVisible: true})")
        for _ in range(4):
            await tab.press("ArrowLeft", 37)
        assert await tab.ask(TOLD) == "19 November 2026: Major outage, 18 min"
        assert await tab.ask(f"{TIP}.innerText") == "19 November 2026\nMajor outage, 18 min"
        await tab.press("Escape", 27)
        assert await tab.ask(f"{TIP}.hidden") is True

        place = await tab.ask(
            "(e => { e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const {x, y, width} = e.getBoundingClientRect(); return [x + width - 4, y + 17]; })"
            "(document.querySelector('.uptime__plot'))"
        )
        await tab.move(*place)
        await tab.until(f"!{TIP}.hidden")
        over = await tab.ask(f"(b => [b.x + 9, b.y + 9])({TIP}.getBoundingClientRect())")
        await tab.move(*over)
        await asyncio.sleep(0.4)
        assert await tab.ask(f"{TIP}.hidden") is False, "it stays while it is pointed at"
        await tab.move(5, 5)
        await tab.until(f"{TIP}.hidden")


async def test_the_days_are_told_in_chinese(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mixed/zh-CN/")
        assert await tab.ask(TOLD) == "今天\uff1a严重中断\uff0c2\u00a0小时 18\u00a0分"
        await tab.ask("document.querySelector('.uptime__scrub').focus({focusVisible: true})")
        assert await tab.ask(TOLD) == "2026年11月23日\uff1a严重中断\uff0c2\u00a0小时 18\u00a0分"


async def test_copying_times_and_theme(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        await tab.do("Emulation.setTimezoneOverride", timezoneId="Asia/Shanghai")
        await tab.allow_clipboard(address)
        await tab.open(f"{address}/mock/")
        await tab.ask("document.querySelector('.pick .copy').click()")
        await tab.until("document.querySelector('.pick .copy span').textContent === 'Copied'")
        assert await tab.ask("navigator.clipboard.readText()") == "https://www.aigptx.top"

        began = "document.querySelector('.notice time').innerText"
        assert await tab.ask(began) == "23 Nov, 11:24 UTC"
        await tab.ask("document.querySelector('[name=tz][value=local]').click()")
        assert await tab.ask(began) == "23 Nov, 19:24 GMT+8"
        await tab.ask("document.querySelector('#theme-dark').click()")
        await tab.open(f"{address}/mock/")
        assert await tab.ask(began) == "23 Nov, 19:24 GMT+8"
        assert await tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(10, 13, 18)"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_headers_links_lead_to_their_sections(
    browser: Browser, address: str, width: int, language: str
) -> None:
    """Though the height of what lies between is not known before it comes near."""
    async with browser.tab(width) as tab:
        for name in ("latency", "history", "api"):
            await tab.open(f"{address}/mock/{language}")
            await tab.ask(f"document.querySelector('.site-nav [href$=\"#{name}\"]').click()")
            top = f"document.querySelector('#{name}').getBoundingClientRect().top"
            end = "scrollY + innerHeight >= document.documentElement.scrollHeight - 2"
            await tab.until(f"Math.abs({top}) < 60 || ({end} && {top} < innerHeight)")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_header_takes_two_rows_on_a_phone(
    browser: Browser, address: str, language: str
) -> None:
    """The name, language and theme beside each other; the sections below."""
    async with browser.tab(390) as tab:
        await tab.open(f"{address}/mock/{language}")
        tops = "['.brand', '.site-tools'].map(e => (b => b.top + b.height / 2)(document.querySelector(e).getBoundingClientRect()))"
        brand, tools = await tab.ask(tops)
        assert brand == pytest.approx(tools, abs=3)
        assert await tab.ask("document.querySelector('.brand__name').offsetHeight") < 40


TORN = """[...document.querySelectorAll('h1, h2, h3, h4, dt, strong, .own a')].filter(e => e.checkVisibility() && e.matches(':lang(zh):not(.vh)'))
  .filter(e => { e.style.overflowWrap = 'normal'; const torn = getComputedStyle(e).wordBreak !== 'keep-all'
    || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'; e.style.overflowWrap = ''; return torn; })
  .map(e => e.textContent)"""


@pytest.mark.parametrize("world", [name for name in worlds.WORLDS if name != "crowded"])
async def test_chinese_headings_break_between_words_only(
    browser: Browser, address: str, world: str
) -> None:
    """Where signs of a sentence or marks of ours let them; on the smallest phone too."""
    async with browser.tab(320) as tab:
        for page in PAGES[:3] if world == "mock" else ("",):
            await tab.open(f"{address}/{world}/zh-CN/{page}")
            await tab.lay_out_all()
            assert await tab.ask(TORN) == [], page
        await tab.ask(f"document.querySelector('h1').textContent = '{'服务' * 12}'")
        assert await tab.ask(TORN) == ["服务" * 12], "one that has no place to break is noticed"


TORN_LINES = r"""(() => {
  const top = (node, at) => { const r = new Range(); r.setStart(node, at); r.setEnd(node, at + 1); return r.getBoundingClientRect().top; };
  const apart = (node, one, other) => top(node, other) > top(node, one) + 6, found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const box = node.parentElement, text = node.data.trimEnd();
    if (!box.checkVisibility() || box.closest('.vh, svg, code')) continue;
    for (const { index, 0: between } of text.matchAll(/(?<=\d)\s?(?=[\u4e00-\u9fff%]|m?s\b)/g))
      if (apart(node, index - 1, index + between.length)) found.push(text.slice(index - 9, index + 9));
    const end = text.match(/[\u4e00-\u9fff]{2}[^\u4e00-\u9fff\w]*$/);
    if (end && box.matches('p, dd') && node === box.lastChild && apart(node, end.index, end.index + 1)) found.push(text.slice(-9));
  }
  return found;
})()"""


@pytest.mark.parametrize("width", [320, 360, 390, 430])
async def test_chinese_lines_tear_no_number_from_its_unit_and_leave_no_sign_alone(
    browser: Browser, address: str, width: int
) -> None:
    async with browser.tab(width) as tab:
        for page in ("", *PAGES[1:]):
            await tab.open(f"{address}/mock/zh-CN/{page}")
            await tab.lay_out_all()
            await tab.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert await tab.ask(TORN_LINES) == [], page
        await tab.ask(
            "document.querySelectorAll('p, dd').forEach(e => e.style.cssText = 'width: 1em; word-break: break-all')"
        )
        assert len(await tab.ask(TORN_LINES)) > 5, "such lines are noticed"


async def test_the_charts_switch_without_a_script(browser: Browser, address: str) -> None:
    shown = "['ttft', 'tps'].map(e => document.querySelector('.charts--' + e).checkVisibility())"
    async with browser.tab(scripts=False) as tab:
        await tab.open(f"{address}/mock/")
        assert await tab.ask(shown) == [True, False]
        await tab.ask("document.querySelector('#metric-tps').checked = true")
        assert await tab.ask(shown) == [False, True]


APART = """[...document.querySelectorAll('.waterfall tbody tr')].map(row => {
  const box = e => row.querySelector(e)?.getBoundingClientRect(), middle = b => (b.top + b.bottom) / 2;
  const bar = box('.waterfall__bar'), none = box('.waterfall__none');
  return bar ? Math.abs(middle(bar) - middle(box('.waterfall__n span'))) : Math.abs(middle(none) - middle(box('.waterfall__total')));
})"""


async def test_phases_stand_beside_their_numbers_however_long_the_name_is(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/crowded/")
        await tab.lay_out_all()
        gaps = await tab.ask(APART)
        assert len(gaps) == 18
        assert [gap for gap in gaps if not 0 <= gap <= 4] == []


async def test_where_colours_are_gone_the_worst_days_stand_out_most(
    browser: Browser, address: str
) -> None:
    colours = "['.bar-x', '.bar-o', 'body'].map(e => getComputedStyle(document.querySelector(e))[e === 'body' ? 'color' : 'stroke'])"
    async with browser.tab(dark=True) as tab:
        await tab.open(f"{address}/stopped/")
        worst, good, ink = await tab.ask(colours)
        assert worst == ink != good


async def test_nothing_moves_for_those_who_do_not_want_it(browser: Browser, address: str) -> None:
    moving = "document.getAnimations().filter(each => each.playState === 'running').length"
    async with browser.tab() as tab:
        await tab.open(f"{address}/mock/")
        assert await tab.ask(moving) > 0
        feature = {"name": "prefers-reduced-motion", "value": "reduce"}
        await tab.do("Emulation.setEmulatedMedia", features=[feature])
        assert await tab.ask(moving) == 0


class Site:
    """A page that is written again while somebody reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, world: str, *, years: int) -> None:
        rendered: Mapping[str, bytes] = files(world)
        publish(self.folder, as_if_new(rendered, years))


async def served(folder: Path) -> WebServer:
    web = WebServer(folder, "127.0.0.1", 0, lambda: None)
    await web.start()
    return web


async def come_back(tab: Tab) -> None:
    await tab.ask("document.dispatchEvent(new Event('visibilitychange'))")


async def test_a_refresh_keeps_the_readers_place_and_can_be_paused(
    browser: Browser, tmp_path: Path
) -> None:
    site = Site(tmp_path)
    site.write("mock", years=0)
    web = await served(tmp_path)
    generated, announced = "document.documentElement.dataset.generated", "say.textContent"
    try:
        async with browser.tab() as tab:
            await tab.open(f"http://127.0.0.1:{web.port}/")
            await tab.ask("document.querySelector('#autorefresh').click()")
            first = await tab.ask(generated)
            site.write("mock", years=1)
            await come_back(tab)
            await asyncio.sleep(0.5)
            assert await tab.ask(generated) == first, "it was paused"

            await tab.ask("document.querySelector('#autorefresh').click()")
            await tab.ask(
                "{const e = document.querySelectorAll('.endpoint')[3]; e.querySelector('details').open = true;"
                " e.querySelector('summary').focus(); e.scrollIntoView({behavior: 'instant'})}"
            )
            place = await tab.ask("scrollY")
            await come_back(tab)
            await tab.until(f"{generated} !== '{first}'")
            kept = "document.activeElement.closest('details').open && document.activeElement.closest('li').id"
            assert await tab.ask(kept) == "ohmygpt-fast-cdn"
            assert await tab.ask("scrollY") == pytest.approx(place, abs=2)
            assert await tab.ask(announced) == "", "the sentence is the same"

            site.write("everything-down", years=2)
            await come_back(tab)
            await tab.until(f"{announced}.includes('The service is down.')")
            assert "The service is down." in await tab.ask("document.title")
    finally:
        await web.close()


async def test_the_visitors_own_test_says_what_it_reached_and_calls_nothing_down(
    browser: Browser, tmp_path: Path
) -> None:
    """One base URL is there, the others are not; the result outlasts a refresh."""
    web = await served(tmp_path)
    there = f"http://127.0.0.1:{web.port}"
    moved = {
        endpoint.id: replace(
            endpoint, url="https://there.test" if endpoint.id == "cf-cdn" else "https://gone.test"
        )
        for endpoint in SITE.services[0].endpoints
    }
    site = replace(
        SITE,
        services=(replace(SITE.services[0], endpoints=tuple(moved.values())),),
        checks=tuple(replace(check, endpoint=moved[check.endpoint.id]) for check in CHECKS),
    )
    pages = {
        name: content.replace(b"https://there.test", there.encode()).replace(
            b"https://gone.test", b"http://127.0.0.1:9"
        )
        for name, content in Renderer().files(view(site, worlds.mixed(), {})[0]).items()
    }
    (tmp_path / "favicon.ico").write_bytes(b"")
    publish(tmp_path, as_if_new(pages))
    you = "document.querySelector('#you .triage__what').innerText"
    try:
        async with browser.tab() as tab:
            await tab.open(f"{there}/")
            asked = "performance.getEntriesByType('resource').filter(e => /favicon.ico/.test(e.name)).length"
            assert await tab.ask(asked) == 0, "nobody was asked before the click"
            await tab.ask("test.click()")
            await tab.until("!test.disabled")
            assert await tab.ask(you) == "1 of 6 reachable"
            chips = await tab.ask(
                "[...document.querySelectorAll('.vantages')].map(e => e.innerText)"
            )
            assert sum("Not reachable" in chip for chip in chips) == 5
            note = await tab.ask("document.querySelector('#you .triage__note').innerText")
            assert note == "What is not reachable is blocked on your way, by your browser, or down."
            assert (await tab.ask("document.querySelector('.pick--you').innerText")).startswith(
                "Your browser"
            )
            publish(tmp_path, as_if_new(pages, 1))
            await come_back(tab)
            await tab.until("document.documentElement.dataset.generated > '2027'")
            assert await tab.ask(you) == "1 of 6 reachable"
    finally:
        await web.close()


async def test_what_no_browser_can_ask_is_not_called_unreachable(
    browser: Browser, tmp_path: Path
) -> None:
    """One base URL speaks plain HTTP, one has a certificate of its own; another one is asked."""
    web = await served(tmp_path)
    there = f"http://127.0.0.1:{web.port}"
    changed = {
        "cf-cdn": {"url": "https://there.test"},
        "proxy-1": {"url": "http://plain.test"},
        "proxy-2": {"ca_file": Path("ca.pem")},
    }
    kept = tuple(
        replace(endpoint, **changed[endpoint.id])
        for endpoint in SITE.services[0].endpoints
        if endpoint.id in changed
    )
    by_id = {content.id: content for content in kept}
    site = replace(
        SITE,
        services=(replace(SITE.services[0], endpoints=kept),),
        checks=tuple(
            replace(check, endpoint=by_id[check.endpoint.id])
            for check in CHECKS
            if check.endpoint.id in by_id
        ),
    )
    pages = Renderer().files(view(site, worlds.all_good(), {})[0])
    assert b"plain.test" not in pages["index.html"].split(b"connect-src")[1].split(b">")[0]
    (tmp_path / "favicon.ico").write_bytes(b"")
    publish(
        tmp_path,
        as_if_new(
            {
                name: content.replace(b"https://there.test", there.encode())
                for name, content in pages.items()
            }
        ),
    )
    try:
        async with browser.tab() as tab:
            await tab.open(f"{there}/")
            await tab.ask("test.click()")
            await tab.until("!test.disabled")
            chips = await tab.ask(
                "[...document.querySelectorAll('.vantages')].map(e => e.innerText)"
            )
            assert sum("Cannot be tested from a browser" in chip for chip in chips) == 2
            assert not any("Not reachable" in chip for chip in chips)
            you = await tab.ask("document.querySelector('#you .triage__what').innerText")
            assert you == "1 of 1 reachable"
    finally:
        await web.close()


async def test_live_is_only_what_was_measured_just_now_and_an_old_page_recommends_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    web = await served(tmp_path)
    shown = (
        "[document.documentElement.classList.contains('is-live'), live.hidden ? '' : live.innerText,"
        " !!document.querySelector('.picks')?.checkVisibility()]"
    )
    try:
        async with browser.tab() as tab:
            for pages, ago, is_shown in (
                (rendered("mixed"), timedelta(), [True, "Live", True]),
                (rendered("mixed"), timedelta(hours=1), [False, "Stale", False]),
                (rendered("fresh"), timedelta(), [False, "", False]),
                (rendered("rejected-key"), timedelta(), [False, "", False]),
            ):
                publish(tmp_path, as_if_new(pages, ago=ago))
                await tab.open(f"http://127.0.0.1:{web.port}/")
                assert await tab.ask(shown) == is_shown
    finally:
        await web.close()
