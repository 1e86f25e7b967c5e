"""How often a substituted model is seen by its one-word answers, and how often an honest one is suspected.

    python tests/bench/identity.py [DAYS]

Each trial is one seeded history of the `identity` probe: 144 answers for the baseline and 96 more, which is five days.
The answers are drawn from public shares of eight models.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from random import Random

from harness import Table

from monitor.demo.word_draws import shares
from monitor.model import WordHistory
from monitor.probes.answer.one_word import BASELINE, CELLS, WINDOW, judge_words

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from drawn_words import drawn  # beside the tests of the probe

MODELS = tuple(shares())
PAIRS = tuple(permutations(MODELS, 2))
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
Suspected = Callable[[str, str, Random], bool]
"""Plays one history in which the second model stands in for the first, and says whether it is suspected."""


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 56
    table = Table(f"identity, {trials:,} seeded histories a row")
    for name, suspected, pairs in (
        ("an honest base URL against its own past", substituted, honest()),
        ("an honest base URL beside another", beside_another, honest()),
        ("a substitute at all base URLs", substituted, PAIRS),
        ("a substitute at one of two base URLs", beside_another, PAIRS),
        ("an honest one of two, beside a substitute", beside_a_substitute, PAIRS),
        ("two models in turn, an hour each", in_turn, PAIRS),
        ("another model in 20 % of the answers", mixed(0.2), PAIRS),
        ("another model in half of the answers", mixed(0.5), PAIRS),
    ):
        seen = sum(
            suspected(*pairs[trial % len(pairs)], Random(f"{name}{trial}"))
            for trial in range(trials)
        )
        table.add(name, 100 * seen / trials, "% suspected")
    return table.print()


def honest() -> tuple[tuple[str, str], ...]:
    return tuple((model, model) for model in MODELS)


def substituted(model: str, other: str, rng: Random) -> bool:
    recent = drawn(other, 2 * WINDOW, rng.getrandbits(32))
    return against_past(model, recent, rng)


def beside_another(model: str, other: str, rng: Random) -> bool:
    mine, theirs = (
        WordHistory(recent=drawn(each, 2 * WINDOW, rng.getrandbits(32))) for each in (other, model)
    )
    return judge_words(mine, [("the other", theirs)], rng) is not None


def beside_a_substitute(model: str, other: str, rng: Random) -> bool:
    """Both were learned while they were honest."""
    mine, theirs = (
        WordHistory(
            baseline=drawn(model, BASELINE, rng.getrandbits(32)),
            since=SINCE,
            recent=drawn(answering, 2 * WINDOW, rng.getrandbits(32)),
        )
        for answering in (model, other)
    )
    return judge_words(mine, [("the other", theirs)], rng) is not None


def in_turn(model: str, other: str, rng: Random) -> bool:
    return against_past(model, tuple(answers(lambda at: other if at // 2 % 2 else model, rng)), rng)


def mixed(share: float) -> Suspected:
    def suspected(model: str, other: str, rng: Random) -> bool:
        recent = tuple(answers(lambda _: other if rng.random() < share else model, rng))
        return against_past(model, recent, rng)

    return suspected


def answers(model_at: Callable[[int], str], rng: Random) -> Iterator[str]:
    """Yield two windows of answers, each by the model that answers at its place."""
    cells = list(CELLS)
    for place in range(2 * WINDOW):
        cell = cells[place % len(cells)]
        counts = shares()[model_at(place)][cell]
        yield f"{cell} {rng.choices(list(counts), weights=list(counts.values()))[0]}"


def against_past(model: str, recent: tuple[str, ...], rng: Random) -> bool:
    baseline = drawn(model, BASELINE, rng.getrandbits(32))
    words = WordHistory(baseline=baseline, since=SINCE, recent=recent)
    return judge_words(words, [], rng) is not None


if __name__ == "__main__":
    sys.exit(main())
