"""No two states look alike to those who see fewer colours: simulated, then measured in OKLab. Pure.

Simulation, on linear RGB: Viénot, Brettel and Mollon 1999; for tritanopia, which one plane does not fit,
the two of Brettel, Viénot and Mollon 1997 (in the figures of libDaltonLens). Difference: OKLab by Björn
Ottosson, times 100.
"""

import re
from itertools import combinations
from pathlib import Path

import pytest

from monitor.language import templates

TOKENS = ("ok", "deg", "part", "down", "maint", "none")
Colour = tuple[float, ...]
Matrix = tuple[Colour, ...]
TO_LMS: Matrix = (
    (17.8824, 43.5161, 4.11935),
    (3.45565, 27.1554, 3.86714),
    (0.0299566, 0.184309, 1.46709),
)
FROM_LMS: Matrix = (
    (0.0809444479, -0.130504409, 0.116721066),
    (-0.0102485335, 0.0540193266, -0.113614708),
    (-0.000365296938, -0.00412161469, 0.693511405),
)
SEEN: dict[str, Matrix] = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0, 2.02344, -2.52581), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": ((1, 0, 0), (0.494207, 0, 1.24827), (0, 0, 1)),
}
TRITAN_PLANES: tuple[Matrix, Matrix] = (
    ((1.01277, 0.13548, -0.14826), (-0.01243, 0.86812, 0.14431), (0.07589, 0.80500, 0.11911)),
    ((0.93678, 0.18979, -0.12657), (0.06154, 0.81526, 0.12320), (-0.37562, 1.12767, 0.24796)),
)
TRITAN_SIDE: Matrix = ((0.03901, -0.02788, -0.01113),)
SIGHTS = (*SEEN, "tritanopia")
CONES: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
LAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def times(matrix: Matrix, colour: Colour) -> Colour:
    return tuple(sum(a * b for a, b in zip(row, colour, strict=True)) for row in matrix)


def linear(code: str) -> Colour:
    shares = (int(code[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)


def simulated(colour: Colour, sight: str) -> Colour:
    if sight == "tritanopia":
        (side,) = times(TRITAN_SIDE, colour)
        return times(TRITAN_PLANES[side < 0], colour)
    return times(FROM_LMS, times(SEEN[sight], times(TO_LMS, colour)))


def as_seen(colour: Colour, sight: str) -> Colour:
    rgb = simulated(colour, sight)
    cones = times(CONES, tuple(min(1.0, max(0.0, channel)) for channel in rgb))
    return times(LAB, tuple(cone ** (1 / 3) for cone in cones))


def palette(theme: int) -> dict[str, Colour]:
    """The fills of the states as the style sheet has them: 0 in light, 1 in dark."""
    css = (Path(str(templates())) / "style.css").read_text()
    pairs = {
        name: re.findall(rf"--{name}:\s*light-dark\(#([0-9a-f]{{6}}),\s*#([0-9a-f]{{6}})\)", css)
        for name in TOKENS
    }
    return {name: linear(values[0][theme]) for name, values in pairs.items()}


def nearest(colours: dict[str, Colour], sight: str) -> float:
    perceived = [as_seen(colour, sight) for colour in colours.values()]
    return min(
        100 * sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5
        for first, second in combinations(perceived, 2)
    )


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_every_two_states_differ_enough(sight: str, theme: int) -> None:
    assert nearest(palette(theme), sight) >= 8


@pytest.mark.parametrize(
    ("sight", "one", "other"),
    [
        ("deuteranopia", "b05a00", "7a7a00"),
        ("protanopia", "804000", "405000"),
        ("tritanopia", "4c62c9", "616c79"),
    ],
)
def test_two_that_look_alike_would_have_been_found(sight: str, one: str, other: str) -> None:
    alike = {one: linear(one), other: linear(other)}
    assert nearest(alike, "all colours") >= 8
    assert nearest(alike, sight) < 8


@pytest.mark.parametrize("sight", SIGHTS)
def test_white_and_grey_are_seen_as_they_are(sight: str) -> None:
    for grey in ("ffffff", "808080", "202020"):
        perceived, real = as_seen(linear(grey), sight), as_seen(linear(grey), "all colours")
        assert perceived == pytest.approx(real, abs=2e-3)
