"""What an open incident says once nothing of it can be measured any more: how it was, and since when nobody knows."""

import json
from dataclasses import replace
from datetime import UTC, timedelta

from alerts_cast import memory
from hypothesis import given
from hypothesis import strategies as st
from page_cast import CHECKS, NOW, SITE, ago, fail, incident, key, result
from page_text import page_text
from places_cast import CN, HK, LAPTOP, SITE_OF_PLACES, failing, heard, partly, places, seen
from worlds import all_good

from monitor.alerts import AlertEngine
from monitor.alerts.voters import QuorumSettings
from monitor.incident_gaps import gaps
from monitor.language import ENGLISH, language
from monitor.model import (
    AlertSettings,
    Failure,
    FailureKind,
    Outcome,
    Result,
    Severity,
    Snapshot,
)
from monitor.page import PageView, Renderer, Site, view
from monitor.telegram import replies

US_MODELS = key("us-direct", "models")


def unseen(
    check: str, kind: FailureKind = FailureKind.OVERRUN, severity: Severity = Severity.DOWN
) -> Snapshot:
    """A check was found refusing connections, and its last two runs could not tell."""
    began = FailureKind.TCP_REFUSED if severity is Severity.DOWN else FailureKind.QUOTA_EXHAUSTED
    snapshot = fail(all_good(), check, began, 1)
    bad = result(check, 900, failure=Failure(began, "got it"))
    runs = tuple(
        replace(result(check, 900, failure=Failure(kind, "why")), at=ago(minutes=minutes))
        for minutes in (2, 1)
    )
    history = replace(
        snapshot.checks[check], latest=runs[-1], recent=(replace(bad, at=ago(minutes=3)), *runs)
    )
    opened = incident(1, severity, began, ago(minutes=12), None, check)
    return replace(snapshot, checks={**snapshot.checks, check: history}, incidents=(opened,))


def home(snapshot: Snapshot, site: Site = SITE) -> PageView:
    return view(site, snapshot, {})[0]


def test_its_card_says_how_it_was_and_since_when_nobody_knows() -> None:
    page = home(unseen(US_MODELS))
    (card,) = page.current
    assert (card.phase, card.measured) == ("Not measured now", False)
    assert card.what == (
        "Not measured since 23 Nov, 13:40 UTC: monitor too busy."
        " Before: the server refused connections."
    )
    (chinese,) = page.others[0].current
    assert (
        chinese.what
        == "未能检测，始于 11月23日 13:40 UTC：监控过于繁忙。上次检测：当时服务器拒绝连接。"
    )


def test_what_stands_above_it_says_what_is_not_known() -> None:
    page = home(unseen(US_MODELS))
    assert page.headline == "The service is up."
    assert page.text == (
        "Requests for chat succeed through every base URL. What failed at Direct to the US origin"
        " is not measured now: whether it works again is not known."
    )
    assert page.network.what == "No blocking seen"
    works = home(all_good())
    assert (works.text, works.network.what) == (
        "Requests succeed through all 6 base URLs.",
        "All paths work",
    )


def test_every_file_and_the_bot_say_the_same() -> None:
    page = home(unseen(US_MODELS))
    files = Renderer().files(page)
    present, past = "The server refuses connections", "the server refused connections"
    for name in ("index.html", "incidents/1/index.html", "feed.atom", "status.json"):
        text = files[name].decode()
        cards = page_text(text) if name.endswith("html") else text
        if name == "index.html":
            cards, _, _ = cards.partition("What the failures mean")
        assert present not in cards
        assert past in cards
    (told,) = json.loads(files["status.json"])["incidents"]
    assert told["measured"] is False
    (told,) = json.loads(files["api/v2/incidents.json"])["incidents"]
    assert told["x_measured"] is False
    (line,) = replies.incidents(page, UTC).splitlines()
    assert "not measured now" in line


def test_the_account_is_not_called_empty_while_the_monitor_cannot_ask() -> None:
    """Today's budget ended after the account was found empty; a refused run, in turn, is a measure of the account."""
    page = home(unseen(key("us-direct"), FailureKind.BUDGET_PAUSED, Severity.ACCOUNT))
    assert page.current[0].what == (
        "Not measured since 23 Nov, 13:40 UTC: paused by budget."
        " Before: the balance or quota of the key was used up."
    )
    assert "used up" not in page.text
    still = home(unseen(key("us-direct"), FailureKind.QUOTA_EXHAUSTED, Severity.ACCOUNT))
    assert still.current[0].phase == "Ongoing"
    assert "The balance or quota of the key is used up." in still.text


