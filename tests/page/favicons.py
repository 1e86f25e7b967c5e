"""Make the PNG icons out of the SVG one: `python tests/page/favicons.py`, after it changed."""

import asyncio
import base64
from pathlib import Path

from browser import Browser, launched

from monitor.language import ENGLISH, templates
from monitor.page.render import environment
from monitor.page.states import State

FOLDER = Path(str(templates())) / "favicon"


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
    icon = environment(templates(), ENGLISH).get_template("favicon.svg")
    async with launched() as browser:
        for state in State:
            png = await draw(browser, icon.render(state=state), 32)
            (FOLDER / f"{state.value}.png").write_bytes(png)


if __name__ == "__main__":
    asyncio.run(main())
