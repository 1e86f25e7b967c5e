"""Draws one-word answers as real models give them. Pure: randomness is an argument.

The shares are public data under CC-BY-4.0; the file names its source.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from random import Random

from monitor.demo.api_common import CHAT_MODELS

PLAYED_BY = dict(zip(CHAT_MODELS, ("gpt-4o-mini", "gpt-4o"), strict=True))
"""Whose answers a simulated model gives."""
_CELLS: Mapping[str, re.Pattern[str]] = {
    "number-zh": re.compile(r"1到100|不大于100"),
    "number": re.compile(r"number\b.*\b100\b|\b100\b.*number", re.IGNORECASE),
    "colour": re.compile(r"(?:name|pick|which|say) (?:a |any |one )?colou?r\b", re.IGNORECASE),
    "animal": re.compile(r"\banimal\b", re.IGNORECASE),
    "city": re.compile(r"\bcity\b", re.IGNORECASE),
    "letter": re.compile(r"\bletter\b", re.IGNORECASE),
}


@cache
def shares() -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """Return how often each word came, by model and cell."""
    text = files(__package__).joinpath("one_word_answers.json").read_text(encoding="utf-8")
    models: Mapping[str, Mapping[str, Mapping[str, int]]] = json.loads(text)["models"]
    return models


def draw(question: str, model: str, rng: Random) -> str | None:
    """Return a word as `model` would choose it; None where the question does not ask for one."""
    cell = next((name for name, pattern in _CELLS.items() if pattern.search(question)), None)
    if cell is None or model not in PLAYED_BY:
        return None
    counts = shares()[PLAYED_BY[model]][cell]
    return rng.choices(list(counts), weights=list(counts.values()))[0]
