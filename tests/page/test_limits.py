"""How much of everything there is, as a browser counts it: requests, elements, stops of the Tab key, sizes."""

from datetime import timedelta
from pathlib import Path

import pytest
from browser import Browser, Tab
from shots import as_if_new, files

from monitor.page import publish
from monitor.web import WebServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]
WORLDS = ("all-good", "mock", "everything-down", "fresh", "stopped", "places")
PAGES = ("", "endpoints/ohmygpt/us-direct/", "incidents/9/", "method.html")
LANGUAGES = ("", "zh-CN/")
WATCH = """window.shifted = 0; new PerformanceObserver(list =>
  list.getEntries().forEach(each => { shifted += each.value })).observe({type: 'layout-shift', buffered: true})"""
SETTLED = "new Promise(done => setTimeout(done, 400))"
FOCUSED = """(e => e === document.body ? null : [e.tagName, Math.round(e.getBoundingClientRect().top + scrollY),
  e.matches(':focus-visible'), e.checkVisibility()])(document.activeElement)"""
SMALL = """[...document.querySelectorAll('a[href], button, input, summary')].map(target => {
  const box = (target.closest('label') || target).getBoundingClientRect();
  const beside = [...target.parentNode.childNodes].filter(e => e !== target).map(e => e.textContent.trim()).join('');
  const inSentence = getComputedStyle(target).display === 'inline' && beside !== '';
  return [target.outerHTML.slice(0, 90), target.checkVisibility(), inSentence, box.width, box.height];
}).filter(([, seen, inSentence, width, height]) => seen && !inSentence && Math.min(width, height) < 24)"""


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_is_small_and_asks_nobody_else(
    browser: Browser, address: str, world: str, language: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/{world}/{language}")
        loaded = await tab.ask("performance.getEntriesByType('resource').map(each => each.name)")
        assert len(loaded) <= 4
        assert all(url.startswith(f"{address}/{world}/") for url in loaded)
        assert await tab.ask("document.querySelectorAll('*').length") <= 2000


HEIGHT = """document.documentElement.scrollHeight -
  [...document.querySelectorAll('.from, #places')].reduce((sum, e) => sum + e.offsetHeight + 20, 0)"""


@pytest.mark.parametrize(("width", "most"), [(1280, 4200), (390, 7000)])
@pytest.mark.parametrize("world", ["mock", "places"])
async def test_six_base_urls_with_trouble_are_no_long_page(
    browser: Browser, address: str, world: str, width: int, most: int
) -> None:
    """What several places see is beside that."""
    async with browser.tab(width) as tab:
        for language in LANGUAGES:
            await tab.open(f"{address}/{world}/{language}")
            await tab.lay_out_all()
            height = await tab.ask(HEIGHT)
            print({"height": height})
            assert 2000 < height <= most


async def stops(tab: Tab) -> list[list[object]]:
    """What the Tab key comes to, until it leaves the page."""
    walked: list[list[object]] = []
    while len(walked) < 200:
        await tab.press("Tab", 9)
        here = await tab.ask(FOCUSED)
        if here is None:
            return walked
        walked.append(here)
    raise AssertionError("the Tab key never leaves the page")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_tab_key_walks_all_of_it_in_seventy_steps_and_is_seen_at_each(
    browser: Browser, address: str, language: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mock/{language}")
        walked = await stops(tab)
        print({"stops": len(walked)})
        assert 40 < len(walked) <= 70
        assert [stop for stop in walked if not (stop[2] and stop[3])] == []
        assert [stop[0] for stop in walked].count("INPUT") == 3 + 6 + 1, "one stop for each bar"


@pytest.mark.parametrize("width", [1280, 390])
async def test_whatever_can_be_pressed_is_large_enough_for_a_finger(
    browser: Browser, address: str, width: int
) -> None:
    """At least 24 pixels each way; links within a sentence excepted (WCAG 2.5.8)."""
    async with browser.tab(width) as tab:
        for page in ("mock/" + name for name in PAGES):
            for language in LANGUAGES:
                await tab.open(f"{address}/{page.replace('/', '/' + language, 1)}")
                await tab.lay_out_all()
                await tab.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
                assert await tab.ask(SMALL) == [], page
        await tab.ask(
            "document.querySelector('.brand').style.cssText = 'height: 20px; min-height: 0'"
        )
        assert len(await tab.ask(SMALL)) == 1, "a small one is found"


@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_jumps_while_it_loads(browser: Browser, address: str, width: int) -> None:
    async with browser.tab(width) as tab:
        await tab.do("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        for language in LANGUAGES:
            await tab.open_on_a_poor_link(f"{address}/mock/{language}")
            await tab.ask(SETTLED)
            shift = await tab.ask("shifted")
            print({"shift": round(shift, 4)})
            assert shift <= 0.05
        await tab.ask("document.querySelector('.verdict').style.marginTop = '300px'")
        await tab.ask(SETTLED)
        assert await tab.ask("shifted") > 0.05, "a jump is noticed"


BANNER = """(b => [Math.round(b.left) >= 0, Math.round(b.right) <= innerWidth, b.height / innerHeight < .2,
  document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2).closest('.stale') !== null])(stale.getBoundingClientRect())"""
COVERED = """[...document.querySelectorAll('main a, main button, .site-footer a')].filter(e => {
  if (!e.checkVisibility()) return false;
  e.focus({focusVisible: true});
  const box = e.getBoundingClientRect();
  return box.bottom > stale.getBoundingClientRect().top;
}).map(e => e.textContent)"""


@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_jumps_on_a_page_that_is_stale_when_it_is_opened(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    """The banner lies over the page, small, in sight, and away from whatever has the focus."""
    publish(tmp_path, as_if_new(files("mock"), ago=timedelta(minutes=47)))
    web = WebServer(tmp_path, "127.0.0.1", 0, lambda: None)
    await web.start()
    try:
        async with browser.tab(width) as tab:
            await tab.do("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            for page in ("", "zh-CN/", *PAGES[1:3], "zh-CN/method.html"):
                await tab.open_on_a_poor_link(f"http://127.0.0.1:{web.port}/{page}")
                await tab.until("!stale.hidden")
                await tab.ask(SETTLED)
                shift = await tab.ask("shifted")
                print({"shift": round(shift, 4)})
                assert shift < 0.05, page
                assert await tab.ask(BANNER) == [True] * 4, page
                await tab.lay_out_all()
                assert await tab.ask(COVERED) == [], page
            await tab.do("Emulation.setEmulatedMedia", media="print")
            assert await tab.ask("getComputedStyle(stale).position") == "static", "once on paper"
    finally:
        await web.close()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_slow_calendar_is_made_only_when_somebody_asks_for_a_day(
    browser: Browser, address: str, language: str
) -> None:
    """To make the first one takes a phone longer than all the rest of the script."""
    count = """{const Real = Intl.DateTimeFormat; window.made = 0;
      Intl.DateTimeFormat = function (...how) { window.made++; return new Real(...how); }}"""
    async with browser.tab() as tab:
        await tab.do("Page.addScriptToEvaluateOnNewDocument", source=count)
        await tab.open(f"{address}/mock/{language}")
        assert await tab.ask("made") == 0
        await tab.ask("document.querySelector('.uptime__scrub').focus({focusVisible: true})")
        await tab.press("ArrowLeft", 37)
        await tab.press("ArrowLeft", 37)
        assert await tab.ask("made") == 1
        await tab.ask("document.querySelector('[name=tz][value=local]').click()")
        assert await tab.ask("made") == 3
