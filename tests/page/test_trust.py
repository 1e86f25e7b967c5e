"""What one gets through a base URL: said with care, with when, and only where the operator shows it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from page_cast import HABITS, NOW, SITE_OF_PROMISES, TRUST_CHECKS, ago, result, worded
from page_text import page_text
from worlds import SITES, WORLDS

from monitor.language import language
from monitor.model import (
    CheckHistory,
    Failure,
    FailureKind,
    Habit,
    Result,
    Rollup,
    Snapshot,
    TokenHistory,
)
from monitor.page import Renderer, formatting, view
from monitor.page.published import TrustFact, TrustFinding
from monitor.page.states import State
from monitor.page.trust import Learned, trust_facts
from monitor.page.view_models import PageView
from monitor.probes import PROBES


@pytest.fixture(scope="module")
def page() -> PageView:
    return view(SITES["promised"], WORLDS["promised"](), {})[0]


def facts(page: PageView, endpoint: str) -> dict[str, TrustFact]:
    return {fact.what: fact for fact in page.by_path[f"ohmygpt/{endpoint}"].trust}


def said(fact: TrustFact, code: str = "en") -> str:
    return formatting.found(fact, language(code)).replace("\u00a0", " ")


def test_a_model_is_said_to_be_compared_with_its_past_and_the_other_base_urls(
    page: PageView,
) -> None:
    fact = facts(page, "us-direct")["model"]
    assert fact.compared_with == ("own_past", "other_base_urls")
    assert said(fact) == (
        "One-word answers are spread as when they were learned, on 12 November, and as through the"
        " other base URLs."
    )
    assert said(fact, "zh-CN") == "单词回答的分布与学习时（11月12日）一致，也与其他端点一致。"  # noqa: RUF001
    assert fact.measured is not None
    alone = replace(fact, compared_with=("own_past",))
    assert said(alone) == "One-word answers are spread as when they were learned, on 12 November."
    known = replace(fact, compared_with=("own_past", "reference"))
    assert said(known).endswith(" They are spread as in the operator's reference, too.")
    only = replace(fact, compared_with=("reference",))
    assert said(only) == "One-word answers are spread as in the operator's reference."
    others = replace(fact, compared_with=("other_base_urls",))
    assert said(others) == "One-word answers are spread as through the other base URLs."


def test_answers_that_changed_are_called_that_with_the_day_and_never_fake(page: PageView) -> None:
    fact = facts(page, "cf-cdn")["model"]
    assert (fact.finding, fact.failure) == (TrustFinding.CHANGED, FailureKind.MODEL_SUSPECT)
    assert fact.since == ago(days=1, hours=3)
    assert said(fact) == (
        "One-word answers are spread otherwise than before, than at the other base URLs, or than in the reference. It is so"
        " since 22 November."
    )


def test_what_is_not_known_yet_is_said_as_that(page: PageView) -> None:
    assert said(facts(page, "cf-worker")["model"]) == (
        "It cannot be judged: too many answers are empty."
    )
    assert said(facts(page, "fast-cdn")["model"]) == (
        "Still learning: 1 more answer before anything is compared."
    )
    assert said(facts(page, "proxy-1")["model"]) == (
        "Still learning: 210 more answers before anything is compared."
    )
    assert said(facts(page, "proxy-2")["model"]) == (
        "Still learning: 240 more answers before anything is compared."
    )
    refused = facts(page, "proxy-1")["structured"]
    assert (refused.finding, refused.measured) == (TrustFinding.UNKNOWN, None)
    assert said(refused) == "Not measured lately."


def test_a_schema_that_is_ignored_and_a_stream_that_is_held_back_are_said(page: PageView) -> None:
    assert said(facts(page, "us-direct")["structured"]) == (
        "Answers keep to the JSON schema that is asked for."
    )
    assert facts(page, "cf-worker")["structured"].failure is FailureKind.SCHEMA_IGNORED
    assert said(facts(page, "us-direct")["streaming"]) == "Streams come as they are written."
    held_back = facts(page, "proxy-2")["streaming"]
    assert said(held_back) == "The stream is held back and comes all at once."


@pytest.mark.parametrize(
    ("kind", "bad", "good"),
    [
        ("structured", "schema_ignored", "Answers keep to the JSON schema that is asked for."),
        ("tools", "tool_call_broken", "Tools are called, and what they say is taken."),
        ("cache", "cache_missing", "Prompts that were sent a moment before are read from a cache."),
    ],
)
def test_a_promise_is_kept_broken_or_not_proven(kind: str, bad: str, good: str) -> None:
    check = replace(TRUST_CHECKS[1], probe=PROBES[kind]().named("mine"))

    def told(failure: FailureKind | None, misses: int = 0, share: float | None = None) -> str:
        latest = result(check.key, 900, failure=failure and Failure(failure, "got it"))
        known = Learned(habit=Habit(mismatches=misses, cached_share=share))
        (fact,) = trust_facts([check], [silent_history(latest)], [known], (), check)
        return said(fact)

    assert told(None) == good
    assert told(None, share=1024 / 1150) == (
        "Of a prompt that was sent a moment before 89 % came from a cache."
    )
    assert told(None, misses=2) == "The last run did not show it, which proves nothing yet."
    assert told(FailureKind(bad)) == FailureKind(bad).row.what
    assert told(FailureKind.QUOTA_EXHAUSTED) == "Not measured lately."
    fact = TrustFact(
        what=kind, check="mine", kind=kind, finding=TrustFinding.KEPT, state=State.OPERATIONAL
    )
    assert formatting.promise(fact).endswith(" (mine)")
    assert not formatting.promise(replace(fact, check=kind)).endswith(")")


def test_token_counts_are_as_before_changed_or_not_judged_and_never_more_is_said() -> None:
    check = replace(TRUST_CHECKS[1], probe=PROBES["tokenizer"]())
    usual, other = (25, 72, 57, 102, 39), (25, 48, 51, 102, 42)
    since = ago(days=12)

    def told(*recent: tuple[int, ...], failure: str = "", has_peers: bool = False) -> str:
        latest = result(
            check.key, 900, failure=Failure(FailureKind(failure), "got it") if failure else None
        )
        is_learned = len(recent) > 1
        history = TokenHistory(
            baseline=usual if is_learned else (), since=since if is_learned else None, recent=recent
        )
        known = Learned(habit=Habit(tokens=history), has_peers=has_peers)
        (fact,) = trust_facts([check], [silent_history(latest)], [known], (), check)
        assert fact.what == "tokens"
        return said(fact)

    as_before = "The same texts count as many tokens as before. It is so since 11 November."
    assert told(usual, usual) == as_before
    assert told(usual, usual, has_peers=True) == (
        f"{as_before} They are compared with those of the other base URLs, too."
    )
    assert told(usual, other) == "The last run did not show it, which proves nothing yet."
    assert told(usual) == "Still learning: 8 more answers before anything is compared."
    not_judged = (
        "prompt tokens are not counted, differ from call to call, or do not grow with the text."
    )
    assert told(usual, usual, ()) == told() == f"It cannot be judged: {not_judged}"
    for kind in ("tokenizer_changed", "prompt_injected", "over_billing"):
        assert told(other, other, failure=kind) == FailureKind(kind).row.what
    assert told(other, other, failure="quota_exhausted") == "Not measured lately."


def test_every_kind_that_tests_a_promise_has_its_words() -> None:
    for kind, probe in PROBES.items():
        if not probe.broken_by or FailureKind.MODEL_SUSPECT in probe.broken_by:
            continue
        kept = {"finding": TrustFinding.KEPT, "state": State.OPERATIONAL}
        what = {"tokenizer": "tokens"}.get(kind, kind)
        fact = TrustFact(what=what, check=kind, kind=kind, **kept)
        assert formatting.promise(fact) == probe.title
        assert said(fact).endswith(".")


def silent_history(latest: Result) -> CheckHistory:
    return CheckHistory(check=latest.check, latest=latest, states=(), days={}, last_24h=Rollup())


def test_page_and_programs_say_the_same_and_nothing_unless_the_operator_shows_it() -> None:
    files = Renderer().files(view(SITES["promised"], WORLDS["promised"](), {})[0])
    text = page_text(files["endpoints/ohmygpt/us-direct/index.html"].decode())
    assert "What you get" in text
    assert "Last measured:" in text
    assert "实际得到的是什么" in files["zh-CN/endpoints/ohmygpt/us-direct/index.html"].decode()
    endpoint = of_status(files["status.json"], "us-direct")
    assert endpoint["trust"][0] == {
        "what": "model",
        "check": "identity",
        "kind": "identity",
        "finding": "same",
        "state": "operational",
        "failure": None,
        "since": "2026-11-12T09:00:00Z",
        "compared_with": ["own_past", "other_base_urls"],
        "answers": None,
        "share": None,
        "measured": endpoint["trust"][0]["measured"],
    }

    quiet = replace(SITE_OF_PROMISES, settings=replace(SITE_OF_PROMISES.settings, trust=False))
    snapshot = replace(WORLDS["promised"](), habits=None)
    files = Renderer().files(view(quiet, snapshot, {})[0])
    assert "trust" not in of_status(files["status.json"], "us-direct")
    assert b"trust-h" not in files["endpoints/ohmygpt/us-direct/index.html"]


def of_status(content: bytes, endpoint: str) -> Any:
    (service,) = json.loads(content)["services"]
    return next(each for each in service["endpoints"] if each["id"] == endpoint)


def test_nothing_of_a_balance_is_on_the_page_or_in_a_file() -> None:
    rich = Habit(words=worded(144, 96))
    assert not any("balance" in check.probe.kind for check in TRUST_CHECKS)
    snapshot: Snapshot = replace(WORLDS["promised"](), habits={**HABITS, "ohmygpt/x/balance": rich})
    files = Renderer().files(view(SITES["promised"], snapshot, {})[0])
    assert not [
        name for name, content in files.items() if b"alance" in content and "us-direct" in name
    ]
    assert snapshot.at == NOW
