"""Checks whether it is the answer that we asked and pay for: content, model and usage, against the habit."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from monitor.model import SATURATED, SETTLED, Failure, FailureKind, Habit, Stream, clean_text
from monitor.probes.answer.challenges import Challenge, OwnQuestion
from monitor.probes.answer.error_text import judge_error_text
from monitor.probes.answer.stream_verdict import BURSTS_BELIEVED, is_cut_by_cap, is_filtered
from monitor.probes.readers import ProtocolReader

MISMATCHES_BELIEVED = 3
LEARNING_RUNS = 3
"""Good runs during which any model name that answers is taken for an alias."""
ANY_MODEL = "any"
"""Among the aliases: whatever name answers is right, as behind a router."""
_CAP_REACHED = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedAnswer:
    """The facts of one answer that came whole."""

    reader: ProtocolReader
    challenge: Challenge
    model: str
    """The one we asked for."""
    aliases: frozenset[str] = frozenset()
    """Names that the operator accepts for it, with `*` and `?`; without any they are learned."""
    cap: int | None
    """Tokens we allowed; None where the server takes no cap."""
    right_content_type: bool
    content_type: str
    burst: bool | None = None
    stream: Stream | None = None
    as_plain: bool = False
    """We asked for a stream and got one plain answer."""


def judge_answer(answer: CompletedAnswer, habit: Habit) -> tuple[Failure | None, Habit]:
    """Return the gravest complaint, and the habit with what this run taught."""
    habit = _after_burst(answer, habit)
    # 1. Did a filter end it?
    if is_filtered(answer.reader):
        finish = answer.reader.finish_reason or "a refusal"
        return Failure(FailureKind.CONTENT_FILTERED, f"got {finish}, want an answer"), habit
    # 2. Is it an answer at all, or an error that was delivered as one?
    is_right = answer.challenge.check(answer.reader.text)
    error = _judge_error(answer, is_right=is_right)
    if error is not None:
        return error, habit
    # 3. Is it right?
    if not is_right:
        if not _is_cut(answer):
            return judge_mismatch(habit, _wrong_words(answer))
        if _is_cut_by_us(answer):
            return _judge_cap(answer), habit
        return judge_mismatch(habit, _cut_words(answer), FailureKind.TRUNCATED)
    habit = replace(habit, mismatches=0) if habit.mismatches else habit
    # 4. Is all around it as it should be and used to be?
    complaints = (check(answer, habit) for check in _CHECKS)
    failure = next((complaint for complaint in complaints if complaint), None)
    if failure is not None and not failure.kind.row.becomes_habit:
        return failure, habit
    return failure, _learned(answer, habit)


def _judge_error(answer: CompletedAnswer, *, is_right: bool) -> Failure | None:
    """Judge an error as the answer's only words; a proven answer or the beginning of one is none."""
    challenge, text = answer.challenge, answer.reader.text
    any_text_is_right = isinstance(challenge, OwnQuestion) and challenge.answer is None
    if (is_right and not any_text_is_right) or challenge.is_begun(text):
        return None
    return judge_error_text(text, wrong=not is_right)


def _is_cut(answer: CompletedAnswer) -> bool:
    """Say whether it is right as far as it goes, and then a cap of tokens ended it."""
    return is_cut_by_cap(answer.reader) and answer.challenge.is_begun(answer.reader.text)


def _is_cut_by_us(answer: CompletedAnswer) -> bool:
    """Say whether it went as far as we allowed, or may have."""
    usage, cap = answer.reader.usage, answer.cap
    if cap is None or usage is None or usage.tokens_out is None:
        return cap is not None
    return usage.tokens_out >= _CAP_REACHED * cap


def _cut_words(answer: CompletedAnswer) -> Callable[[int], str]:
    finish = answer.reader.finish_reason
    return lambda times: (
        f'got an answer that was right until "{finish}" ended it, want all of it; wrong {times} times in a row'
    )


