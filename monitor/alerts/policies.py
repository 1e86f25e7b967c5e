"""When is it bad? One frozen class per answer; pure. The machine says since when and how sure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from monitor.model import AlertSettings, Fault, Kind, Outcome, Result, Rule, Severity, Verdict
from monitor.model.rollup import Rollup

_SERVED = {Outcome.UP, Outcome.DEGRADED}
_NOT_NEWS = {Kind.NO_KEY, Kind.BUDGET_PAUSED}
"""Ignorance that the operator chose."""


class Policy(Protocol):
    kind: ClassVar[str]

    def judge(self, result: Result, window: Rollup) -> Verdict:
        """`window` is what came before, for policies that need more than one result."""
        ...


@dataclass(frozen=True, slots=True)
class Down:
    """A user gets no usable answer."""

    kind: ClassVar[str] = "down"

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if result.outcome is Outcome.DOWN:
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in _SERVED else Verdict.NONE


@dataclass(frozen=True, slots=True)
class Degraded:
    """Answered, with something wrong. What is down says nothing about that."""

    kind: ClassVar[str] = "degraded"

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if result.outcome is Outcome.DEGRADED:
            return Verdict.BAD
        return Verdict.GOOD if result.outcome is Outcome.UP else Verdict.NONE


@dataclass(frozen=True, slots=True)
class Account:
    """Our key, our balance, our permission: the service may be fine."""

    kind: ClassVar[str] = "account"

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if _is_news(result, Fault.ACCOUNT):
            return Verdict.BAD
        return Verdict.GOOD if result.outcome in _SERVED else Verdict.NONE


@dataclass(frozen=True, slots=True)
class Monitor:
    """We could not see. Any result that is the endpoint's own proves that we can."""

    kind: ClassVar[str] = "monitor"

    def judge(self, result: Result, window: Rollup) -> Verdict:  # noqa: ARG002
        if _is_news(result, Fault.MONITOR):
            return Verdict.BAD
        unseen = result.failure is not None and result.failure.kind in _NOT_NEWS
        return Verdict.NONE if unseen else Verdict.GOOD


def _is_news(result: Result, fault: Fault) -> bool:
    failure = result.failure
    return failure is not None and failure.fault is fault and failure.kind not in _NOT_NEWS


_ALL: tuple[Policy, ...] = (Down(), Degraded(), Account(), Monitor())
POLICIES: Mapping[str, Policy] = {policy.kind: policy for policy in _ALL}


def default_rules(settings: AlertSettings) -> tuple[Rule, ...]:
    """Account trouble is certain sooner, it does not flicker; what is only degraded must last longer."""
    after, recover = settings.after, settings.recover
    return (
        Rule(name="down", severity=Severity.DOWN, after=after, recover=recover),
        Rule(name="degraded", severity=Severity.DEGRADED, after=after + 2, recover=recover),
        Rule(name="account", severity=Severity.ACCOUNT, after=min(2, after), recover=recover),
        Rule(name="monitor", severity=Severity.MONITOR, after=after, recover=recover),
    )
