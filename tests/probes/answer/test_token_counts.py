"""What counts of tokens say: laws over the counts of real tokenizers."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from math import ceil, floor
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from token_cast import SINCE, TOKENIZERS, billed, changed, learned

from monitor.model import TokenHistory
from monitor.model.result import CALLS_OF_COUNTING, RUNS_UNTIL_USUAL, Counts
from monitor.probes.answer.token_counts import (
    TEXTS,
    counts_of,
    judge_counts,
    note_of,
    prompts,
    with_counts,
)

COUNTS = st.sampled_from(list(TOKENIZERS.values()))
CL100K, O200K = TOKENIZERS["cl100k"], TOKENIZERS["o200k"]


def said(history: TokenHistory, *peers: tuple[str, TokenHistory]) -> tuple[str, str] | None:
    failure = judge_counts(history, peers)
    return failure and (failure.kind.value, failure.message)


def after(history: TokenHistory, *runs: Counts) -> TokenHistory:
    for run in runs:
        history = with_counts(history, run, SINCE + timedelta(days=1))
    return history


def test_a_run_asks_the_same_lines_in_an_order_that_is_new_each_time() -> None:
    asked, later = prompts(Random(1)), prompts(Random(2))
    assert len(asked) == CALLS_OF_COUNTING == 2 * len(TEXTS)
    assert len({*asked, *later}) == 2 * CALLS_OF_COUNTING
    for one, other in zip(asked, later, strict=True):
        assert sorted(one.split("\n")) == sorted(other.split("\n"))
    for text, prompt in zip(TEXTS, asked[len(TEXTS) :], strict=True):
        assert prompt.count(f"{text}\n") == 3


def test_counts_that_differ_for_the_same_words_say_nothing() -> None:
    exact = [25, 25, 25, 25, 97, 82, 127, 64]
    assert counts_of(exact) == CL100K
    assert counts_of([25, 25, 26, 25, 97, 82, 127, 64]) == ()
    assert counts_of([10] * 8) == ()
    assert counts_of([25, 25, 0]) == ()
    assert counts_of([0]) == ()
    history = after(learned(CL100K), (), ())
    assert said(history) is None
    assert note_of(history).startswith("cannot be judged: ")


def test_the_first_two_runs_that_agree_are_learned_and_one_alone_says_nothing() -> None:
    once = after(TokenHistory(), O200K, CL100K)
    assert (once.baseline, said(once)) == ((), None)
    twice = after(once, CL100K)
    assert (twice.baseline, twice.since) == (CL100K, SINCE + timedelta(days=1))
    assert note_of(twice) == "25 tokens around a text; 72/57/102/39 for 3 repeats of each"
    other = after(twice, O200K)
    assert said(other) is None
    assert said(after(other, O200K)) is not None
    assert said(after(other, CL100K)) is None


def test_any_real_tokenizer_is_told_from_any_other_and_never_taken_for_a_bill() -> None:
    for before, now in permutations(TOKENIZERS.values(), 2):
        kind, message = said(changed(before, now)) or ("", "")
        assert kind == "tokenizer_changed"
        assert message.endswith(" of 2026-11-02")


@given(COUNTS, st.integers(5, 100_000))
def test_tokens_around_the_text_alone_are_a_longer_prompt(counts: Counts, added: int) -> None:
    now = (counts[0] + added, *counts[1:])
    why = f"got {now[0]} tokens counted around a text, want the {counts[0]} of 2026-11-02"
    assert said(changed(counts, now)) == ("prompt_injected", why)
    assert said(changed(now, counts)) is None


@given(COUNTS, st.integers(-4, 4))
def test_a_date_in_a_prompt_is_no_longer_prompt(counts: Counts, more: int) -> None:
    assert said(changed(counts, (counts[0] + more, *counts[1:]))) is None


@given(COUNTS, st.floats(1.03, 50), st.sampled_from([round, floor, ceil]), st.integers(0, 3000))
def test_a_bill_that_is_multiplied_is_told_with_its_factor(
    counts: Counts, factor: float, rounded: object, added: int
) -> None:
    """However it is rounded, and whatever stands before the text as well."""
    now = billed((counts[0] + added, *counts[1:]), factor, rounded)
    kind, message = said(changed(counts, now)) or ("", "")
    assert kind == "over_billing"
    assert abs(float(message.split()[1]) / factor - 1) < 0.02
    assert " the tokens of 2026-11-02 for the same texts" in message
    assert said(changed(now, counts)) is None


def test_another_base_url_is_a_measure_unless_it_changed_itself() -> None:
    dear = billed(CL100K, 1.3)
    factor = ("over_billing", "got 1.3 times the tokens of CDN for the same texts, want as many")
    assert said(learned(dear), ("CDN", learned(CL100K))) == factor
    assert said(learned(CL100K), ("CDN", learned(dear))) is None
    assert said(learned(CL100K), ("CDN", changed(CL100K, dear))) is None
    assert said(learned(CL100K), ("CDN", TokenHistory(recent=(dear,)))) is None
    three = [("A", learned(O200K)), ("B", learned(CL100K)), ("C", learned(O200K))]
    why = "got 72/57/102/39 tokens for the same texts, want the 48/51/102/42 of A, C"
    assert said(learned(CL100K), *three) == ("tokenizer_changed", why)
    assert said(learned(O200K), *three) is None
    longer = (525, *O200K[1:])
    why = "got 525 tokens counted around a text, want the 25 of A, C"
    assert said(learned(longer), *three) == ("prompt_injected", why)


def test_what_is_less_is_learned_at_once_and_what_is_more_after_a_week() -> None:
    longer = (525, *CL100K[1:])
    assert after(learned(longer), CL100K, CL100K).baseline == CL100K
    week = after(learned(CL100K), *[longer] * (RUNS_UNTIL_USUAL - 1))
    assert (week.baseline, said(week) is None) == (CL100K, False)
    usual = after(week, longer)
    assert (usual.baseline, said(usual), len(usual.recent)) == (longer, None, RUNS_UNTIL_USUAL)


def test_counts_of_other_texts_that_an_older_version_stored_are_like_no_other() -> None:
    history = replace(learned(CL100K), recent=((25, 72), CL100K))
    assert (history.latest, said(history)) == ((), None)
    assert not TokenHistory(baseline=(25, 72), recent=(CL100K, CL100K)).is_as_learned