def _judge_cap(answer: CompletedAnswer) -> Failure:
    return Failure(
        FailureKind.BUDGET_TOO_SMALL,
        f"got an answer that was right until max_tokens = {answer.cap} ended it, want a higher one",
    )


def judge_mismatch(
    habit: Habit,
    why: Callable[[int], str],
    kind: FailureKind = FailureKind.CONTENT_MISMATCH,
) -> tuple[Failure | None, Habit]:
    """Count a wrong answer: models are no calculators, so one is no failure, three in a row are.

    `why` says what is wrong, with how many times in a row it was.
    """
    habit = habit.mismatched()
    if habit.mismatches < MISMATCHES_BELIEVED:
        return None, habit
    return Failure(kind, why(habit.mismatches)), habit


def _wrong_words(answer: CompletedAnswer) -> Callable[[int], str]:
    text, want = answer.reader.text[:80], answer.challenge.want()
    return lambda times: f'got "{text}", want {want}; wrong {times} times in a row'


_DATE = re.compile(r"[-@](?:\d{3,4}|\d{6}|\d{8}|\d{4}-\d{2}-\d{2}|latest)\Z|:latest\Z")
_PROVIDER = re.compile(
    r"\A(?:[a-z]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai"
    r"|nvidia|openai|qwen|writer|zai)\."
)
"""The prefix of a model's name at Amazon's Bedrock, with the region before it."""
_VERSION = re.compile(r"-v\d+:\d+\Z")
"""Bedrock's own version of a model; `-v3` alone is part of a name, as in `deepseek-v3`."""
_VARIANT = re.compile(r":(?:beta|exacto|extended|floor|free|nitro|online|thinking)\Z")
"""What OpenRouter's callers put behind a name to choose a route, and answers often leave out."""


def is_same_model(asked: str, got: str) -> bool:
    """Say whether a name means the model that was asked for.

    A provider's prefix and the date of a snapshot change nothing: `openai/gpt-4o-2024-08-06` is
    `gpt-4o`. `gpt-4o-mini` is no snapshot of `gpt-4o`.
    """
    asked, got = bare_name(asked), bare_name(got)
    if asked == got or asked == _DATE.sub("", got) or got == _DATE.sub("", asked):
        return True
    return got == _VARIANT.sub("", asked) or asked == _VARIANT.sub("", got)


def bare_name(name: str) -> str:
    """Return a model's name without its provider, its path and Bedrock's version of it."""
    return _VERSION.sub("", _PROVIDER.sub("", name.strip().lower().rpartition("/")[2])).replace(
        "@", "-"
    )


def without_date(bare: str) -> str:
    """Return a bare name without the date of its snapshot, `-latest`, and a route behind it."""
    return _DATE.sub("", _VARIANT.sub("", bare))


def is_alias(name: str, aliases: Iterable[str]) -> bool:
    """Say whether a name is among the accepted ones, where `any` accepts all and `*` any letters."""
    name = name.lower()
    return any(
        alias.lower() == ANY_MODEL or name == alias.lower() or fnmatchcase(name, alias.lower())
        for alias in aliases
    )


def _model_name(answer: CompletedAnswer) -> str | None:
    """Return the name that answered, as it may be stored and shown."""
    return clean_text(answer.reader.model, 100) if answer.reader.model else None


def _judge_model(answer: CompletedAnswer, habit: Habit) -> Failure | None:
    got = _model_name(answer)
    if got is None or is_same_model(answer.model, got):
        return None
    if answer.aliases:
        accepted = is_alias(got, answer.aliases)
    else:
        accepted = got in habit.aliases or habit.good < LEARNING_RUNS
    if accepted:
        return None
    return Failure(
        FailureKind.MODEL_MISMATCH, f'got an answer of model "{got}", want "{answer.model}"'
    )


def _judge_shape(answer: CompletedAnswer, habit: Habit) -> Failure | None:  # noqa: ARG001  # one of _CHECKS
    if not answer.as_plain:
        return None
    return Failure(FailureKind.STREAM_NOT_SUPPORTED, "got one plain JSON answer, want a stream")


