"""Make the PNG icons out of the SVG one: `python tests/page/favicons.py`, after it changed."""

import asyncio
import base64
import re
from pathlib import Path

from browser import Browser, launched

from monitor.language import ENGLISH, templates
from monitor.page.render import environment
from monitor.page.render_cache import RenderCache
from monitor.page.states import State

FOLDER = Path(str(templates())) / "favicon"


def for_phones(svg: str) -> str:
    """They round the corners themselves, and paint black what is transparent: the ground reaches the edge."""
    ground = re.search(r'fill="(#\w+)"', svg)
    assert ground is not None
    whole = f'<rect width="32" height="32" fill="{ground[1]}"/>'
    inner = re.sub(
        r"<rect [^>]*/>", f'{whole}<g transform="translate(3.2 3.2) scale(.8)">', svg, count=1
    )
    return inner.replace("</svg>", "</g></svg>")


async def draw(browser: Browser, svg: str, size: int) -> bytes:
    """Transparent around it."""
    async with browser.tab() as tab:
        clear = {"r": 0, "g": 0, "b": 0, "a": 0}
        await tab.do("Emulation.setDefaultBackgroundColorOverride", color=clear)
        await tab.open("about:blank")
        image = svg.replace("<svg ", f'<svg width="{size}" height="{size}" ', 1)
        await tab.ask(
            f"document.body.style.margin = 0; document.body.innerHTML = `{image}`; document.body.firstChild.style.display = 'block'"
        )
        clip = {"x": 0, "y": 0, "scale": 1, "width": size, "height": size}
        shot = await tab.do("Page.captureScreenshot", clip=clip)
        return base64.b64decode(shot["data"])


async def main() -> None:
    icon = environment(templates(), ENGLISH, RenderCache()).get_template("favicon.svg")
    async with launched() as browser:
        for state in State:
            svg = icon.render(state=state)
            (FOLDER / f"{state.value}.png").write_bytes(await draw(browser, svg, 32))
            large = await draw(browser, for_phones(svg), 180)
            (FOLDER / f"{state.value}-180.png").write_bytes(large)


if __name__ == "__main__":
    asyncio.run(main())
