"""Firefox ESR lays the page out as Chromium does, and paints it in the same colours: each part, one by one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import firefox
import pytest
import pytest_asyncio
from browser import Browser
from firefox import FIREFOX, Firefox

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]
NEAR, SHARE = 4, 0.015
"""Pixels, and share of the figure itself, by which a part may lie or be otherwise: they round lines differently."""
PARTS = """.site-header, .site-nav a, .brand, .theme, .stale, .verdict, .verdict h1, .verdict__text, .triage__item,
 .fastest, .pick, .freshness, .notice, .notice__class, .endpoint, .endpoint__id, .endpoint__metric, .endpoint__state,
 .uptime__plot, .uptime__bars, .legend li, .scroll, .matrix th, .matrix td, .chart, .chart svg, .waterfall i,
 .waterfall tr, .waterfall__bar, .waterfall__total, .mini, .figures td, .state, .day, .event, .glossary > div,
 .follow a, .prose h2, .states > div, .updates li, .site-footer, .copy, .icon"""
LOOK = """JSON.stringify((sheet => { sheet.replaceSync(%s);
  document.adoptedStyleSheets = [sheet];
  return [...document.querySelectorAll(`%s`)].filter(e => e.getClientRects().length).map(e => {
    const {x, y, width, height} = e.getBoundingClientRect(), {color, fill, stroke, display} = getComputedStyle(e);
    const top = e.closest('section, article, header, footer, body').getBoundingClientRect().y;
    return {name: e.tagName + '.' + (e.className.baseVal ?? e.className), box: [x, y - top, width, height], look: [color, fill, stroke, display]};
  }) })(new CSSStyleSheet()))"""
COMMON = """* { scrollbar-width: none !important } .block { content-visibility: visible !important }
* { font-family: "DejaVu Sans", "Noto Sans CJK SC", sans-serif !important; text-autospace: no-autospace !important }"""
"""Which font stands for `system-ui`, and what room Chinese leaves around numbers, is theirs to choose."""
DARK = "(document.querySelector('#theme-dark').checked = true) && ''"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other() -> AsyncIterator[Firefox]:
    if FIREFOX is None:
        pytest.skip("firefox-esr is not installed")
    async with firefox.launched() as browser:
        yield browser


def look(css: str = "") -> str:
    """What is asked of both; `css` spoils it."""
    return LOOK % (json.dumps(COMMON + css), PARTS)


def differences(one: str, two: str) -> list[Any]:
    first, second = json.loads(one), json.loads(two)
    assert [part["name"] for part in first] == [part["name"] for part in second]
    return [
        (a, b)
        for a, b in zip(first, second, strict=True)
        if a["look"] != b["look"]
        or any(abs(c - d) > NEAR + SHARE * abs(c) for c, d in zip(a["box"], b["box"], strict=True))
    ]


@pytest.mark.parametrize(
    ("page", "width"),
    [
        ("mock/", 1280),
        ("mock/", 450),
        ("mock/zh-CN/", 450),
        ("mock/zh-CN/endpoints/ohmygpt/us-direct/", 1280),
        ("mock/incidents/9/", 450),
        ("stopped/", 1280),
    ],
)
async def test_firefox_shows_the_same(
    browser: Browser, other: Firefox, address: str, page: str, width: int
) -> None:
    url = f"{address}/{page}"
    async with browser.tab(width) as tab:
        await tab.open(url)
        await other.open(url, width)
        for become in ("", DARK):
            if become:
                await asyncio.gather(tab.ask(become), other.ask(become))
            ours, theirs = await tab.ask(look()), await other.ask(look())
            assert differences(ours, theirs)[:3] == []
            assert len(json.loads(ours)) > 10


@pytest.mark.parametrize(
    "css",
    [
        ".verdict { display: block !important }",
        ":root { --ok: #000 !important }",
        ".pick { grid-template-columns: 1fr 1fr 1fr !important }",
        ".chart svg { height: 90px !important }",
    ],
)
async def test_a_style_that_firefox_alone_lacks_is_noticed(
    browser: Browser, other: Firefox, address: str, css: str
) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}/mock/")
        await other.open(f"{address}/mock/", 1280)
        assert differences(await tab.ask(look()), await other.ask(look(css))) != []
