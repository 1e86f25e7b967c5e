"""Nobody is kept out: axe-core, html-validate, contrast of the palette, paper."""

import asyncio
import re
from pathlib import Path

import pytest
from barriers import has_no_barrier, is_valid, load_axe, validated
from browser import Browser
from shots import files
from worlds import WORLDS

from monitor.page import publish

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]
BELOW = ("endpoints/ohmygpt/us-direct/", "incidents/9/", "method.html")
OWN_PAGES = {
    "promised": ("endpoints/ohmygpt/cf-cdn/", "endpoints/ohmygpt/cf-worker/"),
    "mock": BELOW,
    "told": BELOW,
    "places": ("from/cn/", "from/laptop/", *BELOW[:2]),
}
SHOWN = (
    "all-good",
    "mock",
    "everything-down",
    "fresh",
    "stopped",
    "crowded",
    "many",
    "told",
    "retired",
    "promised",
    "places",
)
STATES = {
    "details open": "document.querySelectorAll('details').forEach(each => each.open = true)",
    "second metric": "document.querySelector('#metric-tps').click()",
    "stale": "document.documentElement.dataset.generated = '2020-01-01T00:00:00Z'",
}


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desktop", "phone"])
@pytest.mark.parametrize("world", SHOWN)
async def test_axe_finds_no_barrier(
    browser: Browser, address: str, world: str, width: int, dark: bool
) -> None:
    """On a light desktop and a dark phone: the contrast of both palettes has a test of its own."""
    async with browser.tab(width, dark=dark) as tab:
        for language in ("", "zh-CN/"):
            for page in ("", *OWN_PAGES.get(world, ())):
                await tab.open(f"{address}/{world}/{language}{page}")
                await load_axe(tab)
                await tab.lay_out_all()
                await has_no_barrier(tab, f"{language}{page}", rules=20)
                for state, become in STATES.items() if world == "mock" and not page else ():
                    await tab.ask(become)
                    await asyncio.sleep(1.1 if state == "stale" else 0)
                    await has_no_barrier(tab, f"{language} {state}", rules=20)


async def test_the_html_is_valid(tmp_path: Path) -> None:
    for world in WORLDS:
        publish(tmp_path / world, files(world))
    is_valid(tmp_path)


async def test_the_validator_sees_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!doctype html><html><body><p><div></p></body></html>")
    ran = validated(tmp_path)
    assert ran.returncode == 1
    assert "error" in ran.stdout


@pytest.mark.parametrize("language", ["", "zh-CN/"])
async def test_on_paper_it_takes_six_pages_and_shows_no_buttons(
    browser: Browser, address: str, language: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mock/{language}")
        printed = await tab.pdf()
        assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 6
        await tab.do("Emulation.setEmulatedMedia", media="print")
        buttons = "[...document.querySelectorAll('button, summary, .site-nav')].filter(e => e.checkVisibility()).length"
        assert await tab.ask(buttons) == 0


async def test_states_can_be_told_apart_where_colours_are_forced(
    browser: Browser, address: str
) -> None:
    """Icons and bars keep their own colours and outlines; words stand beside them anyway."""
    async with browser.tab() as tab:
        forced = {"name": "forced-colors", "value": "active"}
        await tab.do("Emulation.setEmulatedMedia", features=[forced])
        await tab.open(f"{address}/mock/")
        fills = "new Set([...document.querySelectorAll('.legend .icon')].map(e => getComputedStyle(e).fill)).size"
        assert await tab.ask(fills) == 6
        shapes = "new Set([...document.querySelectorAll('.legend use')].map(e => e.getAttribute('href'))).size"
        assert await tab.ask(shapes) == 6


TEXT = (
    "--ink",
    "--ink-2",
    "--ink-3",
    "--accent",
    "--ok-ink",
    "--deg-ink",
    "--part-ink",
    "--down-ink",
    "--maint-ink",
    "--none-ink",
)
MARKS = (
    "--ok",
    "--deg",
    "--part",
    "--down",
    "--maint",
    "--none",
    "--ph2",
    "--ph3",
    "--ph4",
    "--ph5",
)
GROUNDS = ("--bg", "--surface", "--sunken")
CONTRAST = """((fronts, grounds) => {
  const probe = document.body.appendChild(document.createElement('i'));
  const light = name => { probe.style.color = `var(${name})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(c => c / 255)
      .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  return Math.min(...fronts.flatMap(f => grounds.map(g => {
    const [hi, lo] = [light(f), light(g)].sort((a, b) => b - a); return (hi + .05) / (lo + .05); })));
})"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_palette_has_contrast_enough(browser: Browser, address: str, dark: bool) -> None:
    """What axe leaves open: text on gradients, and graphics."""
    async with browser.tab(dark=dark) as tab:
        await tab.open(f"{address}/mock/")
        text = await tab.ask(f"{CONTRAST}({list(TEXT)}, {list(GROUNDS)})")
        marks = await tab.ask(f"{CONTRAST}({list(MARKS)}, ['--surface'])")
        tints = [
            await tab.ask(f"{CONTRAST}(['--{name}-ink'], ['--{name}-tint'])")
            for name in ("ok", "deg", "part", "down", "maint", "none")
        ]
    print({"text": round(text, 2), "graphics": round(marks, 2), "tints": round(min(tints), 2)})
    assert min(text, *tints) >= 4.5
    assert marks >= 3
