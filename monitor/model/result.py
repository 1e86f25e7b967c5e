"""One run of a check, what the check learned from it, and when a certificate ends soon."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from monitor.model.catalogue import NO_CATALOGUE, Catalogue
from monitor.model.duration import format_duration
from monitor.model.failure import Failure, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Milliseconds on the monotonic clock; None where the figure does not apply.

    `dns`, `connect` (TCP only) and `tls` are the durations of their phases; the others run from
    the moment the request was made. `ttft` is the first non-empty text, reasoning, refusal or tool
    argument; `ttft_visible` the first visible text.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    ttfb: float | None = None
    ttft: float | None = None
    ttft_visible: float | None = None
    total: float | None = None


TIMING_NAMES = ("dns", "connect", "tls", "ttfb", "ttft", "ttft_visible", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The course of a stream. Gaps are between content events, not bytes: heartbeats do not count.

    `tokens_per_s` is (tokens out - tokens of the first content event) / (last - first token); None
    where tokens are estimated, under 32 of them, under 200 ms, or when the stream came in a burst.
    """

    events: int = 0
    content_chunks: int = 0
    tokens_out: int | None = None
    tokens_estimated: bool = False
    tokens_per_s: float | None = None
    stall_max_ms: float | None = None
    icl_p50_ms: float | None = None
    icl_p95_ms: float | None = None
    finish_reason: str | None = None
    complete: bool = False
    heartbeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that the answer reported; `cost_usd` from `[price]` x multiplier, if priced."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The money that a `balance` probe read; nothing of it is public."""

    amount: float | None
    """None for a key without a limit: what the account has is not told."""
    currency: str
    """Its code in ISO 4217."""
    of_key: bool = False
    """The key's own limit, which may be more than the account has."""
    days_left: float | None = None
    """How long it lasts at the rate of the last days; None where that is not known."""
    is_refilled: bool = False
    """There is money, and within the last days there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of one run; `at` is when it asked. Whether it is believed is decided elsewhere."""

    check: str
    vantage: str
    at: datetime
    outcome: Outcome
    failure: Failure | None = None
    timings: Timings = field(default_factory=Timings)
    http_status: int | None = None
    remote_ip: str | None = None
    model: str | None = None
    stream: Stream | None = None
    usage: Usage | None = None
    cert_expires: datetime | None = None
    cert_lifetime: timedelta | None = None
    """From its first moment to its last; judged at once, and not stored."""
    retry_after: timedelta | None = None
    """The pause that the server asked for; only read on 408, 429 and 5xx."""
    late_ms: float = 0.0
    """The time from the moment when the run was due to its beginning."""
    trusted_timings: bool = True
    """False where our own event loop lagged during the run: such timings stay out of statistics."""
    balance: Balance | None = None
    """Judged at once, and not stored: the habit has the last ones."""
    promise_kept: bool | None = None
    """Whether several runs together say that what the probe tests is kept; None: they do not say, or one run is enough.

    Judged at once, and not stored.
    """


WORDS_OF_BASELINE = 144
"""Words of the baseline: three days of a probe every 30 minutes."""
WORDS_OF_WINDOW = 48
"""Answers that are compared at a time: one day. 24 would see a substitute in nine of ten cases only."""
MOST_EMPTY_WORDS = 0.2
"""With a larger share of empty answers a window cannot be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordHistory:
    """The one-word answers of an `identity` probe, oldest first, each as `CELL WORD`; no word is an empty answer."""

    baseline: tuple[str, ...] = ()
    """The first words that came, which later ones are compared with; never an empty one."""
    since: datetime | None = None
    """When the baseline was whole."""
    recent: tuple[str, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Say whether there are two windows of answers, of which words enough."""
        windows = (
            self.recent[-2 * WORDS_OF_WINDOW : -WORDS_OF_WINDOW],
            self.recent[-WORDS_OF_WINDOW:],
        )
        return len(self.recent) >= 2 * WORDS_OF_WINDOW and not any(map(_too_empty, windows))

    @property
    def is_too_empty(self) -> bool:
        """Say whether so many of the last answers are empty that nothing can be said."""
        last = self.recent[-WORDS_OF_WINDOW:]
        return len(last) == WORDS_OF_WINDOW and _too_empty(last)


def _too_empty(answers: tuple[str, ...]) -> bool:
    return sum(answer.endswith(" ") for answer in answers) > MOST_EMPTY_WORDS * len(answers)


CALLS_OF_COUNTING = 8
"""Calls of one run of a `tokenizer` probe."""
RUNS_UNTIL_USUAL = 7
"""Runs in a row that count tokens in another way, after which it is the usual one: a week of a daily probe."""
ROUNDING = 1
"""Tokens by which a difference of two counts may be off that were multiplied and rounded."""
FRAME_SLACK = 4
"""Tokens by which what stands around a text may vary from day to day: servers put the date there."""

Mark = tuple[str, int]
"""Something that answers have beside their words, and how many in a row have come without it."""

