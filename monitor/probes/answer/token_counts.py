"""Counts prompt tokens of the same texts from day to day, and says what a change of them means. Pure.

A prompt is a frame of eight words, in an order that is new each time so that no cache knows it, with a text in it that is
repeated some times. A line is split into tokens by itself, so that the order of lines changes no count. The tokens of the
frame are what the server counts around every text; those of the repeated texts depend on the tokenizer alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor.model import Failure, FailureKind, TokenHistory
from monitor.model.result import (
    FRAME_SLACK,
    ROUNDING,
    RUNS_UNTIL_USUAL,
    Counts,
    has_same_slopes,
    is_same_count,
)
from monitor.probes.answer.answer_distribution import Shuffler

REPEATS = 3
TEXTS = (
    "云南省东南部的傣族村寨里有人唱歌",
    "🦊🚀🥨🧿🪐🫧",
    "ᚠᚢᚦᚨᚱ ꙮ ⵣⵥ 𐌰𐌱",
    "quantize_histogram(x1, y_min=0.25)",
)
"""One each of Chinese, emoji, rare letters and ASCII: tokenizers differ most in the first three."""
_WORDS = ("time", "year", "people", "way", "day", "man", "thing", "life")
_SHOWN = 3


def prompts(rng: Shuffler) -> list[str]:
    """Return what one run asks: the frame alone as often as there are texts, then the frame with each text."""
    without = [_prompt("", rng) for _ in TEXTS]
    return without + [_prompt(f"{text}\n" * REPEATS, rng) for text in TEXTS]


def _prompt(lines: str, rng: Shuffler) -> str:
    words = "\n".join(rng.sample(_WORDS, len(_WORDS)))
    return f"Say OK. Ignore these notes:\n{words}\n{lines}End."


def counts_of(tokens: Sequence[int]) -> Counts:
    """Make one run's counts of the tokens of its prompts; empty where the same frame, or a text, counts as anything."""
    without, with_text = tokens[: len(TEXTS)], tokens[len(TEXTS) :]
    frame = without[0]
    slopes = tuple(count - frame for count in with_text)
    is_exact = len(slopes) == len(TEXTS) and set(without) == {frame} and min(slopes) > 0
    return (frame, *slopes) if is_exact else ()


def with_counts(history: TokenHistory, counts: Counts, now: datetime) -> TokenHistory:
    """Return the history after one more run.

    The first two runs that agree are the baseline; what a week of runs counted alike replaces it, and so does what
    is only less than it.
    """
    history = replace(history, recent=(*history.recent, counts)[-RUNS_UNTIL_USUAL:])
    latest = history.latest
    if not latest or history.is_as_learned:
        return history
    if not history.baseline or _is_less(history.baseline, latest) or _is_usual(history):
        return replace(history, baseline=latest, since=now)
    return history


def _is_usual(history: TokenHistory) -> bool:
    alike = [counts for counts in history.recent if is_same_count(counts, history.latest)]
    return len(alike) == RUNS_UNTIL_USUAL


def _is_less(before: Counts, now: Counts) -> bool:
    return has_same_slopes(before, now) and now[0] < before[0]


def judge_counts(
    history: TokenHistory, peers: Sequence[tuple[str, TokenHistory]]
) -> Failure | None:
    """Compare what the last two runs counted with the other base URLs, then with what was learned.

    With several other base URLs most of them must differ from this one; one that itself counts otherwise than it
    used to is no measure.
    """
    now = history.latest
    if not now:
        return None
    others = [(name, peer.latest) for name, peer in peers if peer.is_as_learned]
    apart = [(name, theirs) for name, theirs in others if not is_same_count(theirs, now)]
    if 2 * len(apart) > len(others):
        ((usual, _),) = Counter(theirs for _, theirs in apart).most_common(1)
        names = [name for name, theirs in apart if theirs == usual]
        failure = _judge_change(usual, now, ", ".join(names[:_SHOWN]))
        if failure is not None:
            return failure
    if history.since is None:
        return None
    return _judge_change(history.baseline, now, f"{history.since:%Y-%m-%d}")


def _judge_change(before: Counts, now: Counts, whose: str) -> Failure | None:
    """Name the difference of two counts, where the second is no better for who pays."""
    factor = factor_between(before, now)
    if has_same_slopes(before, now) or factor == 1.0:
        if now[0] <= before[0] + FRAME_SLACK:
            return None
        why = f"got {now[0]} tokens counted around a text, want the {before[0]} of {whose}"
        return Failure(FailureKind.PROMPT_INJECTED, why)
    if factor is not None:
        why = f"got {factor:g} times the tokens of {whose} for the same texts, want as many"
        return Failure(FailureKind.OVER_BILLING, why) if factor > 1 else None
    why = f"got {_slopes(now)} tokens for the same texts, want the {_slopes(before)} of {whose}"
    return Failure(FailureKind.TOKENIZER_CHANGED, why)


def factor_between(before: Counts, now: Counts) -> float | None:
    """Return the factor by which every text counts more, as round a number as explains it; None where there is no such factor.

    A bill is rounded to whole tokens, so that each difference may be off by one. It is 1 where no factor is needed.
    """
    pairs = list(zip(before[1:], now[1:], strict=True))
    least = max((after - ROUNDING) / count for count, after in pairs)
    most = min((after + ROUNDING) / count for count, after in pairs)
    if least > most:
        return None
    if least <= 1 <= most:
        return 1.0
    ratio = sum(now[1:]) / sum(before[1:])
    factors = (round(ratio, digits) for digits in range(4))
    return next((factor for factor in factors if least <= factor <= most), ratio)


def note_of(history: TokenHistory) -> str:
    """Say what the last run counted."""
    counts = history.recent[-1]
    if not counts:
        return "cannot be judged: prompt tokens are not counted, differ from call to call, or do not grow with the text"
    return f"{counts[0]} tokens around a text; {_slopes(counts)} for {REPEATS} repeats of each"


def _slopes(counts: Counts) -> str:
    return "/".join(map(str, counts[1:]))
