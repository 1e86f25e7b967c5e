"""What is bad over a window of time, which certificates end too soon, and who is turned away."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from alerts_cast import START, Given, Night
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.policies import (
    POLICIES,
    BurnRate,
    CertificateExpiry,
    FailureRate,
    Latency,
    SlowBurnRate,
    certificate_days,
    default_rules,
)
from monitor.alerts.sliding_window import SlidingWindows
from monitor.model import (
    AlertSettings,
    Failure,
    FailureKind,
    Outcome,
    Result,
    Rollup,
    Severity,
    Timings,
    Verdict,
)
from monitor.model.rollup import NOTHING, merge

HALF_HOUR = timedelta(minutes=30)
ALWAYS = tuple(policy() for policy in POLICIES.values() if not policy.on_demand)
WINDOWED = tuple(policy() for policy in POLICIES.values() if policy.on_demand)


def run(
    second: float = 0,
    kind: FailureKind | None = None,
    ttft: float | None = None,
    check: str = "s/a/chat",
) -> Result:
    return Result(
        check=check,
        vantage="local",
        at=START + timedelta(seconds=second),
        outcome=kind.outcome if kind else Outcome.UP,
        failure=Failure(kind, f"got {kind.value}") if kind else None,
        timings=Timings(ttft=ttft),
    )


def window(*results: Result) -> Rollup:
    return merge(Rollup.of(result) for result in results)


def test_every_policy_has_its_rule_and_the_first_five_are_those_of_the_severities() -> None:
    rules = default_rules(AlertSettings())
    assert [rule.name for rule in rules] == [policy.kind for policy in ALWAYS]
    assert [(rule.name, rule.after, rule.recover) for rule in rules[:5]] == [
        ("down", 3, 2),
        ("degraded", 5, 2),
        ("promise", 1, 2),
        ("account", 2, 2),
        ("monitor", 3, 2),
    ]
    asked = AlertSettings(policies=(FailureRate(), CertificateExpiry(days=30)))
    names = [rule.name for rule in default_rules(asked)]
    assert names == [*[policy.kind for policy in ALWAYS], "failure_rate"]
    on_demand = {"burn_rate", "slow_burn_rate", "latency"}
    assert set(POLICIES) == {*names, *on_demand}, "want a new policy here and in the next test"


def test_too_many_failures_are_bad_even_where_they_never_come_in_a_row() -> None:
    night = Night(settings=AlertSettings(policies=(FailureRate(above=0.3, at_least=6),)))
    for _ in range(6):
        night.see("s/a/chat", FailureKind.BAD_GATEWAY)
        night.see("s/a/chat", times=2)
    assert night.messages == ["opened #1 degraded to phone"]
    failure = night.incidents[1].failure
    assert failure.kind is FailureKind.BAD_GATEWAY
    assert failure.message == "got 2 of 6 runs failed within 30m, want under 30%"

    night.see("s/a/chat", times=60)
    assert night.messages == ["opened #1 degraded to phone", "resolved #1 degraded to phone"]


def test_a_rate_between_its_limits_moves_nothing_and_too_few_runs_say_nothing() -> None:
    rate = FailureRate(above=0.5, below=0.2, at_least=4)
    bad, good = run(kind=FailureKind.SERVER_ERROR), run()
    assert rate.judge(Given(good, window(bad, bad, good, good))) is Verdict.BAD
    assert rate.judge(Given(good, window(bad, good, good, good))) is Verdict.NONE
    assert rate.judge(Given(good, window(good, good, good, good))) is Verdict.GOOD
    assert rate.judge(Given(good, window(bad, bad, bad))) is Verdict.NONE
    assert (
        rate.judge(Given(run(kind=FailureKind.NO_KEY), window(bad, bad, bad, bad))) is Verdict.NONE
    )


def test_a_latency_objective_is_a_percentile_of_a_timing_with_two_limits() -> None:
    objective = Latency(
        above=timedelta(seconds=2), below=timedelta(seconds=1), percentile=50, at_least=3
    )

    def verdict(*ttft: float) -> Verdict:
        runs = [run(ttft=value) for value in ttft]
        return objective.judge(Given(runs[-1], window(*runs)))

    assert verdict(5000, 5000, 10) is Verdict.BAD
    assert verdict(1500, 1500, 10) is Verdict.NONE
    assert verdict(900, 900, 5000) is Verdict.GOOD
    assert verdict(5000, 5000) is Verdict.NONE
    runs = [run(ttft=5000)] * 3
    assert objective.why(Given(runs[0], window(*runs))) == Failure(
        FailureKind.SLOW, "got ttft p50 5.04 s within 30m, want under 2 s"
    )


def test_slow_answers_are_told_though_no_single_run_was_called_slow() -> None:
    objective = Latency(above=timedelta(seconds=2), below=timedelta(seconds=1), at_least=3)
    night = Night(settings=AlertSettings(policies=(objective,)))
    for second in range(9):
        night.keep(night.alerts.judge(run(second, ttft=5000)))
    assert night.messages == ["opened #1 degraded to phone"]
    assert night.incidents[1].failed_runs == {"slow": 7}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FailureRate(above=0.1, below=0.2),
        lambda: FailureRate(above=1.1),
        lambda: Latency(timing="ttfx"),
        lambda: Latency(percentile=0),
        lambda: Latency(above=timedelta(seconds=1), below=timedelta(seconds=2)),
        lambda: CertificateExpiry(days=0),
    ],
)
def test_limits_that_do_not_fit_together_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="want"):
        wrong()  # type: ignore[operator]


def test_a_certificate_that_ends_soon_is_told_for_its_base_url_and_hides_nothing() -> None:
    night = Night()
    ends = replace(run(), cert_expires=START + timedelta(days=9, hours=1))
    for _ in range(3):
        night.keep(night.alerts.judge(replace(ends, at=night.now)))
        night.now += timedelta(seconds=1)
    assert night.messages == ["opened #1 degraded to phone"]
    assert night.incidents[1].failure == Failure(
        FailureKind.CERT_EXPIRING,
        "got a certificate that ends in 9 days (2026-12-03), want 14 or more",
    )

    night.see("s/a/chat", FailureKind.SLOW, times=5)
    assert night.messages == ["opened #1 degraded to phone", "opened #2 degraded to phone"]
    renewed = replace(run(), cert_expires=START + timedelta(days=90))
    for _ in range(2):
        night.keep(night.alerts.judge(renewed))
    assert night.incidents[1].closed is not None


SIX_DAYS = timedelta(days=6)


@pytest.mark.parametrize(
    ("lifetime", "days", "left", "verdict"),
    [
        (SIX_DAYS, 14, timedelta(days=5, hours=23), Verdict.GOOD),
        (SIX_DAYS, 14, timedelta(days=2), Verdict.GOOD),
        (SIX_DAYS, 14, timedelta(days=1, hours=23), Verdict.BAD),
        (SIX_DAYS, 2, timedelta(days=2), Verdict.GOOD),
        (timedelta(days=1), 14, timedelta(hours=9), Verdict.GOOD),
        (timedelta(days=1), 14, timedelta(hours=7), Verdict.BAD),
        (timedelta(days=90), 14, timedelta(days=14), Verdict.GOOD),
        (timedelta(days=90), 14, timedelta(days=13), Verdict.BAD),
        (timedelta(days=90), 30, timedelta(days=29), Verdict.BAD),
        (timedelta(days=28), 14, timedelta(days=13), Verdict.BAD),
        (None, 14, timedelta(days=5), Verdict.BAD),
    ],
)
def test_a_short_lived_certificate_is_well_until_the_last_third_of_its_life(
    lifetime: timedelta | None, days: int, left: timedelta, verdict: Verdict
) -> None:
    shown = replace(run(), cert_expires=START + left, cert_lifetime=lifetime)
    assert CertificateExpiry(days=days).judge(Given(shown)) is verdict


def test_a_short_lived_certificate_says_when_in_hours() -> None:
    shown = replace(
        run(), cert_expires=START + timedelta(hours=30, minutes=5), cert_lifetime=SIX_DAYS
    )
    assert CertificateExpiry().why(Given(shown)).message == (
        "got a certificate that ends in 1d6h (2026-11-25 18:05), want 2d or more"
    )


def test_the_days_of_the_operator_decide_for_results_too() -> None:
    assert certificate_days(AlertSettings()) == 14
    assert certificate_days(AlertSettings(policies=(CertificateExpiry(days=3),))) == 3


def test_a_run_that_is_good_but_for_its_certificate_is_not_degraded_twice() -> None:
    ending = replace(run(kind=FailureKind.CERT_EXPIRING), cert_expires=START + timedelta(days=3))
    assert POLICIES["degraded"]().judge(Given(ending)) is Verdict.GOOD
    assert POLICIES["certificate"]().judge(Given(ending)) is Verdict.BAD
    assert POLICIES["certificate"]().judge(Given(run())) is Verdict.NONE


def test_an_edge_that_turns_the_monitor_away_is_one_services_trouble_and_hides_no_other() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.EDGE_CHALLENGE, times=3)
    night.see("t/a/chat", FailureKind.OFFLINE, times=3)
    assert night.messages == ["opened #1 monitor to phone", "opened #2 monitor to phone"]
    assert [night.incidents[n].service for n in (1, 2)] == ["s", None]
    assert night.incidents[1].severity is Severity.MONITOR


@given(st.lists(st.tuples(st.integers(0, 3600), st.booleans()), max_size=80))
def test_a_window_holds_all_of_its_last_eleven_twelfths_and_nothing_older_than_itself(
    seen: list[tuple[int, bool]],
) -> None:
    windows = SlidingWindows()
    runs = [run(second, FailureKind.SERVER_ERROR if bad else None) for second, bad in sorted(seen)]
    for each in runs:
        windows.add(each, {HALF_HOUR}, in_maintenance=False)
    if runs:
        now = runs[-1].at
        found = windows.total("s/a/chat", "local", HALF_HOUR)
        least = sum(now - each.at <= HALF_HOUR * 11 / 12 for each in runs)
        most = sum(now - each.at <= HALF_HOUR for each in runs)
        assert least <= found.counted <= most


def test_a_clock_that_was_set_back_empties_a_window_rather_than_mixing_the_times() -> None:
    windows = SlidingWindows()
    for second in (0, 7200, 60):
        windows.add(run(second), {HALF_HOUR}, in_maintenance=False)
    assert windows.total("s/a/chat", "local", HALF_HOUR).counted == 1
    assert windows.total("s/b/chat", "local", HALF_HOUR) == NOTHING


def test_after_a_restart_windows_and_streaks_are_as_before() -> None:
    settings = AlertSettings(policies=(FailureRate(above=0.5, at_least=6),))
    night = Night(settings=settings)
    night.see("s/b/chat")
    before = []
    for kind in (
        FailureKind.CONNECT_TIMEOUT,
        None,
        FailureKind.BAD_GATEWAY,
        None,
        FailureKind.CONNECT_TIMEOUT,
    ):
        before.append(run(len(before), kind))
        night.keep(night.alerts.judge(before[-1]))
    before.append(run(len(before), FailureKind.BAD_GATEWAY))
    night.keep(night.alerts.judge(before[-1]))
    assert night.messages == ["opened #1 degraded to phone"]

    night.restart()
    night.alerts.seed([run(check="s/b/chat"), *before])
    night.keep(night.alerts.judge(run(9, FailureKind.BAD_GATEWAY)))
    assert night.incidents[1].failure.message.startswith("got 5 of 7 runs failed")
    assert night.incidents[2].failed_runs == {"connect_timeout": 1, "bad_gateway": 2}


def test_a_cause_that_changes_over_a_restart_is_an_entry() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.CONNECT_TIMEOUT, times=3)
    night.restart()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY)
    assert [entry.what.value for entry in night.incidents[1].timeline] == ["opened", "cause"]


B, G, N = Verdict.BAD, Verdict.GOOD, Verdict.NONE


@pytest.mark.parametrize(
    ("kind", "verdicts"),
    [
        #                    down degr acct mon  refu budg
        (None, (G, G, G, G, G, G)),
        (FailureKind.BAD_GATEWAY, (B, N, N, G, G, G)),
        (FailureKind.SNI_BLOCKED, (B, N, N, G, G, G)),
        (FailureKind.SLOW, (G, B, G, G, G, G)),
        (FailureKind.CERT_EXPIRING, (G, G, G, G, G, G)),
        (FailureKind.AUTH_INVALID, (N, N, B, G, G, G)),
        (FailureKind.NO_KEY, (N, N, N, N, G, G)),
        (FailureKind.OFFLINE, (N, N, N, B, N, G)),
        (FailureKind.OVERRUN, (N, N, N, B, N, G)),
        (FailureKind.EDGE_CHALLENGE, (N, N, N, G, B, G)),
        (FailureKind.EDGE_DENIED, (N, N, N, G, B, G)),
        (FailureKind.BUDGET_PAUSED, (N, N, N, N, N, B)),
    ],
)
def test_what_each_policy_makes_of_each_sort_of_run(
    kind: FailureKind | None, verdicts: tuple[Verdict, ...]
) -> None:
    asked = [
        policy for policy in ALWAYS if policy.kind not in {"certificate", "balance", "promise"}
    ]
    assert tuple(policy.judge(Given(run(kind=kind))) for policy in asked) == verdicts


@pytest.mark.parametrize(
    ("kept", "kind", "promise", "degraded"),
    [
        (False, FailureKind.CACHE_MISSING, B, G),
        (True, None, G, G),
        (None, None, N, G),
        (None, FailureKind.CACHE_MISSING, N, B),
    ],
)
def test_what_several_runs_said_is_the_business_of_one_policy(
    kept: bool | None,
    kind: FailureKind | None,
    promise: Verdict,
    degraded: Verdict,
) -> None:
    history = Given(replace(run(kind=kind), promise_kept=kept))
    names = ("promise", "degraded")
    assert tuple(POLICIES[name]().judge(history) for name in names) == (promise, degraded)


def test_how_sure_each_policy_must_be() -> None:
    def sure(after: int, recover: int) -> dict[str, tuple[int, int]]:
        rules = [policy.rule(after, recover) for policy in (*ALWAYS, *WINDOWED)]
        return {rule.name: (rule.after, rule.recover) for rule in rules}

    assert sure(5, 3) == {
        "down": (5, 3),
        "degraded": (7, 3),
        "promise": (1, 3),
        "account": (2, 3),
        "monitor": (5, 3),
        "refused": (5, 3),
        "budget": (1, 1),
        "balance": (1, 1),
        "certificate": (2, 3),
        "failure_rate": (1, 1),
        "burn_rate": (1, 1),
        "slow_burn_rate": (1, 1),
        "latency": (1, 1),
    }
    assert (sure(1, 1)["account"], sure(1, 1)["certificate"]) == ((1, 1), (1, 1))
    told_once = [policy.kind for policy in ALWAYS if policy.rule(3, 2).notice]
    assert told_once == ["budget", "balance"]


def test_limits_may_meet_and_reach_their_ends() -> None:
    one = timedelta(seconds=1)
    assert CertificateExpiry(days=1).days == 1
    assert FailureRate(above=1, below=1).above == 1
    assert Latency(above=one, below=one, percentile=100).percentile == 100
    assert Latency(percentile=0.5).percentile == 0.5
    assert BurnRate(factor=100, at_least=1).factor == 100


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FailureRate(below=0),
        lambda: FailureRate(above=1.01),
        lambda: Latency(below=timedelta(0)),
        lambda: Latency(percentile=100.5),
        lambda: BurnRate(objective=1),
        lambda: BurnRate(objective=0),
        lambda: BurnRate(factor=0),
        lambda: BurnRate(factor=101),
        lambda: BurnRate(short=timedelta(hours=1)),
        lambda: BurnRate(at_least=0),
    ],
)
def test_limits_beyond_their_ends_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="want"):
        wrong()


def test_a_certificate_with_as_many_days_left_as_wanted_is_good_and_a_dead_one_has_none() -> None:
    policy = CertificateExpiry(days=14)

    def left(**time: float) -> Result:
        return replace(run(), cert_expires=START + timedelta(**time))

    assert policy.judge(Given(left(days=14))) is Verdict.GOOD
    assert policy.judge(Given(left(days=14, seconds=-1))) is Verdict.BAD
    assert policy.why(Given(left(days=-3))).message == (
        "got a certificate that ends in 0 days (2026-11-21), want 14 or more"
    )


def test_a_value_at_a_limit_is_bad_at_the_upper_one_and_not_yet_good_at_the_lower_one() -> None:
    bad, good = run(kind=FailureKind.SERVER_ERROR), run()
    rate = FailureRate(above=0.5, below=0.25, at_least=4)
    assert rate.judge(Given(good, window(bad, bad, good, good))) is Verdict.BAD
    assert rate.judge(Given(good, window(bad, good, good, good))) is Verdict.NONE
    assert rate.judge(Given(good, window(bad, *[good] * 4))) is Verdict.GOOD


def test_a_failure_rate_names_the_kind_that_failed_most() -> None:
    kinds = [
        FailureKind.CONNECT_TIMEOUT,
        *[FailureKind.BAD_GATEWAY] * 2,
        *[FailureKind.SLOW] * 3,
        None,
    ]
    found = FailureRate().why(Given(run(), window(*(run(kind=kind) for kind in kinds))))
    assert found == Failure(
        FailureKind.BAD_GATEWAY, "got 3 of 7 runs failed within 30m, want under 30%"
    )


@dataclass(frozen=True)
class TwoWindows:
    latest: Result
    long: Rollup
    short: Rollup

    def over(self, length: timedelta) -> Rollup:
        return {BurnRate().long: self.long, BurnRate().short: self.short}[length]


def some(down: int, up: int, unknown: int = 0, planned: int = 0) -> Rollup:
    """Runs of a window, by outcome; `planned` failed in maintenance."""
    bad, unseen = run(kind=FailureKind.BAD_GATEWAY), run(kind=FailureKind.OFFLINE)
    kept_apart = [Rollup.of(bad, in_maintenance=True)] * planned
    return merge(
        [Rollup.of(each) for each in [bad] * down + [run()] * up + [unseen] * unknown] + kept_apart
    )


@pytest.mark.parametrize(
    ("long", "short", "verdict"),
    [
        (some(9, 51), some(1, 4), Verdict.BAD),
        (some(8, 52), some(1, 4), Verdict.NONE),  # 13.3 % of an hour, under 14.4 %
        (some(9, 51), some(0, 5), Verdict.GOOD),  # it does not go on
        (some(1, 2), some(1, 2), Verdict.NONE),  # one failed run is no rate
        (some(2, 1), some(2, 0), Verdict.NONE),  # two runs say nothing of five minutes
        (some(2, 1), some(2, 1), Verdict.BAD),
        (some(0, 5), some(0, 2), Verdict.NONE),
        (some(0, 0), some(0, 0), Verdict.NONE),
    ],
)
def test_a_budget_burns_where_both_windows_say_so(
    long: Rollup, short: Rollup, verdict: Verdict
) -> None:
    assert BurnRate().judge(TwoWindows(run(), long, short)) is verdict


counts = st.integers(0, 70)
windows_of_runs = st.builds(some, counts, counts, counts, counts)


@given(windows_of_runs, windows_of_runs, st.floats(0.5, 0.99), st.floats(1, 2))
def test_a_burn_rate_is_bad_above_the_factor_in_both_and_good_under_it_in_the_short_one(
    long: Rollup, short: Rollup, objective: float, factor: float
) -> None:
    """What was not seen, and what was planned, changes nothing; a run that could not see moves nothing."""
    policy = BurnRate(objective=objective, factor=factor)
    seen = TwoWindows(run(), long, short)
    limit = factor * (1 - objective)

    def share(window: Rollup) -> float:
        return window.outcomes.get("down", 0) / window.counted

    if not long.counted or short.counted < 3:
        assert policy.judge(seen) is Verdict.NONE
    elif share(short) < limit * (1 - 1e-6):
        assert policy.judge(seen) is Verdict.GOOD
    elif share(short) > limit * (1 + 1e-6) and share(long) > limit * (1 + 1e-6):
        is_rate = long.outcomes["down"] >= 2
        assert policy.judge(seen) is (Verdict.BAD if is_rate else Verdict.NONE)
    counted_alone = TwoWindows(run(), *(replace(each, maintenance=0) for each in (long, short)))
    assert policy.judge(counted_alone) is policy.judge(seen)
    assert policy.judge(replace(seen, latest=run(kind=FailureKind.OFFLINE))) is Verdict.NONE


def test_a_budget_that_burns_is_told_with_both_windows_and_ends_with_the_short_one() -> None:
    night = Night(settings=AlertSettings(policies=(BurnRate(objective=0.9, factor=3),)))
    night.see("s/a/chat", times=20)
    for _ in range(20):
        night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=2)
        night.see("s/a/chat")
    assert night.messages == ["opened #1 degraded to phone"]
    assert night.incidents[1].failure == Failure(
        FailureKind.BAD_GATEWAY,
        "got 11 of 36 runs failed within 1h and 11 of 36 within 5m, want under 30% in one of them",
    )
    night.now += timedelta(minutes=6)
    night.see("s/a/chat", times=3)  # the hour still burns
    assert night.messages[1:] == ["resolved #1 degraded to phone"]
    assert (SlowBurnRate().windows, SlowBurnRate().factor) == (
        (timedelta(hours=6), HALF_HOUR),
        6.0,
    )


def test_latency_says_nothing_of_runs_that_failed_nor_where_nothing_was_measured() -> None:
    objective = Latency(
        above=timedelta(seconds=2), below=timedelta(seconds=1), percentile=50.4, at_least=2
    )
    two = window(run(ttft=10), run(ttft=5000))
    assert objective.judge(Given(run(), two)) is Verdict.BAD  # the 50.4th of two is the second
    assert objective.judge(Given(run(kind=FailureKind.SLOW), two)) is Verdict.BAD
    assert objective.judge(Given(run(kind=FailureKind.BAD_GATEWAY), two)) is Verdict.NONE
    assert objective.judge(Given(run())) is Verdict.NONE


def test_windows_keep_maintenance_apart_and_forget_checks_that_are_gone() -> None:
    windows = SlidingWindows()
    for check in ("s/a/chat", "s/b/chat"):
        windows.add(
            run(kind=FailureKind.SERVER_ERROR, check=check), {HALF_HOUR}, in_maintenance=True
        )
    assert windows.total("s/a/chat", "local", HALF_HOUR) == Rollup(maintenance=1)
    windows.forget({"s/b/chat"})
    assert windows.total("s/a/chat", "local", HALF_HOUR) == NOTHING
    assert windows.total("s/b/chat", "local", HALF_HOUR) == Rollup(maintenance=1)


def test_a_window_slides_in_twelfths_of_its_length() -> None:
    windows = SlidingWindows()
    for second in (140, 149, 160, 1800):
        windows.add(run(second), {HALF_HOUR}, in_maintenance=False)
    assert (
        windows.total("s/a/chat", "local", HALF_HOUR).counted == 2
    )  # the first twelfth is gone as a whole


TWO_WINDOWS = '''

@_listed
@dataclass(frozen=True, slots=True)
class LongAndShort(WindowPolicy):
    """Too many runs fail both over a long window and over a short one."""

    kind: ClassVar[str] = "long_and_short"
    above: float = field(default=0.5, metadata={"help": "bad from this share of failed runs on"})
    long: timedelta = field(default=timedelta(hours=1), metadata={"help": "the long window"})
    short: timedelta = field(default=timedelta(minutes=5), metadata={"help": "the short window"})

    @property
    def windows(self) -> tuple[timedelta, ...]:
        return (self.long, self.short)

    def judge(self, history: RunHistory) -> Verdict:
        shares = [history.over(length).availability for length in self.windows]
        burns = all(share is not None and 1 - share >= self.above for share in shares)
        return Verdict.BAD if burns else Verdict.GOOD

    def why(self, history: RunHistory) -> Failure:
        return Failure(FailureKind.SERVER_ERROR, f"got {history.over(self.short).counted} runs")
'''
ASK_FOR_IT = """
from datetime import timedelta
from pathlib import Path
from pathlib import Path
from monitor.config import parse
text = '[alerts.long_and_short]\\nlong = "2h"\\n[service.s]\\nendpoints = { x = "https://x.example" }\\n'
settings = parse(text, path=Path("/nowhere/monitor.toml"), env={}).alerts
print(settings.policies[0].kind, settings.policies[0].windows[0])
from alerts_cast import Night
from monitor.model import FailureKind
night = Night(settings=settings)
night.see("s/x/http", times=2)
night.see("s/x/http", FailureKind.SERVER_ERROR, times=2)
print(night.messages, night.incidents[1].failure.message)
"""


@pytest.mark.slow
def test_a_policy_with_two_windows_is_one_class_and_nothing_else_lists_it(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    shutil.copytree(root / "monitor", tmp_path / "monitor")
    (tmp_path / "templates").symlink_to(root / "templates")
    with (tmp_path / "monitor/alerts/policies.py").open("a") as policies_file:
        policies_file.write(TWO_WINDOWS)
    path = f"{tmp_path}:{root / 'tests/alerts'}"
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_IT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "long_and_short 2:00:00",
        "['opened #1 degraded to phone'] got 4 runs",
    ], done.stderr


def test_a_policy_asks_only_for_the_windows_that_it_names() -> None:
    class Asked:
        latest = replace(run(ttft=1), cert_expires=START)

        def __init__(self) -> None:
            self.lengths: set[timedelta] = set()

        def over(self, length: timedelta) -> Rollup:
            self.lengths.add(length)
            return window(*[self.latest] * 9)

    for policy in (policy_class() for policy_class in POLICIES.values()):
        history = Asked()
        policy.judge(history)
        assert history.lengths == set(policy.windows), policy.kind
