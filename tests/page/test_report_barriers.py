"""The file of a report keeps nobody out: axe-core, html-validate, paper, a narrow phone."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from barriers import has_no_barrier, is_valid, load_axe
from browser import Browser
from listening import listening
from report_cast import founding, hostile, html, listed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]
FILES = {
    f"{name}-{code}.html": (report, code)
    for name, report in (("founding", founding), ("hostile", hostile))
    for code in ("en", "zh-CN")
}


def write(folder: Path) -> None:
    for name, (report, code) in FILES.items():
        (folder / name).write_text(html(report(), code))
    for name, content in (*listed("en").items(), *listed("zh-CN").items()):
        (folder / name).write_bytes(content)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reports(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    folder = tmp_path_factory.mktemp("reports")
    write(folder)
    app = web.Application()
    app.router.add_static("/", folder)
    async with listening(app) as url:
        yield url


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desktop", "phone"])
async def test_axe_finds_no_barrier_in_a_report(
    browser: Browser, reports: str, width: int, dark: bool
) -> None:
    async with browser.tab(width, dark=dark) as tab:
        for name in (*FILES, "list-en.html", "list-zh-CN.html"):
            await tab.open(f"{reports}/{name}")
            await load_axe(tab)
            await has_no_barrier(tab, name, rules=15)
            wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert await tab.ask(wide), name
        assert tab.complaints == []


async def test_the_html_of_a_report_is_valid(tmp_path: Path) -> None:
    write(tmp_path)
    is_valid(tmp_path)


async def test_on_paper_a_report_takes_three_pages_and_nothing_is_cut(
    browser: Browser, reports: str
) -> None:
    async with browser.tab() as tab:
        for code in ("en", "zh-CN"):
            await tab.open(f"{reports}/founding-{code}.html")
            printed = await tab.pdf()
            assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 3
            await tab.do("Emulation.setEmulatedMedia", media="print")
            cut = "[...document.querySelectorAll('.wide')].some(e => e.scrollWidth > e.clientWidth + 1)"
            assert not await tab.ask(cut)
