"""Policies decide when it is bad: one frozen class per answer; pure. The machine says since when and how sure.

A new policy is one class here. A class whose fields have a `help` is a table of the configuration,
`[alerts.NAME]`: its fields are the keys. A policy that is `on_demand` is asked only where the
operator has set its table.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, TypeVar

from monitor.model import (
    TIMING_NAMES,
    AlertSettings,
    Failure,
    FailureKind,
    Fault,
    Outcome,
    Policy,
    Result,
    Rollup,
    Rule,
    RunHistory,
    Severity,
    Verdict,
)
from monitor.model.duration import format_duration
from monitor.model.result import DAYS, ends_soon

_ANSWERED = frozenset({Outcome.UP, Outcome.DEGRADED})
_MS = timedelta(milliseconds=1)
_FEWEST_FAILED = 2
"""One failed run is no rate, however few runs there are."""


class BasePolicy(ABC):
    """Says by class variables how its rule differs from the operator's `after` and `recover`."""

    __slots__ = ()
    kind: ClassVar[str]
    severity: ClassVar[Severity]
    cause: ClassVar[str] = ""
    """Incidents with a cause of their own do not mix with others of the same severity."""
    on_demand: ClassVar[bool] = False
    at_once: ClassVar[bool] = False
    """One verdict is enough, for the begin and for the end."""
    most_runs: ClassVar[int | None] = None
    """`after` is at most so many."""
    more_runs: ClassVar[int] = 0
    """`after` is so many more."""
    notice: ClassVar[bool] = False
    """Told once, without an incident."""

    @property
    def windows(self) -> tuple[timedelta, ...]:
        """Return the lengths that it asks `history.over` for."""
        return ()

    def rule(self, after: int, recover: int) -> Rule:
        if self.at_once:
            after, recover = 1, 1
        wanted = after + self.more_runs
        return Rule(
            name=self.kind,
            severity=self.severity,
            after=min(wanted, self.most_runs or wanted),
            recover=recover,
            cause=self.cause,
            notice=self.notice,
        )

    @abstractmethod
    def judge(self, history: RunHistory) -> Verdict: ...

    @abstractmethod
    def why(self, history: RunHistory) -> Failure:
        """Return what is bad, after `judge` said so."""


class ResultPolicy(BasePolicy):
    """The latest run is enough to judge, and its failure explains itself."""

    __slots__ = ()

    def why(self, history: RunHistory) -> Failure:
        failure = history.latest.failure
        assert failure is not None
        return failure


class WindowPolicy(BasePolicy):
    """Has waited long enough already, and has two limits: it is believed at once."""

    __slots__ = ()
    severity: ClassVar[Severity] = Severity.DEGRADED
    on_demand: ClassVar[bool] = True
    at_once: ClassVar[bool] = True


POLICIES: dict[str, type[BasePolicy]] = {}
"""Every policy, by kind, in the order of the classes below."""
PolicyClass = TypeVar("PolicyClass", bound=type[BasePolicy])


def _listed(policy_class: PolicyClass) -> PolicyClass:
    POLICIES[policy_class.kind] = policy_class
    return policy_class


@_listed
@dataclass(frozen=True, slots=True)
class Down(ResultPolicy):
    """A user gets no usable answer."""

    kind: ClassVar[str] = "down"
    severity: ClassVar[Severity] = Severity.DOWN

    def judge(self, history: RunHistory) -> Verdict:
        outcome = history.latest.outcome
        if outcome is Outcome.DOWN:
            return Verdict.BAD
        return Verdict.GOOD if outcome in _ANSWERED else Verdict.NONE


@_listed
@dataclass(frozen=True, slots=True)
class Degraded(ResultPolicy):
    """A user gets an answer with something wrong; it must last longer than an outage to be believed.

    A run that is down says nothing about that. A certificate that ends soon is the business of
    `CertificateExpiry`: it must not hide for weeks what else goes wrong. The same holds of `BrokenPromise`.
    """

    kind: ClassVar[str] = "degraded"
    severity: ClassVar[Severity] = Severity.DEGRADED
    more_runs: ClassVar[int] = 2

    def judge(self, history: RunHistory) -> Verdict:
        result = history.latest
        is_ending = result.failure is not None and result.failure.kind is FailureKind.CERT_EXPIRING
        is_broken = result.promise_kept is False
        if result.outcome is Outcome.DEGRADED and not (is_ending or is_broken):
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in _ANSWERED else Verdict.NONE