def test_what_only_a_silent_place_saw_bad_is_past_and_says_that_the_place_is_not_heard() -> None:
    cn = failing(seen(CN), 1, FailureKind.CONNECT_TIMEOUT, "us-direct")
    snapshot = places(
        {CN: cn, HK: seen(HK), LAPTOP: seen(LAPTOP)},
        partly(1, FailureKind.CONNECT_TIMEOUT, (CN,), "us-direct"),
        agents=(heard(CN, hours=1), heard(HK, seconds=3), heard(LAPTOP, hours=3)),
    )
    (card,) = home(snapshot, SITE_OF_PLACES).current
    assert (card.phase, card.what) == (
        "Not measured now",
        "Shanghai is not heard since 23 Nov, 12:42 UTC. Before: the server did not answer.",
    )


def test_a_result_that_is_too_old_gives_no_reason_for_now() -> None:
    """A check that is held back for an hour, as after `Retry-After`, says nothing of now."""
    snapshot = fail(all_good(), US_MODELS, FailureKind.TCP_REFUSED)
    history = snapshot.checks[US_MODELS]
    assert history.latest
    old = replace(history, latest=replace(history.latest, at=NOW - timedelta(hours=1)), recent=())
    page = home(replace(snapshot, checks={**snapshot.checks, US_MODELS: old}))
    check = page.by_path["ohmygpt/us-direct"].checks["models"]
    assert (check.failure, check.text) == (None, "No recent result")
    assert page.by_path["ohmygpt/us-direct"].trouble is None


def test_every_kind_of_failure_has_words_for_when_it_is_over() -> None:
    for kind in FailureKind:
        assert kind.row.was.endswith(".")
        assert ENGLISH.was(kind) == kind.row.was
        assert language("zh-CN").was(kind) != kind.row.was


CHECK = CHECKS[1]
RUNS = st.lists(
    st.tuples(
        st.sampled_from([1, 5, 40]),
        st.sampled_from(
            [None, FailureKind.TCP_REFUSED, FailureKind.OFFLINE, FailureKind.QUOTA_EXHAUSTED]
        ),
    ),
    max_size=6,
)


@given(RUNS, st.sampled_from([0, 5, 40]), st.sampled_from([Severity.DOWN, Severity.ACCOUNT]))
def test_page_and_messages_never_differ_on_whether_an_incident_is_measured(
    runs: list[tuple[int, FailureKind | None]], silence: int, severity: Severity
) -> None:
    """`runs` are minutes since the run before, and the failure; `silence` are the minutes since the last one."""
    voting = QuorumSettings(intervals={CHECK.key: CHECK.every})
    engine = AlertEngine(AlertSettings(), (), memory(), voting=voting)
    results: list[Result] = []
    at = NOW
    for minutes, kind in [(0, FailureKind.TCP_REFUSED), *runs]:
        at += timedelta(minutes=minutes)
        failure = Failure(kind, "why") if kind else None
        outcome = kind.outcome if kind else Outcome.UP
        run = Result(check=CHECK.key, vantage="local", at=at, outcome=outcome, failure=failure)
        results.append(run)
        engine.judge(run)
    now = at + timedelta(minutes=silence)
    recent = tuple(run for run in results if now - run.at <= timedelta(minutes=30))
    known = all_good().checks[CHECK.key]
    before = results[-2] if len(results) > 1 else None
    history = replace(known, latest=results[-1], before=before, recent=recent)
    opened = incident(1, severity, FailureKind.TCP_REFUSED, NOW, None, CHECK.key)
    snapshot = Snapshot(at=now, checks={CHECK.key: history}, incidents=(opened,))

    told = engine.unmeasured(opened, now).get(CHECK.key)
    shown = gaps([opened], snapshot, CHECKS, "local").get(1)
    assert (told is None) == (shown is None)
    if told and shown and shown.since:
        assert (told.since, told.kind) == (shown.since, shown.kinds[0] if shown.kinds else None)
