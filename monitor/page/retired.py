"""Base URLs that are not probed any more, from what the store still knows of them. Pure."""

from collections.abc import Iterator
from datetime import UTC, timedelta

from monitor.model import CheckHistory, Endpoint, Service, Snapshot, rank
from monitor.model.rollup import NOTHING
from monitor.page import formatting
from monitor.page.day_bars import SHOWN, last_days
from monitor.page.endpoint_nouns import RetiredView
from monitor.page.window_stats import Past


def retired(service: Service, snapshot: Snapshot) -> Iterator[RetiredView]:
    for endpoint in service.endpoints:
        if endpoint.retired:
            histories = tuple(
                history
                for key, history in snapshot.checks.items()
                if key.startswith(f"{endpoint.path}/")
            )
            yield _view(endpoint, histories, snapshot)


def _view(
    endpoint: Endpoint, histories: tuple[CheckHistory, ...], snapshot: Snapshot
) -> RetiredView:
    main = min(histories, key=_rank, default=None)
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


def _rank(history: CheckHistory) -> int:
    """Its probe is no longer configured, so its id has to do for its kind."""
    return rank(history.check.rsplit("/", 1)[1])