@_listed
@dataclass(frozen=True, slots=True)
class BrokenPromise(ResultPolicy):
    """It is not what one pays for, as several runs of one probe say together: there is nothing left to wait for.

    Such a probe may run once a day, and a run that could not judge is no sign that all is well again.
    """

    kind: ClassVar[str] = "promise"
    severity: ClassVar[Severity] = Severity.DEGRADED
    most_runs: ClassVar[int | None] = 1

    def judge(self, history: RunHistory) -> Verdict:
        kept = history.latest.promise_kept
        if kept is None:
            return Verdict.NONE
        return Verdict.GOOD if kept else Verdict.BAD


@_listed
@dataclass(frozen=True, slots=True)
class Account(ResultPolicy):
    """Our key, our balance or our permission is refused: the service may be fine.

    It does not flicker, so it is believed sooner.
    """

    kind: ClassVar[str] = "account"
    severity: ClassVar[Severity] = Severity.ACCOUNT
    most_runs: ClassVar[int | None] = 2

    def judge(self, history: RunHistory) -> Verdict:
        result = history.latest
        if _is_news(result, Fault.ACCOUNT):
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in _ANSWERED else Verdict.NONE


@_listed
@dataclass(frozen=True, slots=True)
class Monitor(ResultPolicy):
    """We could not see. Any result that is the endpoint's own proves that we can."""

    kind: ClassVar[str] = "monitor"
    severity: ClassVar[Severity] = Severity.MONITOR

    def judge(self, history: RunHistory) -> Verdict:
        result = history.latest
        if _is_news(result, Fault.MONITOR) and not _is_refused(result):
            return Verdict.BAD
        unseen = result.failure is not None and result.failure.kind.row.by_choice
        return Verdict.NONE if unseen else Verdict.GOOD


@_listed
@dataclass(frozen=True, slots=True)
class Refused(ResultPolicy):
    """An edge turns the monitor away from one service: it may last, and must hide nothing else."""

    kind: ClassVar[str] = "refused"
    severity: ClassVar[Severity] = Severity.MONITOR
    cause: ClassVar[str] = "refused"

    def judge(self, history: RunHistory) -> Verdict:
        result = history.latest
        if _is_refused(result):
            return Verdict.BAD
        is_ours = result.failure is not None and result.failure.fault is Fault.MONITOR
        return Verdict.NONE if is_ours else Verdict.GOOD


@_listed
@dataclass(frozen=True, slots=True)
class BudgetPaused(ResultPolicy):
    """Paid runs pause, as the operator asked for: worth one sentence, no incident.

    It is certain at once, and over with the first run that happens.
    """

    kind: ClassVar[str] = "budget"
    severity: ClassVar[Severity] = Severity.MONITOR
    cause: ClassVar[str] = "budget"
    at_once: ClassVar[bool] = True
    notice: ClassVar[bool] = True

    def judge(self, history: RunHistory) -> Verdict:
        failure = history.latest.failure
        is_paused = failure is not None and failure.kind is FailureKind.BUDGET_PAUSED
        return Verdict.BAD if is_paused else Verdict.GOOD


@_listed
@dataclass(frozen=True, slots=True)
class LowBalance(BasePolicy):
    """The money of a key lasts no longer than so many days at the rate of the last ones; told once until it is topped up."""

    kind: ClassVar[str] = "balance"
    severity: ClassVar[Severity] = Severity.MONITOR
    cause: ClassVar[str] = "balance"
    at_once: ClassVar[bool] = True
    notice: ClassVar[bool] = True
    days: float = field(default=3.0, metadata={"help": "a balance that ends sooner is told"})

    def __post_init__(self) -> None:
        if not self.days > 0:
            raise ValueError("days: want more than 0")

    def judge(self, history: RunHistory) -> Verdict:
        balance = history.latest.balance
        if balance is None or balance.amount is None:
            return Verdict.NONE
        if balance.amount <= 0:
            return Verdict.BAD
        if balance.days_left is None:
            return Verdict.GOOD if balance.is_refilled else Verdict.NONE
        return Verdict.BAD if balance.days_left < self.days else Verdict.GOOD

    def why(self, history: RunHistory) -> Failure:
        balance = history.latest.balance
        assert balance is not None
        left = f"{balance.amount:.2f} {balance.currency}"
        why = f"got a balance of {left}, want more"
        if balance.days_left is not None:
            why = f"got a balance of {left}, which lasts {balance.days_left:.1f} days at this rate, want more"
        return Failure(FailureKind.BALANCE_LOW, why)


