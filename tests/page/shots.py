"""Take the pictures: `python tests/page/shots.py FOLDER`, or without one the README's."""

import asyncio
import re
import sys
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

from browser import CHROMIUM, Browser, launched
from page_cast import NOW
from small import small
from worlds import SITES, WORLDS

from monitor.clock import SystemClock
from monitor.page import Renderer, formatting, publish, view

DOCS = Path(__file__).parents[2] / "docs"
README, PHONE = DOCS / "page.png", DOCS / "page-phone.png"
FRESH = timedelta(minutes=10)
WIDTHS = {"desktop": 1280, "phone": 390}


def files(world: str) -> Mapping[str, bytes]:
    return as_if_new(rendered(world))


@cache
def rendered(world: str) -> Mapping[str, bytes]:
    return Renderer().files(view(SITES[world], WORLDS[world](), {})[0])


def as_if_new(
    files: Mapping[str, bytes], years: int = 0, ago: timedelta = timedelta()
) -> Mapping[str, bytes]:
    """As if just made, or some time ago, or years later: the script would rightly call the worlds stale."""
    now = SystemClock().now() - ago
    now = now.replace(year=now.year + years, day=1) if years else now
    generated, fresh = formatting.iso(now).encode(), formatting.iso(now + FRESH).encode()
    return {name: _dated(content, generated, fresh) for name, content in files.items()}


def _dated(content: bytes, generated: bytes, fresh: bytes) -> bytes:
    content = re.sub(
        rb'data-generated="[^"]*"', b'data-generated="%s"' % generated, content, count=1
    )
    content = re.sub(rb'(id="measured" datetime=)"[^"]*"', rb'\1"%s"' % generated, content, count=1)
    return re.sub(rb'data-fresh-until="[^"]*"', b'data-fresh-until="%s"' % fresh, content, count=1)


THEN = f"Date.now = () => {round(NOW.timestamp() + 8)} * 1000"
"""Eight seconds after each world: the same picture whenever it is taken."""


async def shoot(
    browser: Browser, page: Path, width: int, *, dark: bool = False, height: int | None = None
) -> bytes:
    async with browser.tab(width, dark=dark) as tab:
        await tab.do("Page.addScriptToEvaluateOnNewDocument", source=THEN)
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await tab.do("Emulation.setEmulatedMedia", features=[still, scheme])
        await tab.open(page.as_uri())
        await tab.lay_out_all()
        return await tab.picture(height)


async def for_the_readme(browser: Browser, home: Path) -> dict[Path, bytes]:
    """A third of their bytes without a palette."""
    return {
        README: small(await shoot(browser, home / "index.html", 1280, height=1180)),
        PHONE: small(await shoot(browser, home / "zh-CN/index.html", 390, dark=True, height=844)),
    }


async def main(*arguments: str) -> None:
    if CHROMIUM is None:
        sys.exit("chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for world in WORLDS:
            publish(folder / world, rendered(world))
        async with launched() as browser:
            if not arguments:
                for to, picture in (await for_the_readme(browser, folder / "mock")).items():
                    to.write_bytes(picture)
                return
            out = Path(arguments[0])
            out.mkdir(parents=True, exist_ok=True)
            for world in arguments[1:] or WORLDS:
                for device, width in WIDTHS.items():
                    for dark in (False, True):
                        for path, code in (("", "en"), ("zh-CN/", "zh")):
                            to = out / f"{world}-{device}-{'dark' if dark else 'light'}-{code}.png"
                            page = folder / world / path / "index.html"
                            to.write_bytes(await shoot(browser, page, width, dark=dark))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
