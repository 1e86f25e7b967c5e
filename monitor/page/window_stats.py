"""Percentiles and failures of an endpoint over a day, a week, a month and 90 days. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from monitor.model import WINDOWS, CheckHistory, FailureKind, Rollup
from monitor.model.rollup import NOTHING, QUANTILES
from monitor.page.published import Percentiles, Window


def can_be(value: float | None) -> bool:
    """Say whether a value is a possible duration or speed, or was not measured."""
    return value is None or 0 <= value < math.inf


def real(value: float | None) -> float | None:
    """Return a duration or speed that is possible, else None: one absurd figure must not cost the page."""
    return value if can_be(value) else None


def rounded(value: float | None) -> float | None:
    """Round to a tenth, as published."""
    return None if value is None else round(value, 1)


def windows(main: CheckHistory | None) -> tuple[Window, ...]:
    """Return the last 24 hours (`days` is 1), then each of `WINDOWS`."""
    return tuple(_window(days, _rollup(main, days)) for days in (1, *WINDOWS))


def _rollup(check: CheckHistory | None, days: int) -> Rollup:
    if check is None:
        return NOTHING
    return check.last_24h if days == 1 else check.windows.get(days, NOTHING)


def _window(days: int, rollup: Rollup) -> Window:
    return Window(
        days=days,
        runs=rollup.counted + rollup.unknown,
        availability=rollup.availability,
        good=rollup.good,
        excluded=rollup.excluded,
        ttft_ms=_percentiles(rollup, "ttft"),
        ttfb_ms=_percentiles(rollup, "ttfb"),
        total_ms=_percentiles(rollup, "total"),
        tokens_per_s_p50=rounded(rollup.quantile("tokens_per_s", 0.5)),
        failures=_most_frequent_first(rollup.kinds),
    )


def _percentiles(rollup: Rollup, figure: str) -> Percentiles | None:
    p50, p95, p99 = (rounded(rollup.quantile(figure, q)) for q in QUANTILES.values())
    if p50 is None or p95 is None or p99 is None:
        return None
    return Percentiles(p50=p50, p95=p95, p99=p99)


def failures(checks: Iterable[CheckHistory]) -> Mapping[int, Mapping[FailureKind, int]]:
    """Count by days, as `windows`, the failed runs of all these checks, the most frequent kind first."""
    counters: dict[int, Counter[str]] = {days: Counter() for days in (1, *WINDOWS)}
    for check in checks:
        for days, counter in counters.items():
            counter.update(_rollup(check, days).kinds)
    return {days: _most_frequent_first(counter) for days, counter in counters.items()}


def _most_frequent_first(kinds: Mapping[str, int]) -> dict[FailureKind, int]:
    names = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    return {FailureKind(name): kinds[name] for name in names}
