"""One-word answers as a real model gives them, from public shares."""

from random import Random

from monitor.demo.word_draws import shares
from monitor.probes.answer.one_word import CELLS


def drawn(model: str, count: int, seed: int) -> tuple[str, ...]:
    """So many answers, the cells in turn, as a `WordHistory` keeps them."""
    rng, cells = Random(seed), list(CELLS)
    answers = []
    for number in range(count):
        cell = cells[number % len(cells)]
        counts = shares()[model][cell]
        answers.append(f"{cell} {rng.choices(list(counts), weights=list(counts.values()))[0]}")
    return tuple(answers)
