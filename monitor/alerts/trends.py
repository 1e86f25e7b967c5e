"""Policies that look at many runs: too many fail, or most are too slow. Pure."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from monitor.alerts.ruled import SERVED, Ruled
from monitor.model import (
    TIMING_NAMES,
    Failure,
    FailureKind,
    Outcome,
    Result,
    Rollup,
    Rule,
    Severity,
    Verdict,
)
from monitor.model.duration import format_duration

_MS = timedelta(milliseconds=1)


class _OverAWindow(Ruled):
    """Has waited long enough already, and has two limits: it is believed at once."""

    __slots__ = ()
    severity: ClassVar[Severity] = Severity.DEGRADED

    def rule(self, after: int, recover: int) -> Rule:  # noqa: ARG002
        return Ruled.rule(self, 1, 1)


@dataclass(frozen=True, slots=True)
class FailureRate(_OverAWindow):
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

    def judge(self, result: Result, window: Rollup) -> Verdict:
        failed = window.availability
        if result.outcome is Outcome.UNKNOWN or failed is None or window.counted < self.at_least:
            return Verdict.NONE
        return _between(1 - failed, self.below, self.above)

    def why(self, result: Result, window: Rollup) -> Failure:  # noqa: ARG002
        down = {
            FailureKind(name): runs
            for name, runs in window.kinds.items()
            if FailureKind(name).outcome is Outcome.DOWN
        }
        runs = sum(down.values())
        kind = max(down, key=lambda each: down[each])
        got = f"got {runs} of {window.counted} runs failed within {format_duration(self.within)}"
        return Failure(kind, f"{got}, want under {self.above:.0%}")


@dataclass(frozen=True, slots=True)
class Latency(_OverAWindow):
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

    def judge(self, result: Result, window: Rollup) -> Verdict:
        value = self._value(window)
        runs = sum(window.figures.get(self.timing, {}).values())
        if result.outcome not in SERVED or value is None or runs < self.at_least:
            return Verdict.NONE
        return _between(value, self.below / _MS, self.above / _MS)

    def why(self, result: Result, window: Rollup) -> Failure:  # noqa: ARG002
        value = self._value(window)
        assert value is not None
        name = f"{self.timing} p{self.percentile:g}"
        got = f"got {name} {value / 1000:.3g} s within {format_duration(self.within)}"
        return Failure(FailureKind.SLOW, f"{got}, want under {self.above.total_seconds():g} s")

    def _value(self, window: Rollup) -> float | None:
        return window.quantile(self.timing, self.percentile / 100)


def _between(value: float, below: float, above: float) -> Verdict:
    """What is neither moves nothing, so that a value at the limit does not flicker."""
    if value >= above:
        return Verdict.BAD
    return Verdict.GOOD if value < below else Verdict.NONE