@_listed
@dataclass(frozen=True, slots=True)
class CertificateExpiry(BasePolicy):
    """A certificate ends within so many days, or is in the last third of a short life.

    Dates do not flicker, but the servers behind one name may differ: two runs are asked.
    """

    kind: ClassVar[str] = "certificate"
    severity: ClassVar[Severity] = Severity.DEGRADED
    cause: ClassVar[str] = "certificate"
    most_runs: ClassVar[int | None] = 2
    days: int = field(default=DAYS, metadata={"help": "a certificate that ends sooner is told"})

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError("days: want at least 1")

    def judge(self, history: RunHistory) -> Verdict:
        result = history.latest
        if result.cert_expires is None:
            return Verdict.NONE
        return Verdict.BAD if self._why(result) else Verdict.GOOD

    def why(self, history: RunHistory) -> Failure:
        why = self._why(history.latest)
        assert why is not None
        return Failure(FailureKind.CERT_EXPIRING, why)

    def _why(self, result: Result) -> str | None:
        assert result.cert_expires is not None
        return ends_soon(result.cert_expires, result.cert_lifetime, result.at, self.days)


@_listed
@dataclass(frozen=True, slots=True)
class FailureRate(WindowPolicy):
    """Too many runs fail, though never enough of them in a row."""

    kind: ClassVar[str] = "failure_rate"
    above: float = field(default=0.3, metadata={"help": "bad from this share of failed runs on"})
    below: float = field(default=0.1, metadata={"help": "good again under this share"})
    within: timedelta = field(
        default=timedelta(minutes=30), metadata={"help": "how far back it looks"}
    )
    at_least: int = field(default=6, metadata={"help": "runs before it says anything"})

    def __post_init__(self) -> None:
        if not 0 < self.below <= self.above <= 1:
            raise ValueError("want 0 < below <= above <= 1")

    @property
    def windows(self) -> tuple[timedelta, ...]:
        return (self.within,)

    def judge(self, history: RunHistory) -> Verdict:
        window = history.over(self.within)
        available = window.availability
        is_unseen = history.latest.outcome is Outcome.UNKNOWN
        if is_unseen or available is None or window.counted < self.at_least:
            return Verdict.NONE
        return _between(1 - available, self.below, self.above)

    def why(self, history: RunHistory) -> Failure:
        window = history.over(self.within)
        kind, runs = _failed_runs(window)
        got = f"got {runs} of {window.counted} runs failed within {format_duration(self.within)}"
        return Failure(kind, f"{got}, want under {self.above:.0%}")


@_listed
@dataclass(frozen=True, slots=True)
class BurnRate(WindowPolicy):
    """Failures use up the error budget of an objective too fast, over a long and over a short window.

    A burn rate of 1 uses up exactly the budget. The long window says that it matters, the short one that
    it goes on (Google's SRE workbook, chapter 5, "multiwindow, multi-burn-rate alerts").
    """

    kind: ClassVar[str] = "burn_rate"
    objective: float = field(
        default=0.99, metadata={"help": "the share of runs that should succeed"}
    )
    factor: float = field(default=14.4, metadata={"help": "bad from this burn rate on, in both"})
    long: timedelta = field(default=timedelta(hours=1), metadata={"help": "the long window"})
    short: timedelta = field(default=timedelta(minutes=5), metadata={"help": "the short window"})
    at_least: int = field(
        default=3, metadata={"help": "runs in the short window before it says anything"}
    )

    def __post_init__(self) -> None:
        if not 0 < self.objective < 1:
            raise ValueError('objective: want a share under 100%, such as "99.9%"')
        if not 0 < round(self.factor * (1 - self.objective), 9) <= 1:
            most = round(1 / (1 - self.objective), 1)
            raise ValueError(f"factor: want more than 0, and at most {most:g}: then all runs fail")
        if not timedelta(0) < self.short < self.long:
            raise ValueError("want short shorter than long")
        if self.at_least < 1:
            raise ValueError("at_least: want at least 1")

    @property
    def windows(self) -> tuple[timedelta, ...]:
        return (self.long, self.short)

    def judge(self, history: RunHistory) -> Verdict:
        long, short = history.over(self.long), history.over(self.short)
        fast_long, fast_short = self._burn(long), self._burn(short)
        is_unseen = history.latest.outcome is Outcome.UNKNOWN
        if is_unseen or fast_long is None or fast_short is None or short.counted < self.at_least:
            return Verdict.NONE
        if fast_short < self.factor:
            return Verdict.GOOD
        is_rate = _failed_runs(long)[1] >= _FEWEST_FAILED
        return Verdict.BAD if fast_long >= self.factor and is_rate else Verdict.NONE

    def why(self, history: RunHistory) -> Failure:
        long, short = history.over(self.long), history.over(self.short)
        kind, failed = _failed_runs(long)
        _, failed_lately = _failed_runs(short)
        got = (
            f"got {failed} of {long.counted} runs failed within {format_duration(self.long)} and"
            f" {failed_lately} of {short.counted} within {format_duration(self.short)}"
        )
        want = 100 * (1 - self.objective) * self.factor
        return Failure(kind, f"{got}, want under {want:.3g}% in one of them")

    def sees(self, every: timedelta) -> bool:
        """Say whether a check with this interval has runs enough in the short window."""
        return every * self.at_least <= self.short

    def _burn(self, window: Rollup) -> float | None:
        """Return how many times as fast as the objective allows runs failed; None where none counts."""
        available = window.availability
        if available is None:
            return None
        return round((1 - available) / (1 - self.objective), 6)


