"""Is it the answer that was asked and is paid for? Decided from values, against the habit."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.model import SATURATED, SETTLED, Failure, FailureKind, Habit
from monitor.probes.answer.challenges import Addition, Challenge, Counting
from monitor.probes.answer.check_answer import CompletedAnswer, is_same_model, judge_answer
from monitor.probes.readers import ChatReader

SUM = Addition(60, 70)
MODEL = "gpt-4o-mini"
USAGE = {"prompt_tokens": 20, "completion_tokens": 3}


def heard(
    text: str = "130",
    finish: str | None = "stop",
    model: str = MODEL,
    usage: Any = USAGE,
    reasoning: str = "",
    **message: Any,
) -> ChatReader:
    reader = ChatReader()
    message |= {"content": text, "reasoning_content": reasoning}
    value = {"choices": [{"message": message, "finish_reason": finish}], "model": model}
    reader.take({**value, "usage": usage} if usage else value)
    return reader


def answer(
    reader: ChatReader | None = None, challenge: Challenge = SUM, **more: Any
) -> CompletedAnswer:
    given = {
        "model": MODEL,
        "cap": 10,
        "right_content_type": True,
        "content_type": "application/json",
    }
    return CompletedAnswer(reader=reader or heard(), challenge=challenge, **(given | more))


def judged(found: CompletedAnswer, **habit: Any) -> Failure | None:
    return judge_answer(found, Habit(**habit))[0]


SETTLED_HABIT = Habit(
    good=9,
    has_finish_reason=9,
    has_usage=9,
    right_content_type=9,
    ends_with_done=9,
    prompt_tokens=20,
)


def test_a_good_answer_is_no_failure_and_all_of_it_is_learned() -> None:
    failure, habit = judge_answer(answer(burst=False), Habit(mismatches=2, bursts=2))
    assert failure is None
    assert habit == Habit(
        good=1, has_finish_reason=1, has_usage=1, right_content_type=1, prompt_tokens=20
    )


def test_what_is_not_so_any_more_fades_and_what_is_stops_at_its_limit() -> None:
    full = Habit(
        good=SATURATED,
        has_finish_reason=SATURATED,
        has_usage=1,
        right_content_type=0,
        ends_with_done=SATURATED,
        prompt_tokens=20,
    )
    bare = heard(usage=None, finish=None)
    bare.done = True
    _, habit = judge_answer(answer(bare, right_content_type=False), full)
    assert habit == replace(full, has_finish_reason=SATURATED - 1, has_usage=0)


def test_a_filter_is_no_wrong_answer() -> None:
    filtered = Failure(FailureKind.CONTENT_FILTERED, "got content_filter, want an answer")
    assert judge_answer(answer(heard("no", "content_filter")), Habit()) == (filtered, Habit())
    refusal = heard("", None, refusal="I will not")
    assert judged(answer(refusal)) == Failure(
        FailureKind.CONTENT_FILTERED, "got a refusal, want an answer"
    )


def test_a_wrong_answer_is_believed_the_third_time_in_a_row() -> None:
    habit, failures = Habit(good=4), []
    for _ in range(3):
        failure, habit = judge_answer(answer(heard("x" * 90)), habit)
        failures.append(failure)
    assert failures == [
        None,
        None,
        Failure(
            FailureKind.CONTENT_MISMATCH, f'got "{"x" * 80}", want 130; wrong 3 times in a row'
        ),
    ]
    assert habit == Habit(good=4, mismatches=3)


COUNT = Counting(300)
BEGUN = "300 301 302 30"


@pytest.mark.parametrize(
    ("reader", "cap", "cut"),
    [
        (heard(BEGUN, "length", usage=None), 10, True),
        (heard(BEGUN, "length", usage={"completion_tokens": 9}), 10, True),
        (heard(BEGUN, "length", usage={"completion_tokens": 8}), 10, False),
        (heard(BEGUN, "length", usage={"prompt_tokens": 8}), 10, True),
        (heard(BEGUN, "stop", usage=None), 10, False),
        (heard("300 302 303", "length", usage=None), 10, False),
        (heard(BEGUN, "length", usage=None), None, False),
    ],
)
def test_an_answer_that_our_own_cap_cut_is_not_wrong(
    reader: ChatReader, cap: int | None, cut: bool
) -> None:
    failure, habit = judge_answer(answer(reader, COUNT, cap=cap), Habit())
    too_small = Failure(
        FailureKind.BUDGET_TOO_SMALL,
        "got an answer that was right until max_tokens = 10 ended it, want a higher one",
    )
    assert failure == (too_small if cut else None)
    assert habit.mismatches == (not cut)


def test_a_right_answer_that_a_smaller_cap_than_ours_ends_is_cut_off_the_third_time_in_a_row() -> (
    None
):
    habit, failures = Habit(), []
    for usage in ({"completion_tokens": 8}, {"completion_tokens": 7}, {"completion_tokens": 8}):
        short = heard(BEGUN, "length", usage=usage)
        failure, habit = judge_answer(answer(short, COUNT, cap=10), habit)
        failures.append(failure)
    why = 'got an answer that was right until "length" ended it, want all of it'
    assert failures == [
        None,
        None,
        Failure(FailureKind.TRUNCATED, f"{why}; wrong 3 times in a row"),
    ]
    uncapped = heard(BEGUN, "length", usage=None)
    failure, _ = judge_answer(answer(uncapped, COUNT, cap=None), replace(habit, mismatches=2))
    assert failure == failures[-1]


# --- the model ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "got", "same"),
    [
        ("gpt-4o", "GPT-4o", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("claude-3", "claude-3-20240229", True),
        ("gemini", "gemini-001", True),
        ("x", "x:latest", True),
        ("x", "x@latest", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4", False),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13", False),
        ("gpt-4o-mini", "openai/gpt-4o-mini", True),
        ("openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18", True),
        ("azure/gpt-4o", "openai/gpt-4o", True),
        ("llama-v3p1-8b", "accounts/fireworks/models/llama-v3p1-8b", True),
        ("gemini-2.0-flash", "models/gemini-2.0-flash", True),
        ("claude-3-haiku", "us.anthropic.claude-3-haiku-20240307-v1:0", True),
        ("deepseek/deepseek-chat:free", "deepseek/deepseek-chat", True),
        ("openai/gpt-4o", "openai/gpt-4o-mini", False),
        ("gpt-4o", "openai/gpt-3.5-turbo", False),
        ("qwen3:8b", "qwen3:1b", False),
        ("deepseek-v3", "deepseek-v2", False),
        ("deepseek/deepseek-v3", "deepseek", False),
        ("gpt-4o:free", "gpt-4o-mini:free", False),
    ],
)
def test_a_snapshot_or_a_provider_before_it_is_the_same_model(
    asked: str, got: str, same: bool
) -> None:
    assert is_same_model(asked, got) == same


OTHER = heard(model="gpt-3.5-turbo")
MISMATCH = Failure(
    FailureKind.MODEL_MISMATCH, 'got an answer of model "gpt-3.5-turbo", want "gpt-4o-mini"'
)


def test_another_model_is_an_alias_while_we_learn_and_a_swap_afterwards() -> None:
    assert judge_answer(answer(OTHER), Habit(good=2)) == (
        None,
        Habit(
            good=3,
            has_finish_reason=1,
            has_usage=1,
            right_content_type=1,
            prompt_tokens=20,
            aliases=frozenset({"gpt-3.5-turbo"}),
        ),
    )
    swapped = Habit(good=3, mismatches=1)
    assert judge_answer(answer(OTHER), swapped) == (MISMATCH, Habit(good=3))
    assert judged(answer(OTHER), good=3, aliases=frozenset({"gpt-3.5-turbo"})) is None
    assert judged(answer(heard(model="gpt-4o-mini-2024-07-18")), good=3) is None
    assert judged(answer(heard(model="")), good=3) is None


def test_names_that_the_operator_declares_are_all_that_is_accepted() -> None:
    declared = frozenset({"big"})
    assert judged(answer(OTHER, aliases=declared)) == MISMATCH
    known = frozenset({"gpt-3.5-turbo"})
    assert judged(answer(OTHER, aliases=declared), aliases=known) == MISMATCH
    failure, habit = judge_answer(answer(heard(model="big"), aliases=declared), Habit())
    assert (failure, habit.aliases) == (None, frozenset())
    assert judge_answer(answer(heard(model="x")), Habit(good=3, aliases=known))[1].aliases == known


@pytest.mark.parametrize(
    ("aliases", "accepted"),
    [
        ({"gpt-3.5-*"}, True),
        ({"GPT-3.5-turb?"}, True),
        ({"any"}, True),
        ({"*"}, True),
        ({"gpt-4*"}, False),
        ({"gpt-3.5"}, False),
    ],
)
def test_declared_names_may_have_wildcards_and_any_is_every_name(
    aliases: set[str], accepted: bool
) -> None:
    failure = judged(answer(OTHER, aliases=frozenset(aliases)), good=20)
    assert failure == (None if accepted else MISMATCH)


# --- the shape ------------------------------------------------------------------------------------


def test_a_plain_answer_to_a_stream_is_no_stream() -> None:
    assert judge_answer(answer(as_plain=True), Habit()) == (
        Failure(FailureKind.STREAM_NOT_SUPPORTED, "got one plain JSON answer, want a stream"),
        Habit(),
    )


def test_a_burst_is_believed_the_third_time_in_a_row() -> None:
    fake = Failure(
        FailureKind.FAKE_STREAMING,
        "got the whole stream in one burst 3 times in a row, want it as it is made",
    )
    assert judged(answer(burst=True), bursts=1) is None
    failure, habit = judge_answer(answer(burst=True), Habit(bursts=2))
    assert (failure, habit.bursts, habit.good) == (fake, 3, 1)
    for burst in (False, None):
        assert judged(answer(burst=burst), bursts=9) is None
    bursts = [
        judge_answer(answer(burst=burst), Habit(bursts=before))[1].bursts
        for burst, before in ((True, 0), (True, SATURATED), (False, 9), (None, 9))
    ]
    assert bursts == [1, SATURATED, 0, 9]


def test_another_label_or_no_counts_are_news_where_they_were_the_habit() -> None:
    wrong = answer(right_content_type=False, content_type="text/plain")
    label = Failure(
        FailureKind.WRONG_CONTENT_TYPE,
        'got the right answer labelled "text/plain", want the label it used to have',
    )
    judgement = judge_answer(wrong, Habit(right_content_type=SETTLED))
    assert (judgement[0], judgement[1].right_content_type) == (label, SETTLED - 1)
    assert judged(wrong, right_content_type=SETTLED - 1) is None
    assert judged(answer(), right_content_type=SETTLED) is None

    missing = Failure(FailureKind.MISSING_USAGE, "got no token counts, want them as before")
    judgement = judge_answer(answer(heard(usage=None)), Habit(has_usage=SETTLED))
    assert (judgement[0], judgement[1].has_usage) == (missing, SETTLED - 1)
    assert judged(answer(heard(usage=None)), has_usage=SETTLED - 1) is None
    assert judged(answer(), has_usage=SETTLED) is None


# --- the bill -------------------------------------------------------------------------------------


def billed(
    asked: int | None, said: int | None, reasoned: int = 0, thoughts: str = ""
) -> ChatReader:
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "completion_tokens_details": {"reasoning_tokens": reasoned},
    }
    return heard(usage=usage, reasoning=thoughts)


@pytest.mark.parametrize(
    ("reader", "cap", "message"),
    [
        (billed(72, 3), 10, None),
        (billed(73, 3), 10, "got 73 prompt tokens counted, want about 20 as before"),
        (billed(20, 10), 10, None),
        (billed(20, 11), 10, "got 11 answer tokens counted, want 10 at most"),
        (billed(20, 99), None, None),
        (billed(20, 15, reasoned=5), 10, None),
        (billed(20, 16, reasoned=5), 10, "got 16 answer tokens counted, want 15 at most"),
        (billed(20, 99, thoughts="hm"), 10, None),  # whether thoughts count is not known
        (
            billed(20, 16, reasoned=5, thoughts="hm"),
            10,
            "got 16 answer tokens counted, want 15 at most",
        ),
        (billed(None, 3), 10, None),
        (billed(20, None), 10, None),
    ],
)
def test_more_tokens_than_can_have_been_are_told(
    reader: ChatReader, cap: int | None, message: str | None
) -> None:
    failure, habit = judge_answer(answer(reader, cap=cap), SETTLED_HABIT)
    assert failure == (Failure(FailureKind.OVER_BILLING, message) if message else None)
    assert habit.good == 10


def test_without_a_baseline_no_prompt_is_too_long() -> None:
    assert judged(answer(billed(10_000, 3))) is None


@pytest.mark.parametrize(
    ("base", "seen", "learned"),
    [
        (None, 20, 20),
        (20, None, 20),
        (20, 0, 20),
        (0, 20, 20),
        (20, 15, 15),
        (20, 21, 21),
        (20, 99, 21),
        (550, 9999, 555),
        (None, None, None),
    ],
)
def test_a_baseline_falls_at_once_and_rises_slowly(
    base: int | None, seen: int | None, learned: int | None
) -> None:
    _, habit = judge_answer(answer(billed(seen, 3)), Habit(prompt_tokens=base))
    assert habit.prompt_tokens == learned


def test_the_gravest_complaint_comes_first() -> None:
    worst = answer(
        heard(model="gpt-3.5-turbo", usage=None),
        as_plain=True,
        burst=True,
        right_content_type=False,
    )
    habit = replace(SETTLED_HABIT, bursts=9)
    kinds = []
    for better in (
        {},
        {"reader": heard(usage=None)},
        {"as_plain": False},
        {"burst": False},
        {"right_content_type": True},
        {"reader": heard()},
    ):
        worst = replace(worst, **better)
        failure = judge_answer(worst, habit)[0]
        kinds.append(failure and failure.kind)
    assert kinds == [
        FailureKind.MODEL_MISMATCH,
        FailureKind.STREAM_NOT_SUPPORTED,
        FailureKind.FAKE_STREAMING,
        FailureKind.WRONG_CONTENT_TYPE,
        FailureKind.MISSING_USAGE,
        None,
    ]


def test_a_marker_of_the_end_is_learned_and_a_name_is_kept_short() -> None:
    reader = heard(model="m" * 200)
    reader.done = True
    _, habit = judge_answer(answer(reader), Habit())
    assert (habit.ends_with_done, habit.aliases) == (1, {"m" * 99 + "…"})
