"""When is it bad? One frozen class per answer; pure. The machine says since when and how sure.

A class whose fields have a `help` is a table of the configuration, `[alerts.NAME]`: its fields are
the keys. Such a policy is asked only where the operator has set it, unless it is in ALWAYS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

from monitor.alerts.ruled import SERVED, OneResult, Ruled
from monitor.alerts.trends import FailureRate, Latency
from monitor.model import (
    AlertSettings,
    Failure,
    FailureKind,
    Fault,
    Outcome,
    Policy,
    Result,
    Rollup,
    Rule,
    Severity,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Down(OneResult):
    """A user gets no usable answer."""

    kind: ClassVar[str] = "down"
    severity: ClassVar[Severity] = Severity.DOWN

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if result.outcome is Outcome.DOWN:
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in SERVED else Verdict.NONE


@dataclass(frozen=True, slots=True)
class Degraded(OneResult):
    """Answered, with something wrong. What is down says nothing about that.

    A certificate that ends soon is `CertificateExpiry`'s business: it must not hide for weeks what else
    goes wrong.
    """

    kind: ClassVar[str] = "degraded"
    severity: ClassVar[Severity] = Severity.DEGRADED

    def rule(self, after: int, recover: int) -> Rule:
        """What is only degraded must last longer."""
        return OneResult.rule(self, after + 2, recover)

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        ending = result.failure is not None and result.failure.kind is FailureKind.CERT_EXPIRING
        if result.outcome is Outcome.DEGRADED and not ending:
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in SERVED else Verdict.NONE


@dataclass(frozen=True, slots=True)
class Account(OneResult):
    """Our key, our balance, our permission: the service may be fine."""

    kind: ClassVar[str] = "account"
    severity: ClassVar[Severity] = Severity.ACCOUNT

    def rule(self, after: int, recover: int) -> Rule:
        """It does not flicker, so it is certain sooner."""
        return OneResult.rule(self, min(2, after), recover)

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if _is_news(result, Fault.ACCOUNT):
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in SERVED else Verdict.NONE


@dataclass(frozen=True, slots=True)
class Monitor(OneResult):
    """We could not see. Any result that is the endpoint's own proves that we can."""

    kind: ClassVar[str] = "monitor"
    severity: ClassVar[Severity] = Severity.MONITOR

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if _is_news(result, Fault.MONITOR) and not _is_refused(result):
            return Verdict.BAD
        unseen = result.failure is not None and result.failure.kind.row.by_choice
        return Verdict.NONE if unseen else Verdict.GOOD


@dataclass(frozen=True, slots=True)
class Refused(OneResult):
    """An edge turns the monitor away: of one service, and it may last; others must not be hidden."""

    kind: ClassVar[str] = "refused"
    severity: ClassVar[Severity] = Severity.MONITOR
    cause: ClassVar[str] = "refused"

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if _is_refused(result):
            return Verdict.BAD
        ours = result.failure is not None and result.failure.fault is Fault.MONITOR
        return Verdict.NONE if ours else Verdict.GOOD


@dataclass(frozen=True, slots=True)
class BudgetPaused(OneResult):
    """Paid runs pause, as the operator asked for: worth one sentence, no incident."""

    kind: ClassVar[str] = "budget"
    severity: ClassVar[Severity] = Severity.MONITOR
    cause: ClassVar[str] = "budget"

    def rule(self, after: int, recover: int) -> Rule:  # noqa: ARG002
        """Certain at once, and over with the first run that happens."""
        return replace(OneResult.rule(self, 1, 1), notice=True)

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        paused = result.failure is not None and result.failure.kind is FailureKind.BUDGET_PAUSED
        return Verdict.BAD if paused else Verdict.GOOD


@dataclass(frozen=True, slots=True)
class CertificateExpiry(Ruled):
    """It ends within so many days."""

    kind: ClassVar[str] = "certificate"
    severity: ClassVar[Severity] = Severity.DEGRADED
    cause: ClassVar[str] = "certificate"
    within: ClassVar[timedelta | None] = None
    days: int = field(default=14, metadata={"help": "a certificate that ends sooner is told"})

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError("days: want at least 1")

    def rule(self, after: int, recover: int) -> Rule:
        """Dates do not flicker, but servers behind one name may differ."""
        return Ruled.rule(self, min(2, after), recover)

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if result.cert_expires is None:
            return Verdict.NONE
        soon = result.cert_expires - result.at < timedelta(days=self.days)
        return Verdict.BAD if soon else Verdict.GOOD

    def why(self, result: Result, window: Rollup) -> Failure:  # noqa: ARG002
        assert result.cert_expires is not None
        left = max(0, (result.cert_expires - result.at).days)
        got = f"got a certificate that ends in {left} days ({result.cert_expires:%Y-%m-%d})"
        return Failure(FailureKind.CERT_EXPIRING, f"{got}, want {self.days} or more")


def _is_news(result: Result, fault: Fault) -> bool:
    failure = result.failure
    return failure is not None and failure.fault is fault and not failure.kind.row.by_choice


def _is_refused(result: Result) -> bool:
    return result.failure is not None and result.failure.kind.row.is_edge_refusal


ALWAYS: tuple[Policy, ...] = (
    Down(), Degraded(), Account(), Monitor(), Refused(), BudgetPaused(), CertificateExpiry(),
)  # fmt: skip
ON_DEMAND: tuple[Policy, ...] = (FailureRate(), Latency())
POLICIES: Mapping[str, Policy] = {policy.kind: policy for policy in (*ALWAYS, *ON_DEMAND)}


def policies(settings: AlertSettings) -> Mapping[str, Policy]:
    """The ones that are asked, by name."""
    wanted = (*ALWAYS, *settings.policies)
    return {policy.kind: policy for policy in wanted}


def default_rules(settings: AlertSettings) -> tuple[Rule, ...]:
    """One for each policy that is asked."""
    after, recover = settings.after, settings.recover
    return tuple(policy.rule(after, recover) for policy in policies(settings).values())