@_listed
@dataclass(frozen=True, slots=True)
class SlowBurnRate(BurnRate):
    """The same over longer windows: a smaller fault that lasts uses up the budget too."""

    kind: ClassVar[str] = "slow_burn_rate"
    factor: float = field(default=6.0, metadata={"help": "bad from this burn rate on, in both"})
    long: timedelta = field(default=timedelta(hours=6), metadata={"help": "the long window"})
    short: timedelta = field(default=timedelta(minutes=30), metadata={"help": "the short window"})


@_listed
@dataclass(frozen=True, slots=True)
class Latency(WindowPolicy):
    """A percentile of a timing is over its objective, though single runs may be well."""

    kind: ClassVar[str] = "latency"
    above: timedelta = field(
        default=timedelta(seconds=10), metadata={"help": "bad from this time on"}
    )
    below: timedelta = field(
        default=timedelta(seconds=8), metadata={"help": "good again under this time"}
    )
    timing: str = field(default="ttft", metadata={"help": "which timing"})
    percentile: float = field(default=95.0, metadata={"help": "of the runs that answered"})
    within: timedelta = field(
        default=timedelta(minutes=30), metadata={"help": "how far back it looks"}
    )
    at_least: int = field(default=6, metadata={"help": "runs before it says anything"})

    def __post_init__(self) -> None:
        if self.timing not in TIMING_NAMES:
            raise ValueError(f"timing: want one of {', '.join(TIMING_NAMES)}")
        if not 0 < self.percentile <= 100:
            raise ValueError("percentile: want more than 0, and at most 100")
        if not timedelta(0) < self.below <= self.above:
            raise ValueError("want below no longer than above")

    @property
    def windows(self) -> tuple[timedelta, ...]:
        return (self.within,)

    def judge(self, history: RunHistory) -> Verdict:
        window = history.over(self.within)
        value = self._value(window)
        runs = sum(window.figures.get(self.timing, {}).values())
        if history.latest.outcome not in _ANSWERED or value is None or runs < self.at_least:
            return Verdict.NONE
        return _between(value, self.below / _MS, self.above / _MS)

    def why(self, history: RunHistory) -> Failure:
        value = self._value(history.over(self.within))
        assert value is not None
        name = f"{self.timing} p{self.percentile:g}"
        got = f"got {name} {value / 1000:.3g} s within {format_duration(self.within)}"
        return Failure(FailureKind.SLOW, f"{got}, want under {self.above.total_seconds():g} s")

    def _value(self, window: Rollup) -> float | None:
        return window.quantile(self.timing, self.percentile / 100)


def _is_news(result: Result, fault: Fault) -> bool:
    failure = result.failure
    return failure is not None and failure.fault is fault and not failure.kind.row.by_choice


def _is_refused(result: Result) -> bool:
    return result.failure is not None and result.failure.kind.row.is_edge_refusal


def _failed_runs(window: Rollup) -> tuple[FailureKind, int]:
    """Return the kind that failed most, and how many runs failed in all."""
    down = {
        FailureKind(name): runs
        for name, runs in window.kinds.items()
        if FailureKind(name).outcome is Outcome.DOWN
    }
    most_frequent = max(down, key=lambda kind: down[kind], default=FailureKind.SERVER_ERROR)
    return most_frequent, sum(down.values())


def _between(value: float, below: float, above: float) -> Verdict:
    """Judge a value by two limits; between them nothing moves, so that it does not flicker."""
    if value >= above:
        return Verdict.BAD
    return Verdict.GOOD if value < below else Verdict.NONE


def policies(settings: AlertSettings) -> Mapping[str, Policy]:
    """Return the policies that are asked, by name."""
    always = (policy() for policy in POLICIES.values() if not policy.on_demand)
    return {policy.kind: policy for policy in (*always, *settings.policies)}


def certificate_days(settings: AlertSettings) -> int:
    """Return how many days before its end a certificate is told, and its results degraded."""
    policy = policies(settings)[CertificateExpiry.kind]
    assert isinstance(policy, CertificateExpiry)
    return policy.days


def default_rules(settings: AlertSettings) -> tuple[Rule, ...]:
    """Return one rule for each policy that is asked."""
    after, recover = settings.after, settings.recover
    return tuple(policy.rule(after, recover) for policy in policies(settings).values())