def _judge_burst(answer: CompletedAnswer, habit: Habit) -> Failure | None:
    if not answer.burst or habit.bursts < BURSTS_BELIEVED:
        return None
    return Failure(
        FailureKind.FAKE_STREAMING,
        f"got the whole stream in one burst {habit.bursts} times in a row, want it as it is made",
    )


def _judge_billing(answer: CompletedAnswer, habit: Habit) -> Failure | None:
    usage = answer.reader.usage
    if usage is None:
        return None
    base = habit.prompt_tokens
    if base is not None and usage.tokens_in is not None and usage.tokens_in > 2 * base + 32:
        return Failure(
            FailureKind.OVER_BILLING,
            f"got {usage.tokens_in} prompt tokens counted, want about {base} as before",
        )
    uncounted = bool(answer.reader.reasoning) and not answer.reader.reasoning_tokens
    unknown = answer.cap is None or uncounted  # thoughts that we saw may or may not be in the count
    allowed = None if unknown else (answer.cap or 0) + answer.reader.reasoning_tokens
    if allowed is not None and usage.tokens_out is not None and usage.tokens_out > allowed:
        return Failure(
            FailureKind.OVER_BILLING,
            f"got {usage.tokens_out} answer tokens counted, want {allowed} at most",
        )
    return None


def _judge_type(answer: CompletedAnswer, habit: Habit) -> Failure | None:
    if answer.right_content_type or habit.right_content_type < SETTLED:
        return None
    return Failure(
        FailureKind.WRONG_CONTENT_TYPE,
        f'got the right answer labelled "{answer.content_type}", want the label it used to have',
    )


def _judge_usage(answer: CompletedAnswer, habit: Habit) -> Failure | None:
    if answer.reader.usage is not None or habit.has_usage < SETTLED:
        return None
    return Failure(FailureKind.MISSING_USAGE, "got no token counts, want them as before")


_CHECKS: tuple[Callable[[CompletedAnswer, Habit], Failure | None], ...] = (
    _judge_model,
    _judge_shape,
    _judge_burst,
    _judge_billing,
    _judge_type,
    _judge_usage,
)


def _after_burst(answer: CompletedAnswer, habit: Habit) -> Habit:
    if answer.burst is None or not (answer.burst or habit.bursts):
        return habit
    return replace(habit, bursts=min(habit.bursts + 1, SATURATED) if answer.burst else 0)


def _learned(answer: CompletedAnswer, habit: Habit) -> Habit:
    reader = answer.reader
    usage = reader.usage
    return replace(
        habit.worked(),
        ends_with_done=_moved(habit.ends_with_done, reader.done),
        has_finish_reason=_moved(habit.has_finish_reason, bool(reader.finish_reasons)),
        has_usage=_moved(habit.has_usage, usage is not None),
        right_content_type=_moved(habit.right_content_type, answer.right_content_type),
        aliases=_aliases(answer, habit),
        prompt_tokens=_baseline(habit.prompt_tokens, usage.tokens_in if usage else None),
    )


def _baseline(base: int | None, seen: int | None) -> int | None:
    """Return the usual count of prompt tokens after one more run.

    It falls at once and rises slowly: a count that was too small is forgotten within the hour, one
    that is many times too large stays news for days. Servers that do not count say 0.
    """
    if not seen or not base:
        return seen or base
    return min(seen, base + max(1, base // 100))


def _aliases(answer: CompletedAnswer, habit: Habit) -> frozenset[str]:
    got = _model_name(answer)
    learning = habit.good < LEARNING_RUNS and not answer.aliases
    if got is None or is_same_model(answer.model, got) or not learning:
        return habit.aliases
    return habit.aliases | {got}


def _moved(counter: int, seen: bool) -> int:  # noqa: FBT001  # one step of a counter, always by position
    """Move a counter by one run. It saturates at both ends, so that an old habit fades."""
    return min(counter + 1, SATURATED) if seen else max(counter - 1, 0)
