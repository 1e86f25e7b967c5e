"""Base URLs that are not probed any more, from what the store still knows of them. Pure."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta

from monitor.model import Check, CheckHistory, Endpoint, Service, Snapshot
from monitor.model.rollup import NOTHING
from monitor.page import formatting
from monitor.page.day_bars import SHOWN, last_days
from monitor.page.endpoint_nouns import RetiredView
from monitor.page.window_stats import Past


def retired(service: Service, checks: Sequence[Check], snapshot: Snapshot) -> Iterator[RetiredView]:
    """Yield the service's retired endpoints; `checks` are those of its other endpoints."""
    ranks = {check.probe.id: check.probe.main_rank for check in checks}
    for endpoint in service.endpoints:
        if endpoint.retired:
            histories = tuple(
                history
                for key, history in snapshot.checks.items()
                if key.startswith(f"{endpoint.path}/")
            )
            yield _view(endpoint, histories, ranks, snapshot)


def _view(
    endpoint: Endpoint,
    histories: tuple[CheckHistory, ...],
    ranks: Mapping[str, int],
    snapshot: Snapshot,
) -> RetiredView:
    main = min(histories, key=lambda history: _rank(history, ranks), default=None)
    measured = main.days if main else {}
    days = last_days(
        snapshot.at.astimezone(UTC).date(), measured, snapshot.incidents, main.check if main else "",
        frozenset(each.check for each in histories), snapshot.at, timedelta(minutes=1),
    )  # fmt: skip
    lately = main.windows.get(SHOWN, NOTHING) if main else NOTHING
    return RetiredView(
        path=endpoint.path,
        service=endpoint.service,
        name=formatting.name(endpoint.name, endpoint.id),
        availability=lately.availability,
        days=days,
        windows=main.windows if main else {},
        history=Past(
            figure="ttft" if "ttft" in lately.figures else "ttfb", main=main, all=histories
        ),
        latest=max((each.latest.at for each in histories if each.latest), default=None),
    )


def _rank(history: CheckHistory, ranks: Mapping[str, int]) -> tuple[int, bool]:
    """Rank a check whose probe is no longer configured by the service's other probe of that id.

    Among those that no other endpoint has, one that streamed comes first.
    """
    probe = history.check.rsplit("/", 1)[1]
    lately = history.windows.get(SHOWN, NOTHING)
    return ranks.get(probe, sys.maxsize), "ttft" not in lately.figures
