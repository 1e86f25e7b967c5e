"""Make the pictures that shared links show, one a state: `python tests/page/cards.py`, after an icon or colour changed."""

import asyncio
import base64
import re
from pathlib import Path

from browser import Browser, launched
from small import small

from monitor.language import templates
from monitor.page.states import State

FOLDER = Path(str(templates())) / "card"
WIDTH, HEIGHT = 1200, 630
"""What Telegram, Slack and others show whole."""
NAMES = dict(zip(State, ("ok", "maint", "deg", "part", "down", "none"), strict=True))
"""The names of the states' colours in the stylesheet."""


def card(state: State, icons: str, css: str) -> str:
    """The icon of the state on the pulse of the brand, in the dark palette. It has no words, so that one is for all languages."""
    dark = dict(re.findall(r"--([a-z-]+): light-dark\(#\w+, (#\w+)\)", css))
    colour, tint = dark[NAMES[state]], dark[f"{NAMES[state]}-tint"]
    symbol = re.search(rf'<symbol id="i-{state.value}" viewBox="0 0 20 20">(.*?)</symbol>', icons)
    assert symbol is not None
    stroke = "stroke-width: 2; stroke-linecap: round; stroke-linejoin: round"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">
<style>.ink {{ fill: none; stroke: {dark["bg"]}; {stroke} }} .ink-self {{ fill: none; stroke: {colour}; {stroke} }}
.hollow {{ fill: none; stroke: {colour}; stroke-width: 2; stroke-dasharray: 3.2 2.5 }}</style>
<rect width="100%" height="100%" fill="{dark["bg"]}"/><rect width="100%" height="100%" fill="{tint}" opacity=".55"/>
<path d="M0 315h400M800 315h90l45-110 75 220 45-110h145" fill="none" stroke="{colour}" stroke-width="14"
 stroke-linecap="round" stroke-linejoin="round" opacity=".38"/>
<g fill="{colour}" transform="translate(460 175) scale(14)">{symbol[1]}</g></svg>"""


async def draw(browser: Browser, svg: str) -> bytes:
    async with browser.tab(WIDTH) as tab:
        await tab.open("about:blank")
        await tab.ask(f"document.body.style.margin = 0; document.body.innerHTML = `{svg}`")
        clip = {"x": 0, "y": 0, "scale": 1, "width": WIDTH, "height": HEIGHT}
        shot = await tab.do("Page.captureScreenshot", clip=clip)
        return small(base64.b64decode(shot["data"]))


async def main() -> None:
    icons, css = ((templates() / name).read_text() for name in ("icons.svg", "style.css"))
    async with launched() as browser:
        for state in State:
            (FOLDER / f"{state.value}.png").write_bytes(
                await draw(browser, card(state, icons, css))
            )


if __name__ == "__main__":
    asyncio.run(main())
