"""What an endpoint's own page counts: percentiles and failures of a day, a week, a month, 90 days. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.model import WINDOWS, CheckHistory, FailureKind, Rollup
from monitor.model.rollup import NOTHING


def can_be(value: float | None) -> bool:
    """Whether it is a duration or a speed, if anything."""
    return value is None or 0 <= value < math.inf


def real(value: float | None) -> float | None:
    """A duration or a speed that can be one: a single absurd figure must not cost the page."""
    return value if can_be(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`days` is 1 for the last 24 hours. Milliseconds; None where nothing was measured."""

    days: int
    runs: int
    availability: float | None
    excluded: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    speed: float | None
    failures: Mapping[FailureKind, int]
    """Of all checks of the endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What there is to count: `main` speaks for the endpoint, `all` are its checks."""

    figure: str
    main: CheckHistory | None
    all: Sequence[CheckHistory]

    def spans(self) -> tuple[Span, ...]:
        return tuple(self._span(days) for days in (1, *WINDOWS))

    def _span(self, days: int) -> Span:
        main = _rollup(self.main, days) if self.main else NOTHING
        failures = Counter[str]()
        for history in self.all:
            failures.update(_rollup(history, days).kinds)
        return Span(
            days=days,
            runs=main.counted + main.unknown,
            availability=main.availability,
            excluded=main.excluded,
            p50=main.quantile(self.figure, 0.5),
            p95=main.quantile(self.figure, 0.95),
            p99=main.quantile(self.figure, 0.99),
            speed=main.quantile("tokens_per_s", 0.5),
            failures={FailureKind(name): count for name, count in failures.most_common()},
        )


def _rollup(history: CheckHistory, days: int) -> Rollup:
    return history.last_24h if days == 1 else history.windows.get(days, NOTHING)
