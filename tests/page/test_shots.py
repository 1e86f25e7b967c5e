"""The README's pictures: small, the same each time, and as good as what was photographed."""

from collections import Counter
from pathlib import Path

import pytest
from browser import CHROMIUM, launched
from shots import PHONE, PHONE_HEIGHT, README, README_HEIGHT, for_the_readme, rendered, shoot
from small import COLOURS, Colour, pixels, places_of, small

from monitor.page import publish


def test_what_the_readme_shows_has_a_palette_and_loads_quickly() -> None:
    for picture, size, most in (
        (README, (1280, README_HEIGHT), 160_000),
        (PHONE, (390, PHONE_HEIGHT), 50_000),
    ):
        png = picture.read_bytes()
        assert pixels(png)[:2] == size
        assert png[25] == 3, "a palette, not three bytes for each pixel"
        assert len(png) <= most


def test_few_colours_stay_as_they_are() -> None:
    few = Counter({(n, 255 - n, n // 2): 1 + n for n in range(COLOURS)})
    assert places_of(few) == {colour: colour for colour in few}


def test_of_many_colours_like_ones_become_one_and_the_frequent_ones_stay() -> None:
    ground, ink = (246, 247, 249), (16, 22, 29)
    shades: list[Colour] = [(n, n // 2, (7 * n) % 256) for n in range(256)]
    shades += [(n, 255 - n, (3 * n) % 256) for n in range(256)]
    many = Counter(dict.fromkeys(shades, 1)) + Counter({ground: 90_000, ink: 4_000})
    places = places_of(many)
    assert (places[ground], places[ink]) == (ground, ink)
    assert len(set(places.values())) <= COLOURS < len(places)
    assert (
        max(abs(a - b) for one, two in places.items() for a, b in zip(one, two, strict=True)) < 40
    )


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_taken_twice_they_are_the_same_and_show_what_the_browser_drew(tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    publish(tmp_path, rendered("mock"))
    async with launched() as browser:
        first = await for_the_readme(browser, tmp_path.as_uri())
        assert first == await for_the_readme(browser, tmp_path.as_uri())
        raw = await shoot(browser, (tmp_path / "index.html").as_uri(), 390, height=300)
    width, height, drawn = pixels(raw)
    again = pixels(small(raw))
    assert again[:2] == (width, height) == (390, 300)
    off = sorted(
        max(abs(a - b) for a, b in zip(one, two, strict=True))
        for one, two in zip(drawn, again[2], strict=True)
    )
    assert len(set(drawn)) > COLOURS >= len(set(again[2]))
    assert off[len(off) * 999 // 1000] < 24, "999 pixels of 1000 look the same"
    assert len(small(raw)) < len(raw) / 2
