"""How often a substituted model is seen by its one-word answers, and how often an honest one is suspected.

    python tests/bench/identity.py [HISTORIES [MONTHS]]

Each trial is one seeded history of the `identity` probe: 144 answers for the baseline and 96 more, which is five days.
The answers are drawn from public shares of eight models, and swapped as the simulated service swaps them. A month is one
of an honest service with two base URLs after its baseline, judged after each of its 1,440 answers as the probe judges it.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from random import Random

from harness import Table

from monitor.demo.faults import SimulatedFault
from monitor.demo.substitution import other_answers
from monitor.demo.word_draws import shares
from monitor.model import WordHistory
from monitor.model.result import WORDS_OF_BASELINE, WORDS_OF_WINDOW
from monitor.probes.answer.one_word import CELLS, judge_words

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from drawn_words import drawn  # beside the tests of the probe

MODELS = tuple(shares())
PAIRS = tuple(permutations(MODELS, 2))
EVERY_S, MONTH = 1800, 1440
"""Seconds from answer to answer, and answers in 30 days."""
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
Suspected = Callable[[str, str, Random], bool]
"""Plays one history in which the second model stands in for the first, and says whether it is suspected."""


def main() -> int:
    given = [int(number) for number in sys.argv[1:]]
    trials, months = [*given, *(56, 0)[len(given) :]]
    table = Table(f"identity, {trials:,} seeded histories a row")
    for name, suspected, pairs in (
        ("an honest base URL against its own past", substituted, honest()),
        ("an honest base URL beside another", beside_another, honest()),
        ("a substitute at all base URLs", substituted, PAIRS),
        ("a substitute at one of two base URLs", beside_another, PAIRS),
        ("an honest one of two, beside a substitute", beside_a_substitute, PAIRS),
        ("two models in turn, an hour each", playing(SimulatedFault.SUBSTITUTED_IN_TURN), PAIRS),
        (
            "another model in 20 % of the answers",
            playing(SimulatedFault.SUBSTITUTED_SOMETIMES),
            PAIRS,
        ),
        ("another model in half of the answers", half, PAIRS),
    ):
        seen = sum(
            suspected(*pairs[trial % len(pairs)], Random(f"{name}{trial}"))
            for trial in range(trials)
        )
        table.add(name, 100 * seen / trials, "% suspected")
    if months:
        runs = [honest_month(MODELS[month % len(MODELS)], month) for month in range(months)]
        share = 100 * sum(map(bool, runs)) / months
        table.add(f"in a month, an honest base URL ({months:,} months)", share, "% ever suspected")
        table.add("the same, of all runs", 100 * sum(runs) / months / MONTH, "% suspected")
    return table.print()


def honest() -> tuple[tuple[str, str], ...]:
    return tuple((model, model) for model in MODELS)


def substituted(model: str, other: str, rng: Random) -> bool:
    recent = drawn(other, 2 * WORDS_OF_WINDOW, rng.getrandbits(32))
    return against_past(model, recent, rng)


def beside_another(model: str, other: str, rng: Random) -> bool:
    mine, theirs = (
        WordHistory(recent=drawn(each, 2 * WORDS_OF_WINDOW, rng.getrandbits(32)))
        for each in (other, model)
    )
    return judge_words(mine, [("the other", theirs)], rng) is not None


def beside_a_substitute(model: str, other: str, rng: Random) -> bool:
    """Both were learned while they were honest."""
    mine, theirs = (
        WordHistory(
            baseline=drawn(model, WORDS_OF_BASELINE, rng.getrandbits(32)),
            since=SINCE,
            recent=drawn(answering, 2 * WORDS_OF_WINDOW, rng.getrandbits(32)),
        )
        for answering in (model, other)
    )
    return judge_words(mine, [("the other", theirs)], rng) is not None


def playing(fault: SimulatedFault) -> Suspected:
    def suspected(model: str, other: str, rng: Random) -> bool:
        def answering(at: int) -> str:
            return other if other_answers(fault, at * EVERY_S, rng) else model

        return against_past(model, tuple(answers(answering, rng, 2 * WORDS_OF_WINDOW)), rng)

    return suspected


def half(model: str, other: str, rng: Random) -> bool:
    recent = answers(lambda _: other if rng.random() < 0.5 else model, rng, 2 * WORDS_OF_WINDOW)
    return against_past(model, tuple(recent), rng)


def answers(model_at: Callable[[int], str], rng: Random, count: int) -> Iterator[str]:
    """Yield so many answers, each by the model that answers at its place."""
    cells = list(CELLS)
    for place in range(count):
        cell = cells[place % len(cells)]
        counts = shares()[model_at(place)][cell]
        yield f"{cell} {rng.choices(list(counts), weights=list(counts.values()))[0]}"


def against_past(model: str, recent: tuple[str, ...], rng: Random) -> bool:
    baseline = drawn(model, WORDS_OF_BASELINE, rng.getrandbits(32))
    words = WordHistory(baseline=baseline, since=SINCE, recent=recent)
    return judge_words(words, [], rng) is not None


def honest_month(model: str, seed: int) -> int:
    """Return in how many runs of a month after its baseline a base URL is suspected, beside another of the same model."""
    rng = Random(f"month {seed}")
    mine, theirs = (
        (
            drawn(model, WORDS_OF_BASELINE, rng.getrandbits(32)),
            drawn(model, MONTH, rng.getrandbits(32)),
        )
        for _ in range(2)
    )
    seen = 0
    for end in range(2 * WORDS_OF_WINDOW, MONTH + 1):
        words, peer = (
            WordHistory(
                baseline=baseline, since=SINCE, recent=recent[end - 2 * WORDS_OF_WINDOW : end]
            )
            for baseline, recent in (mine, theirs)
        )
        seen += judge_words(words, [("the other", peer)], rng) is not None
    return seen


if __name__ == "__main__":
    sys.exit(main())
