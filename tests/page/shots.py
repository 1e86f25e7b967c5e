"""Take the pictures: `python tests/page/shots.py [FOLDER]`, or without one the README's docs/page.png."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from worlds import SITE, WORLDS

from monitor.clock import SystemClock
from monitor.page import Renderer, publish, view, words

README = Path(__file__).parents[2] / "docs" / "page.png"
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
SIZES = {"desktop": "1280,1900", "phone": "390,2400"}


def shoot(page: Path, to: Path, size: str, *, dark: bool = False) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("chromium is not installed")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                *QUIET,
                scheme,
                f"--user-data-dir={profile}",
                f"--window-size={size}",
                f"--screenshot={to}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


def write(world: str, folder: Path) -> Path:
    """The page as if it had just been made: its script would call the world of the tests stale."""
    found = dict(Renderer().files(view(SITE, WORLDS[world](), {})[0]))
    now = words.iso(SystemClock().now()).encode()
    found["index.html"] = re.sub(
        rb'data-generated="[^"]*"', b'data-generated="%s"' % now, found["index.html"], count=1
    )
    publish(folder / world, found)
    return folder / world / "index.html"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        if len(sys.argv) == 1:
            shoot(write("mixed", Path(name)), README, "1280,1560")
            return
        out = Path(sys.argv[1])
        out.mkdir(parents=True, exist_ok=True)
        for world in WORLDS:
            page = write(world, Path(name))
            for device, size in SIZES.items():
                for dark in (False, True):
                    shoot(
                        page,
                        out / f"{world}-{device}-{'dark' if dark else 'light'}.png",
                        size,
                        dark=dark,
                    )


if __name__ == "__main__":
    main()
