"""What whole pages say, as text: `tests/page/golden/*.txt` (`pytest --golden` rewrites them)."""

from pathlib import Path

import pytest
from page_text import page_text
from worlds import SITES, WORLDS

from monitor.page import Renderer, view

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize(
    ("golden", "world", "path"),
    [
        ("mock.txt", "mock", "index.html"),
        ("mock.zh-CN.txt", "mock", "zh-CN/index.html"),
        ("endpoint.txt", "told", "endpoints/ohmygpt/us-direct/index.html"),
        ("incident.zh-CN.txt", "mock", "zh-CN/incidents/9/index.html"),
        ("places.txt", "places", "index.html"),
        ("places.zh-CN.txt", "places", "zh-CN/index.html"),
        ("from-shanghai.txt", "places", "from/cn/index.html"),
    ],
)
def test_pages_say_what_they_said(
    renderer: Renderer, golden: str, world: str, path: str, request: pytest.FixtureRequest
) -> None:
    files = renderer.files(view(SITES[world], WORLDS[world](), {})[0])
    text = page_text(files[path].decode())
    kept = GOLDEN / golden
    if request.config.getoption("--golden"):
        kept.write_text(text)
    assert text == kept.read_text(), "if that is meant: pytest --golden, then look at the diff"
