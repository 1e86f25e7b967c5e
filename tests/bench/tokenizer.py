"""How often a `tokenizer` probe tells what changed, by its name, and how often it says something of an honest base URL.

    python tests/bench/tokenizer.py [HISTORIES]

Each history is a month of an honest base URL, whose prompts are a token longer on one day in ten, as with a date in them,
and then two days of what the row says. The counts are those of seven public tokenizers.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from harness import Table

from monitor.model import TokenHistory
from monitor.model.result import Counts
from monitor.probes.answer.token_counts import counts_of, judge_counts, with_counts

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from token_cast import TOKENIZERS, billed  # beside the tests of the probe

DAYS = 30
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
CHANGED_DAYS = 2
Change = Callable[[Counts, Random, Random], Counts]
"""Says what honest counts become: by one source of chance that is the same on each day, and by the day's own."""


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    table = Table(f"tokenizer, {trials:,} seeded histories a row")
    rows: tuple[tuple[str, Change, str], ...] = (
        ("an honest base URL", unchanged, "anything"),
        ("another tokenizer", another, "tokenizer_changed"),
        ("6 to 2,000 tokens before each prompt", longer, "prompt_injected"),
        ("a bill that is 3 to 300 % higher", dearer(1.03, 4), "over_billing"),
        ("a bill that is 1 % higher", dearer(1.01, 1.01), "over_billing"),
        ("a higher bill and a longer prompt at once", both, "over_billing"),
        ("another tokenizer in a fifth of the calls", mixed, "tokenizer_changed"),
    )
    other = 0
    for name, change, kind in rows:
        histories = [history_told(change, Random(f"{name}{trial}")) for trial in range(trials)]
        told = sum(kind in days for days in histories)
        other += sum(any(days[:DAYS]) or bool({*days} - {kind, ""}) for days in histories)
        table.add(name, 100 * told / trials, "% told")
    table.add("of all, in which something else was told", other, "histories")
    return table.print()


def history_told(change: Change, rng: Random) -> list[str]:
    """Return what each day says, the last of which are changed; empty for nothing."""
    honest, seed = rng.choice([*TOKENIZERS.values()]), rng.getrandbits(32)
    history, told = TokenHistory(), []
    for day in range(DAYS + CHANGED_DAYS):
        frame, *slopes = honest
        counts: Counts = (frame + (rng.random() < 0.1), *slopes)
        if day >= DAYS:
            counts = change(counts, Random(seed), rng)
        history = with_counts(history, counts, SINCE + timedelta(days=day))
        failure = judge_counts(history, [])
        told.append(failure.kind.value if failure else "")
    return told


def unchanged(counts: Counts, _what: Random, _day: Random) -> Counts:
    return counts


def another(counts: Counts, what: Random, _day: Random) -> Counts:
    return what.choice([theirs for theirs in TOKENIZERS.values() if theirs[1:] != counts[1:]])


def longer(counts: Counts, what: Random, _day: Random) -> Counts:
    return (counts[0] + what.randint(6, 2000), *counts[1:])


def dearer(least: float, most: float) -> Change:
    return lambda counts, what, _day: billed(counts, what.uniform(least, most))


def both(counts: Counts, what: Random, day: Random) -> Counts:
    return dearer(1.03, 4)(longer(counts, what, day), what, day)


def mixed(counts: Counts, what: Random, day: Random) -> Counts:
    """Each of the eight calls is answered by one or the other."""
    other = another(counts, what, day)
    frames = [(other if day.random() < 0.2 else counts)[0] for _ in counts[1:]]
    texts = [
        theirs[0] + theirs[place]
        for place in range(1, len(counts))
        for theirs in [other if day.random() < 0.2 else counts]
    ]
    return counts_of([*frames, *texts])


if __name__ == "__main__":
    sys.exit(main())
