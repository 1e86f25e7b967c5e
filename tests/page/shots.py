"""Take the pictures: `python tests/page/shots.py FOLDER`, or without one the README's, of the running demo."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

from browser import CHROMIUM, Browser, launched
from page_cast import NOW
from small import small
from worlds import SITES, WORLDS

from monitor.clock import SystemClock
from monitor.demo.past import TROUBLES
from monitor.page import Renderer, formatting, publish, view

DOCS = Path(__file__).parents[2] / "docs"
README, PHONE = DOCS / "page.png", DOCS / "page-phone.png"
FRESH = timedelta(minutes=10)
README_HEIGHT, PHONE_HEIGHT = 2040, 844
MOST_SECONDS = 300
"""More than one cycle of the demo's script."""
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
    browser: Browser,
    page: str,
    width: int,
    *,
    dark: bool = False,
    height: int | None = None,
    then: str = THEN,
) -> bytes:
    """Take a picture of the page at an address; `then` is a script that sets its clock."""
    async with browser.tab(width, dark=dark) as tab:
        await tab.do("Page.addScriptToEvaluateOnNewDocument", source=then)
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await tab.do("Emulation.setEmulatedMedia", features=[still, scheme])
        await tab.open(page)
        await tab.lay_out_all()
        return await tab.picture(height)


async def for_the_readme(
    browser: Browser, home: str, place: str = "", then: str = THEN
) -> dict[Path, bytes]:
    """A third of their bytes without a palette. `home` is where the page is; the phone is at a `place` of it."""
    raw = {
        README: await shoot(browser, f"{home}/index.html", 1280, height=README_HEIGHT, then=then),
        PHONE: await shoot(
            browser,
            f"{home}/zh-CN/{place}index.html",
            390,
            dark=True,
            height=PHONE_HEIGHT,
            then=then,
        ),
    }  # both of one moment, before the work of making them small
    return {to: small(picture) for to, picture in raw.items()}


@contextlib.contextmanager
def running_demo() -> Iterator[str]:
    """Run the demo, and give its address once what is blocked from Shanghai is all that goes on, after other incidents."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "monitor", "demo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + MOST_SECONDS
            while not _is_the_moment(f"http://127.0.0.1:{port}/status.json"):
                if time.monotonic() > end:
                    sys.exit("the demo never was as the pictures want it")
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)


def _is_the_moment(address: str) -> bool:
    try:
        with urllib.request.urlopen(address) as answer:
            incidents = json.load(answer)["incidents"]
    except OSError:  # it has just begun
        return False
    measured = [incident for incident in incidents if incident["id"] > len(TROUBLES)]
    going_on = [incident["severity"] for incident in measured if not incident["closed"]]
    over = {path for incident in measured if incident["closed"] for path in incident["endpoints"]}
    return going_on == ["partial"] and over >= {"demo/us-direct", "demo/fast-cdn"}


async def main(*arguments: str) -> None:
    if CHROMIUM is None:
        sys.exit("chromium is not installed")
    if not arguments:
        async with launched() as browser:
            with running_demo() as home:
                pictures = await for_the_readme(browser, home, "from/cn/", then="")
        for to, picture in pictures.items():
            to.write_bytes(picture)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for world in WORLDS:
            publish(folder / world, rendered(world))
        async with launched() as browser:
            out = Path(arguments[0])
            out.mkdir(parents=True, exist_ok=True)
            for world in arguments[1:] or WORLDS:
                for device, width in WIDTHS.items():
                    for dark in (False, True):
                        for path, code in (("", "en"), ("zh-CN/", "zh")):
                            to = out / f"{world}-{device}-{'dark' if dark else 'light'}-{code}.png"
                            page = folder / world / path / "index.html"
                            to.write_bytes(await shoot(browser, page.as_uri(), width, dark=dark))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
