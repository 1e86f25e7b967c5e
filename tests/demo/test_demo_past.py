"""The demo's past: what a page says of it is true, and the incidents of it are the alert engine's own."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from cast import HandClock, english_words

from monitor.config import Config
from monitor.daemon.components import voting_of
from monitor.demo.endpoints import HUB, PLACES, SHANGHAI
from monitor.demo.past import DAYS, TROUBLES, YOUNG, YOUNG_DAYS, PastRun, past_runs, write_past
from monitor.language import language
from monitor.model import FailureKind, Outcome, Phase, Severity
from monitor.store import Store

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 24, 0, 0, 30, tzinfo=UTC)
CHINESE = language("zh-CN")


def runs_of(loaded: Config, now: datetime) -> list[PastRun]:
    return past_runs(loaded.checks, now, Random(1))


@pytest.mark.parametrize("now", [NOON, MIDNIGHT])
def test_every_check_ran_on_each_day_at_each_place_but_the_young_one(
    loaded: Config, now: datetime
) -> None:
    runs = runs_of(loaded, now)
    assert [run.result.at for run in runs] == sorted(run.result.at for run in runs)
    assert runs[-1].result.at < now
    days: dict[tuple[str, str], set[date]] = {}
    for run in runs:
        days.setdefault((run.result.check, run.result.vantage), set()).add(run.result.at.date())
    assert days.keys() == {(check.key, place.id) for check in loaded.checks for place in PLACES}
    for (check, _), seen in days.items():
        length = YOUNG_DAYS if f"/{YOUNG}/" in check else DAYS
        before_today = {now.date() - timedelta(days=ago) for ago in range(1, length)}
        assert seen - {now.date()} == before_today


def test_base_urls_answered_nearly_always_and_failed_only_for_what_is_told(loaded: Config) -> None:
    outcomes: dict[tuple[str, str], Counter[Outcome]] = {}
    for run in runs_of(loaded, NOON):
        result = run.result
        counts = outcomes.setdefault((result.check, result.vantage), Counter())
        counts[result.outcome] += 1
    for counts in outcomes.values():
        counted = counts[Outcome.UP] + counts[Outcome.DEGRADED] + counts[Outcome.DOWN]
        assert 0.9 < 1 - counts[Outcome.DOWN] / counted <= 1
    assert outcomes["demo/fast-cdn/models", HUB.id].keys() == {Outcome.UP}


def test_the_same_seed_makes_the_same_past_and_another_one_another(loaded: Config) -> None:
    first, second, other = (past_runs(loaded.checks[:3], NOON, Random(seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_what_it_observed_is_said_in_chinese_too() -> None:
    for trouble in TROUBLES:
        said = CHINESE.observed(trouble.failure.message).replace("us-direct.localhost", "")
        assert english_words(said) == []


async def test_incidents_are_closed_and_last_as_long_as_their_troubles(loaded: Config) -> None:
    few = {"us-direct", "cf-worker", "proxy-1"}
    config = replace(
        loaded, checks=tuple(check for check in loaded.checks if check.endpoint.id in few)
    )
    await write_past(config, voting_of(config), HandClock(NOON), Random(1))
    reader = Store.read_only(config.store, vantage=HUB.id)
    state, incidents = reader.restart_state(NOON), reader.incidents()
    reader.close()

    told = {
        incident.failure.kind: (incident.severity, {*incident.endpoints}, incident.muted)
        for incident in incidents
    }
    everywhere = {f"demo/{endpoint}" for endpoint in few}
    assert told == {
        FailureKind.BAD_GATEWAY: (Severity.DOWN, {"demo/cf-worker"}, None),
        FailureKind.QUOTA_EXHAUSTED: (Severity.ACCOUNT, everywhere, None),
        FailureKind.DNS_POISONED: (Severity.PARTIAL, {"demo/us-direct"}, None),
        FailureKind.TRUNCATED: (Severity.DEGRADED, {"demo/proxy-1"}, None),
    }
    troubles = {trouble.failure.kind: trouble for trouble in TROUBLES}
    for incident in incidents:
        assert incident.closed
        trouble, seconds = troubles[incident.failure.kind], timedelta(seconds=10)
        assert abs(incident.opened - trouble.since(NOON)) < seconds
        assert abs(incident.closed - incident.opened - trouble.lasts) < seconds
    dns = next(each for each in incidents if each.failure.kind is FailureKind.DNS_POISONED)
    assert dns.places == (SHANGHAI.id,)
    assert (state.stopped_cleanly, state.last_seen, state.incidents) == (True, NOON, ())
    assert {each.phase for each in state.states.values()} <= {Phase.UP}
