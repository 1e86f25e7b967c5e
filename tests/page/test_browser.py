"""What a real browser makes of the page: no complaint, no sideways scroll, no barrier."""

import asyncio
import os
from pathlib import Path

import pytest
from browser import Browser
from worlds import WORLDS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]
PAGES = ("", "endpoints/ohmygpt/us-direct/", "incidents/9/")
AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
"""A file of somebody else's that is not in the repository: `npm pack axe-core`."""
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts on", "scripts off"])
async def test_every_page_loads_without_a_complaint(
    browser: Browser, address: str, scripts: bool
) -> None:
    for page in PAGES:
        async with browser.tab(scripts=scripts) as tab:
            await tab.open(f"{address}/mixed/{page}")
            await tab.ask("1")
            assert tab.complaints == [], page


async def test_a_complaint_would_have_been_heard(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mixed/")
        await tab.ask("document.body.append(Object.assign(new Image(), {src: '//127.0.0.1:9/x'}))")
        await tab.ask("new Promise(done => setTimeout(done, 100))")
        assert "Content Security Policy" in "".join(tab.complaints)


@pytest.mark.parametrize("world", WORLDS)
async def test_no_page_scrolls_sideways_on_the_smallest_phone(
    browser: Browser, address: str, world: str
) -> None:
    async with browser.tab(320) as tab:
        for page in PAGES if world in {"mixed", "told"} else ("",):
            await tab.open(f"{address}/{world}/{page}")
            await tab.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert await tab.ask(SIDEWAYS) <= 0, page


async def test_a_fresh_page_says_live_and_one_of_a_dead_daemon_says_stale(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/all-good/")
        assert await tab.ask("[document.querySelector('#live').innerText, stale.hidden]") == [
            "Live",
            True,
        ]
        await tab.open(f"{address}/stopped/")
        assert await tab.ask("[document.querySelector('#live').innerText, stale.hidden]") == [
            "Stale",
            False,
        ]
        assert "Monitoring stopped at 23 Nov, 13:42 UTC." in await tab.ask("stale.innerText")


async def test_pages_below_the_home_page_grow_stale_too(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        for page in PAGES:
            await tab.open(f"{address}/mixed/{page}")
            assert await tab.ask("stale.hidden") is True
            hour_ago = "new Date(Date.now() - 36e5).toISOString()"
            await tab.ask(f"document.documentElement.dataset.generated = {hour_ago}")
            await asyncio.sleep(1.2)
            assert "This page is 60 min old." in await tab.ask("stale.innerText"), page


async def test_the_keys_walk_through_the_days(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mixed/")
        told = "document.querySelector('.uptime__scrub').getAttribute('aria-valuetext')"
        assert await tab.ask(told) == "23 November 2026: Major outage, 138 min"
        await tab.ask(
            "{const r = document.querySelector('.uptime__scrub'); r.value = 85; r.oninput()}"
        )
        assert await tab.ask(told) == "19 November 2026: Major outage, 18 min"
        assert await tab.ask("document.querySelector('.tip').innerText") == (
            "19 November 2026\nMajor outage, 18 min"
        )


async def test_the_visitors_own_test_says_what_it_reached_and_calls_nothing_down(
    browser: Browser, address: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mixed/")
        await tab.ask("document.querySelector('#test').click()")
        done = "!document.querySelector('#test').disabled"
        for _ in range(100):
            if await tab.ask(done):
                break
            await asyncio.sleep(0.05)
        assert await tab.ask("document.querySelector('#you .triage__what').innerText") == (
            "0 of 6 reachable"
        )
        chip = await tab.ask("document.querySelector('.vantages').innerText")
        assert "Not reachable" in chip


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("world", WORLDS)
async def test_nobody_is_kept_out(
    browser: Browser, address: str, world: str, dark: bool, width: int
) -> None:
    if not AXE.is_file():
        pytest.skip("set AXE_CORE to axe.min.js of axe-core")
    rules = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}"
    async with browser.tab(width, dark=dark) as tab:
        for page in PAGES if world in {"mixed", "told"} else ("",):
            await tab.open(f"{address}/{world}/{page}")
            await tab.ask(AXE.read_text())
            found = await tab.ask(
                f"axe.run({rules}).then(all => ({{ran: all.passes.length, found: all.violations.map("
                "each => [each.id, each.nodes.slice(0, 3).map(node => node.failureSummary)])}))"
            )
            assert found["found"] == [], page
            assert found["ran"] > 20