Counts = tuple[int, ...]
"""What one run counted: the tokens around the texts, then those of each text; empty where it could not be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHistory:
    """The tokens that the texts of a `tokenizer` probe count; the newest run last."""

    baseline: Counts = ()
    """What two runs in a row counted first, or a week of them since."""
    since: datetime | None = None
    """When the baseline was learned."""
    recent: tuple[Counts, ...] = ()

    @property
    def latest(self) -> Counts:
        """Return what the last two runs counted alike; empty where they do not agree, or cannot be judged."""
        if len(self.recent) < 2 or not is_same_count(*self.recent[-2:]):
            return ()
        return self.recent[-1]

    @property
    def is_as_learned(self) -> bool:
        """Say whether the last two runs counted as the baseline does."""
        return is_same_count(self.latest, self.baseline)


def is_same_count(before: Counts, after: Counts) -> bool:
    """Say whether two runs count alike; a run that could not be judged is like no other."""
    if not before or len(before) != len(after):
        return False
    is_near = abs(before[0] - after[0]) <= FRAME_SLACK
    return is_near and has_same_slopes(before, after)


def has_same_slopes(before: Counts, after: Counts) -> bool:
    """Say whether each text counts as many tokens in both runs."""
    slopes = zip(before[1:], after[1:], strict=True)
    return all(abs(one - other) <= ROUNDING for one, other in slopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceHistory:
    """The last balances that a `balance` probe read, and in which form its relay tells them."""

    form: str = ""
    amounts: tuple[tuple[datetime, float], ...] = ()
    """Of the last eight days, oldest first."""
    currency: str = "USD"
    of_key: bool = False
    unlimited: bool = False
    asked_with: str = ""
    """A short digest of the key: another one may be of another account."""

    def last(self) -> Balance:
        """Return the newest balance, and how long it lasts at the rate of these days.

        What was paid in between is no negative spending: only what the balance fell is counted.
        """
        amount = self.amounts[-1][1] if self.amounts and not self.unlimited else None
        return Balance(
            amount=amount,
            currency=self.currency,
            of_key=self.of_key,
            days_left=None if amount is None else self._days_left(amount),
            is_refilled=amount is not None and amount > 0 >= min(was for _, was in self.amounts),
        )

    def _days_left(self, amount: float) -> float | None:
        """Return None while less than a day is known, or nothing was spent."""
        days = (self.amounts[-1][0] - self.amounts[0][0]) / timedelta(days=1)
        spent = sum(max(before - after, 0.0) for (_, before), (_, after) in pairwise(self.amounts))
        return max(0.0, amount) * days / spent if days >= 1 and spent > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """Everything that a check has learned and may rely on: a change against it is news, its state is not.

    Counters stop at `SATURATED`, so that an old habit can fade; `SETTLED` is enough to rely on them.
    JSON-friendly values only.
    """

    refused: frozenset[str] = frozenset()
    """Request parameters this server does not take, e.g. `max_tokens`, `stream_options`."""
    reasons: bool = False
    """The model thinks before it speaks: the usual cap leaves no room for an answer."""
    good: int = 0
    """Good runs seen so far."""
    ends_with_done: int = 0
    has_finish_reason: int = 0
    has_usage: int = 0
    right_content_type: int = 0
    aliases: frozenset[str] = frozenset()
    """Model names that answered to the one we ask for."""
    prompt_tokens: int | None = None
    """The smallest prompt-token count of a good run: the baseline for over-billing."""
    bursts: int = 0
    """Streams in a row that came in one burst: three make `fake_streaming`."""
    mismatches: int = 0
    """Wrong answers in a row."""
    cached_share: float | None = None
    """The share of the last long prompt that hit which came from a cache, 0 to 1."""
    dimensions: int | None = None
    marks: tuple[Mark, ...] = ()
    """What good answers have beside their words, such as the prefix of their ids."""
    listed: frozenset[str] = frozenset()
    """The models that the last list named."""
    words: WordHistory = WordHistory()
    tokens: TokenHistory = TokenHistory()
    money: BalanceHistory = BalanceHistory()
    catalogue: Catalogue = NO_CATALOGUE

    @property
    def is_comparable(self) -> bool:
        """Say whether it has what the same probe at another base URL can be compared with."""
        return self.words.is_compared or self.tokens.is_as_learned

    def after(self, failure: Failure | None) -> "Habit":
        """Return the habit after one more run: only a good one teaches."""
        return self if failure else self.worked()

    def worked(self) -> "Habit":
        """Return the habit after one more good run."""
        return self if self.good >= SATURATED else replace(self, good=self.good + 1)

    def mismatched(self) -> "Habit":
        """Return the habit after one more wrong answer."""
        return replace(self, mismatches=min(self.mismatches + 1, SATURATED))


SETTLED = 5
SATURATED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The traces of a failing run, for a person; already redacted, cut and cleaned."""

    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    events: tuple[tuple[float, int, int], ...] = ()
    """(offset in ms, bytes, text length) of the first 200 events."""
    note: str = ""
    """What a good run found worth keeping: which models appeared and vanished."""
    is_change: bool = False
    """Whether the note says what changed, and so belongs into the history of the service."""


DAYS = 14
_HOUR = timedelta(hours=1)


def soon(days: int, lifetime: timedelta | None) -> timedelta:
    """Return how long before its end a certificate counts as one that ends soon.

    `days` before it; a third of the lifetime of a short-lived one, which lives less than twice as long:
    one of six days is renewed after four. None is a lifetime that is not known.
    """
    limit = timedelta(days=days)
    return limit if lifetime is None or lifetime >= 2 * limit else lifetime / 3


def ends_soon(
    ends: datetime, lifetime: timedelta | None, now: datetime, days: int = DAYS
) -> str | None:
    """Return got and want where a certificate ends soon, else None."""
    limit, left = soon(days, lifetime), max(ends - now, timedelta(0))
    if ends - now >= limit:
        return None
    if limit >= timedelta(days=days):
        return f"got a certificate that ends in {left.days} days ({ends:%Y-%m-%d}), want {days} or more"
    shown, want = (format_duration(timedelta(hours=length // _HOUR)) for length in (left, limit))
    return f"got a certificate that ends in {shown} ({ends:%Y-%m-%d %H:%M}), want {want} or more"
