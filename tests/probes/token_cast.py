"""What real tokenizers make of the texts of a `tokenizer` probe, counted with them; and histories of such counts."""

from datetime import UTC, datetime

from monitor.model import TokenHistory
from monitor.model.result import Counts

SINCE = datetime(2026, 11, 2, tzinfo=UTC)
TOKENIZERS = {
    "cl100k": (25, 72, 57, 102, 39),
    "o200k": (25, 48, 51, 102, 42),
    "p50k": (26, 96, 57, 105, 54),
    "claude-2": (26, 66, 54, 96, 48),
    "llama-2": (28, 69, 75, 108, 60),
    "llama-3": (25, 51, 57, 99, 39),
    "mistral-7b": (28, 69, 66, 108, 57),
}
"""Of the tokenizers that are public."""


def learned(counts: tuple[int, ...]) -> TokenHistory:
    return TokenHistory(baseline=counts, since=SINCE, recent=(counts, counts))


def changed(before: tuple[int, ...], now: tuple[int, ...]) -> TokenHistory:
    """Learned from one, and counted as another twice since."""
    return TokenHistory(baseline=before, since=SINCE, recent=(before, now, now))


def billed(counts: Counts, factor: float, rounded: object = round) -> Counts:
    """Return the counts of a bill that multiplies the tokens of each call."""
    frame, *slopes = counts
    calls = [rounded(factor * tokens) for tokens in (frame, *(frame + each for each in slopes))]  # type: ignore[operator]
    return (calls[0], *(each - calls[0] for each in calls[1:]))
