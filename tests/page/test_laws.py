"""Laws of the page: whatever is known of whichever base URL, no two of its sentences contradict each other.

A world is up to three base URLs with two kinds of calls each, every call in any state and for any of
several reasons, with the incidents that belong to it. A law is a function that names what is broken.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import combinations_with_replacement, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_cast import CHECKS, NOW, SERVICE, SITE, ago, fail, history, incident, result
from page_text import page_text

from monitor.model import (
    CheckHistory,
    Failure,
    FailureKind,
    Incident,
    Maintenance,
    MaintenanceWindow,
    Severity,
    Snapshot,
)
from monitor.page import PageView, Renderer, Site, view
from monitor.page.states import State, call_state

NAMES = ("us-direct", "cf-cdn", "proxy-1")
CALLS = ("chat", "models")
"""The main call first."""
GOOD, SLOW, CUT, DOWN, BLOCKED, REFUSED, UNSEEN, KEY, BUDGET, NEVER, OLD = (
    "good",
    "slow",
    "cut",
    "down",
    "blocked",
    "refused",
    "unseen",
    "key",
    "budget",
    "never",
    "old",
)
REASONS: Mapping[str, FailureKind | None] = {
    GOOD: None,
    SLOW: FailureKind.SLOW,
    CUT: FailureKind.TRUNCATED,
    DOWN: FailureKind.BAD_GATEWAY,
    BLOCKED: FailureKind.DNS_POISONED,
    REFUSED: FailureKind.TCP_REFUSED,
    UNSEEN: FailureKind.SERVER_ERROR,
    KEY: FailureKind.AUTH_INVALID,
    BUDGET: FailureKind.BUDGET_PAUSED,
    NEVER: None,
    OLD: None,
}
Cells = tuple[str, str] | None
"""What is the matter with the main call and the other one; None in maintenance."""


@cache
def good(check: str) -> CheckHistory:
    known_check = next(candidate for candidate in CHECKS if candidate.key == check)
    return history(known_check, Random(check), days=3)


def world(endpoints: tuple[Cells, ...]) -> tuple[Site, Snapshot]:
    names = NAMES[: len(endpoints)]
    keys = [f"ohmygpt/{name}/{call}" for name in names for call in CALLS]
    snapshot = Snapshot(at=NOW, checks={key: good(key) for key in keys}, incidents=())
    incidents: dict[tuple[Severity, str], list[str]] = {}
    paused = frozenset(
        f"ohmygpt/{name}" for name, cells in zip(names, endpoints, strict=True) if cells is None
    )
    for name, cells in zip(names, endpoints, strict=True):
        for call, why in zip(CALLS, cells or (), strict=False):
            key, kind = f"ohmygpt/{name}/{call}", REASONS[why]
            if kind and kind.outcome.value != "unknown":
                severity = Severity.DOWN if kind.outcome.value == "down" else Severity.DEGRADED
                incidents.setdefault((severity, why), []).append(key)
                snapshot = fail(snapshot, key, kind, 1)
                if why == UNSEEN:
                    snapshot = replace(snapshot, checks=changed(snapshot.checks, key, why))
            elif kind:
                if why == KEY:
                    incidents.setdefault((Severity.ACCOUNT, why), []).append(key)
                snapshot = fail(snapshot, key, kind)
            elif why != GOOD:
                snapshot = replace(snapshot, checks=changed(snapshot.checks, key, why))
    opened = tuple(
        incident(number, severity, kind, ago(minutes=12), None, *keys)
        for number, ((severity, why), keys) in enumerate(incidents.items(), 1)
        if (kind := REASONS[why])
    )
    maintenance = Maintenance(
        id="work",
        title="Work",
        endpoints=paused,
        once=MaintenanceWindow(ago(hours=1), ago(hours=-1)),
    )
    site = replace(
        SITE,
        services=(
            replace(
                SERVICE,
                endpoints=tuple(endpoint for endpoint in SERVICE.endpoints if endpoint.id in names),
            ),
        ),
        checks=tuple(check for check in CHECKS if check.key in keys),
        maintenance=(maintenance,) if paused else (),
        settings=replace(SITE.settings, languages=("en",)),
    )
    return site, replace(snapshot, incidents=opened)


def changed(checks: Mapping[str, CheckHistory], key: str, why: str) -> Mapping[str, CheckHistory]:
    others = {name: history for name, history in checks.items() if name != key}
    if why == NEVER:
        return others
    latest = checks[key].latest
    assert latest is not None
    if why == UNSEEN:  # believed down, and then the budget was spent
        blind = result(key, 900, failure=Failure(FailureKind.BUDGET_PAUSED, "spent"))
        before = replace(blind, at=blind.at - timedelta(minutes=1))
        return {**others, key: replace(checks[key], latest=blind, recent=(before, blind))}
    old = replace(latest, at=NOW - timedelta(hours=2))
    return {**others, key: replace(checks[key], latest=old, recent=())}


@dataclass(frozen=True)
class Seen:
    """What a reader or a program gets of one world."""

    page: PageView
    incidents: tuple[Incident, ...]
    home: str
    files: Mapping[str, bytes]

    @property
    def said(self) -> str:
        """Headline and the paragraph below it."""
        return f"{self.page.headline} {self.page.text}"

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    @property
    def rows(self) -> Counter[State]:
        return Counter(endpoint.state for endpoint in self.page.endpoints)

    @property
    def serving_well(self) -> int:
        """What answers, and neither cuts nor holds back nor falsifies."""
        return self.serving - sum(
            endpoint.main_state is State.DEGRADED
            and endpoint.main_check.failure is not None
            and endpoint.main_check.failure.row.spoils_answer
            for endpoint in self.page.endpoints
        )

    @property
    def serving(self) -> int:
        working = {State.OPERATIONAL, State.DEGRADED}
        return sum(endpoint.main_state in working for endpoint in self.page.endpoints)


def seen(endpoints: tuple[Cells, ...]) -> Seen:
    site, snapshot = world(endpoints)
    page = view(site, snapshot, {})[0]
    files = renderer().files(page)
    return Seen(page, snapshot.incidents, page_text(files["index.html"].decode()), files)


@cache
def renderer() -> Renderer:
    return Renderer()


# --- the laws -------------------------------------------------------------------------------------

LAWS: list[Callable[[Seen], Iterator[str]]] = []


def law(rule: Callable[[Seen], Iterator[str]]) -> Callable[[Seen], Iterator[str]]:
    LAWS.append(rule)
    return rule


@law
def all_work_only_if_all_are_known_to_and_no_incident_is_open(seen: Seen) -> Iterator[str]:
    if "All base URLs work" in seen.said:
        if any(endpoint.main_state is not State.OPERATIONAL for endpoint in seen.page.endpoints):
            yield "a main call is not known to work"
        if set(seen.rows) != {State.OPERATIONAL}:
            yield "a row is not operational"
        if seen.incidents:
            yield "an incident is open"


@law
def down_only_if_the_main_call_is_known_bad_everywhere(seen: Seen) -> Iterator[str]:
    is_down = set(seen.rows) == {State.MAJOR}
    for name, says in (
        ("headline", bool(re.search(r"service (is down|cannot be reached)", seen.said))),
        ("state", seen.page.state is State.MAJOR),
        ("triage", seen.page.service.what == "Down"),
        ("text", "No request succeeds" in seen.said),
    ):
        if says != is_down:
            yield f"{name}: {says}, rows: {is_down}"


@law
def up_only_if_a_main_call_is_answered(seen: Seen) -> Iterator[str]:
    for name, says in (
        ("headline", "The service is up" in seen.said or "All base URLs work" in seen.said),
        ("triage", seen.page.service.what == "Up"),
    ):
        if says != (seen.serving > 0):
            yield f"{name}: {says}, serving: {seen.serving}"


@law
def a_headline_counts_the_rows(seen: Seen) -> Iterator[str]:
    words = {
        r"base URLs? (?:is|are) (?:down|not reachable)": State.MAJOR,
        r"base URLs? fails? in part": State.PARTIAL,
        r"base URLs? (?:is|are) degraded": State.DEGRADED,
        r"base URLs? (?:is|are) in maintenance": State.MAINTENANCE,
        r"base URLs? cannot be measured": State.UNKNOWN,
    }
    for pattern, state in words.items():
        match = re.search(rf"(One|\d+) {pattern}", seen.page.headline)
        if match:
            number = 1 if match[1] == "One" else int(match[1])
            blocked = sum(
                endpoint.state is state and endpoint.blocked for endpoint in seen.page.endpoints
            )
            if number not in {seen.rows[state], blocked, seen.rows[state] - blocked}:
                yield f"{match[0]}, rows: {seen.rows[state]}"


@law
def requests_succeed_through_as_many_as_rows_say(seen: Seen) -> Iterator[str]:
    total = len(seen.page.endpoints)
    if match := re.search(r"succeed through (\d+) of (\d+)", seen.said):
        if (int(match[1]), int(match[2])) != (seen.serving_well, total):
            yield match[0]
    elif re.search(r"succeed through (all|its|every)", seen.said) and seen.serving_well != total:
        yield f"all, but {seen.serving_well} of {total}"
    spoiled = re.search(r"Through (\d+) base URLs? answers come cut off", seen.said)
    if int(spoiled[1] if spoiled else 0) != seen.serving - seen.serving_well:
        yield f"{spoiled and spoiled[0]}, but {seen.serving - seen.serving_well}"
    if match := re.search(r"(\d+) base URLs? (?:is|are) not measured", seen.said):
        unknown = sum(endpoint.main_state is State.UNKNOWN for endpoint in seen.page.endpoints)
        if int(match[1]) != unknown:
            yield f"{match[0]}, but {unknown}"


@law
def a_call_fails_everywhere_only_if_every_cell_says_so(seen: Seen) -> Iterator[str]:
    for probe in re.findall(r"Requests for (\w+) fail through every base URL", seen.said):
        if {endpoint.checks[probe].state for endpoint in seen.page.endpoints} != {State.MAJOR}:
            yield probe
    for service in seen.page.services:
        for call, state in service.calls.items():
            if state is not call_state(
                endpoint.checks[call].state for endpoint in service.endpoints
            ):
                yield f"{call} is {state}"


@law
def good_news_of_the_network_stands_beside_no_failure(seen: Seen) -> Iterator[str]:
    network = seen.page.network
    if network.state is State.OPERATIONAL:
        if re.search(r"down|blocked|degraded|fail for|fails for", f"{network.what} {network.note}"):
            yield f"{network.what}: {network.note}"
        probed = [view for view in seen.page.endpoints if view.state is not State.MAINTENANCE]
        if network.what == "All paths work" and any(
            view.astray or not view.is_reached for view in probed
        ):
            yield "all paths, with one that nothing gets through or that fails on the way"


@law
def the_recommendation_is_known_to_work(seen: Seen) -> Iterator[str]:
    by_path = seen.page.by_path
    covered = {
        path
        for each in seen.page.current
        for path in each.endpoints
        if each.severity in {Severity.DOWN, Severity.DEGRADED}
    }
    picks = [*seen.page.picks, *(each for s in seen.page.services for each in s.next)]
    for pick in picks:
        endpoint = by_path[pick.endpoint]
        if endpoint.main_state not in {State.OPERATIONAL, State.DEGRADED}:
            yield f"{pick.endpoint} is {endpoint.main_state}"
        if pick.endpoint in covered and not pick.flaw:
            yield f"{pick.endpoint} is in an incident"
    if any(pick.flaw for pick in picks):
        if "Only base URLs with faults are left" not in seen.home:
            yield "a base URL with a fault, and nothing says so"
        if any(
            each.state is State.OPERATIONAL and each.path not in covered
            for each in by_path.values()
        ):
            yield "a base URL with a fault, though one without is left"
    elif picks and "Only base URLs with faults are left" in seen.home:
        yield "no base URL with a fault"
    if "No base URL is known to work" in seen.home and seen.serving:
        yield f"none, but {seen.serving} answer"


@law
def a_card_names_a_base_url_that_works_or_says_that_there_is_none(seen: Seen) -> Iterator[str]:
    urls = {each.url: each for each in seen.page.endpoints}
    for story in seen.page.current:
        if story.severity not in {Severity.DOWN, Severity.DEGRADED}:
            if story.instead:
                yield f"{story.title} is not of base URLs"
        elif story.instead is None:
            if seen.home.count("There is no other base URL to recommend") == 0:
                yield "silent"
            if "another base URL" in story.do.lower():
                yield f"{story.do}: which?"
        else:
            endpoint = urls[story.instead]
            if endpoint.path in story.endpoints:
                yield f"{story.instead} is in the incident"
            if endpoint.main_state is not State.OPERATIONAL:
                yield f"{story.instead} is {endpoint.main_state}"


@law
def programs_are_told_what_people_are_told(seen: Seen) -> Iterator[str]:
    status, summary = seen.json("status.json"), seen.json("api/v2/summary.json")
    page = seen.page
    if (status["state"], status["headline"]) != (page.state.value, page.headline):
        yield "status.json"
    indicators = {
        "operational": "none",
        "degraded_performance": "minor",
        "partial_outage": "major",
        "major_outage": "critical",
        "under_maintenance": "maintenance",
        "unknown": "minor",
    }
    if summary["status"]["indicator"] != indicators[page.state.value]:
        yield "api/v2"
    if summary["status"]["description"] != page.headline:
        yield "api/v2 says something else"
    for component in summary["components"]:
        path, _, call = component["id"].partition("/")[2].partition("/")
        endpoint = page.by_path[f"ohmygpt/{path}"]
        state = endpoint.checks[call].state if call else endpoint.state
        if component["x_state"] != state.value:
            yield component["id"]
    badge = json.loads(seen.files["badge.json"])["message"]
    labels = {
        "operational": "operational",
        "unknown": "no data",
        "under_maintenance": "maintenance",
        "degraded_performance": "degraded",
        "partial_outage": "partial outage",
        "major_outage": "major outage",
    }
    if badge != labels[page.state.value]:
        yield f"badge: {badge}"
    best = seen.files["best.txt"].decode().strip()
    if best != (page.picks[0].url if page.picks else ""):
        yield f"best.txt: {best}"
    if seen.json("best.json")["services"]["ohmygpt"] is None and best:
        yield "best.json"


@law
def what_cannot_be_measured_is_not_called_ongoing(seen: Seen) -> Iterator[str]:
    for story in seen.page.current:
        cells = [
            seen.page.by_path[check.rpartition("/")[0]].checks[check.rpartition("/")[2]].state
            for incident in seen.incidents
            if incident.id == story.id
            for check in incident.active
        ]
        blind = set(cells) == {State.UNKNOWN} and story.severity.value in {"down", "degraded"}
        if (story.phase == "Not measured now") != blind:
            yield f"{story.title}: {story.phase}"


@law
def it_never_says_that_there_are_no_results_beside_calls_that_are_answered(
    seen: Seen,
) -> Iterator[str]:
    if "no results to judge by" in seen.said and any(e.is_reached for e in seen.page.endpoints):
        yield "a call is answered"


@law
def what_is_not_measured_now_is_said_in_the_past(seen: Seen) -> Iterator[str]:
    for story in seen.page.current:
        kinds = [kind.row for kind in story.kinds if kind.row.was != kind.row.what]
        if not story.measured and any(row.what in story.what for row in kinds):
            yield f"{story.title}: {story.what}"
        if story.measured and any(row.was in story.what for row in kinds):
            yield f"{story.title}: {story.what}"


@law
def what_is_unknown_is_not_called_good(seen: Seen) -> Iterator[str]:
    for endpoint in seen.page.endpoints:
        good = endpoint.state in {State.OPERATIONAL, State.DEGRADED}
        if endpoint.main_state is State.UNKNOWN and good:
            yield f"{endpoint.path} is {endpoint.state}"
    if seen.serving == 0 and seen.page.state in {State.OPERATIONAL, State.DEGRADED}:
        yield f"the page is {seen.page.state}"
    if seen.page.state is State.UNKNOWN and seen.page.fresh_until:
        yield "live"


def broken(endpoints: tuple[Cells, ...]) -> list[str]:
    site = seen(endpoints)
    return [f"{rule.__name__}: {why}" for rule in LAWS for why in rule(site)]


# --- the worlds -----------------------------------------------------------------------------------

CELLS = st.none() | st.tuples(st.sampled_from([*REASONS]), st.sampled_from([*REASONS]))


@settings(max_examples=20, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=3).map(tuple))
def test_no_two_sentences_contradict_each_other(endpoints: tuple[Cells, ...]) -> None:
    assert broken(endpoints) == []


ONE_OF_A_STATE = (GOOD, CUT, DOWN, BUDGET)
ALL: tuple[Cells, ...] = (None, *product(ONE_OF_A_STATE, ONE_OF_A_STATE))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, pytest.param(3, marks=pytest.mark.proof)])
def test_nor_do_they_in_any_combination_of_states(count: int) -> None:
    """The order of base URLs says nothing, so each combination is taken once."""
    worlds = combinations_with_replacement(ALL, count)
    breaches = {endpoints: why for endpoints in worlds if (why := broken(endpoints))}
    assert breaches == {}


@pytest.mark.parametrize(
    ("endpoints", "headline", "state"),
    [
        # one was down, and then the budget was spent: what is down now is not known
        (((UNSEEN, GOOD),) * 2, "Requests for chat are not measured right now.", State.UNKNOWN),
        # one dead base URL, and the budget is spent
        (
            ((BUDGET, REFUSED), (BUDGET, GOOD), (BUDGET, GOOD)),
            "Whether the service is up is not known. One base URL is down.",
            State.PARTIAL,
        ),
        (((BUDGET, GOOD),) * 3, "Requests for chat are not measured right now.", State.UNKNOWN),
        (((KEY, KEY),) * 3, "We cannot measure right now.", State.UNKNOWN),
        (
            ((DOWN, GOOD),) * 2 + ((BUDGET, GOOD),),
            "Whether the service is up is not known. 2 base URLs are down.",
            State.PARTIAL,
        ),
        (((DOWN, GOOD),) * 3, "The service is down.", State.MAJOR),
        (
            ((GOOD, DOWN),) * 3,
            "The service is up. Requests for models fail through every base URL.",
            State.PARTIAL,
        ),
        (((BLOCKED, BLOCKED),) * 2, "The service cannot be reached from Shanghai.", State.MAJOR),
        (
            ((DOWN, DOWN), None),
            "Whether the service is up is not known. One base URL is down.",
            State.PARTIAL,
        ),
        (
            ((GOOD, GOOD), (OLD, OLD)),
            "The service is up. One base URL cannot be measured.",
            State.OPERATIONAL,
        ),
        (((CUT, GOOD),) * 2, "The service is up. 2 base URLs are degraded.", State.DEGRADED),
    ],
)
def test_what_the_headline_says_of(
    endpoints: tuple[Cells, ...], headline: str, state: State
) -> None:
    page = seen(endpoints).page
    assert (page.headline, page.state) == (headline, state)


def test_calls_that_get_through_show_that_ways_work_also_where_the_main_call_is_not_measured() -> (
    None
):
    page = seen(((BUDGET, REFUSED), (BUDGET, GOOD), (BUDGET, GOOD))).page
    assert page.text.startswith("No base URL is known to answer requests for chat.")
    assert (page.network.what, page.network.note) == ("1\u00a0down", "3 base URLs")


def test_a_base_url_that_cuts_its_answers_is_named_only_where_no_other_answers_and_as_such() -> (
    None
):
    beside_good = seen(((CUT, GOOD), (GOOD, GOOD)))
    assert [pick.endpoint for pick in beside_good.page.picks] == ["ohmygpt/cf-cdn"]
    assert "api.ohmygpt.com" not in beside_good.files["best.txt"].decode()
    alone = seen(((CUT, GOOD), (DOWN, DOWN)))
    assert [(pick.endpoint, pick.flaw) for pick in alone.page.picks] == [
        ("ohmygpt/us-direct", True)
    ]
    assert alone.json("best.json")["services"]["ohmygpt"]["flaw"] is True


@pytest.mark.parametrize(
    ("endpoints", "sentences"),
    [
        (
            ((CUT, GOOD), (GOOD, GOOD)),
            "Requests succeed through 1 of 2 base URLs. Through 1 base URL answers come cut off, held back or wrong.",
        ),
        (
            ((CUT, GOOD), (CUT, GOOD)),
            "Through 2 base URLs answers come cut off, held back or wrong.",
        ),
        (((SLOW, GOOD), (GOOD, GOOD)), "Requests succeed through all 2 base URLs."),
    ],
)
def test_what_cuts_or_spoils_its_answers_is_not_counted_as_a_success(
    endpoints: tuple[Cells, ...], sentences: str
) -> None:
    assert seen(endpoints).page.text.startswith(sentences)
