"""Base URLs that are not probed any more, from what the store still knows of them. Pure."""

from collections.abc import Iterator
from datetime import UTC, timedelta

from monitor.model import WINDOWS, CheckHistory, Endpoint, Service, Snapshot, rank
from monitor.model.rollup import NOTHING
from monitor.page import words
from monitor.page.days import availability, last_days
from monitor.page.endpoint_nouns import RetiredView
from monitor.page.figures import Past


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
    streamed = main is not None and "ttft" in main.windows.get(WINDOWS[-1], NOTHING).figures
    return RetiredView(
        path=endpoint.path,
        service=endpoint.service,
        name=words.name(endpoint.name, endpoint.id),
        availability=availability(measured.values())[0],
        days=days,
        windows=main.windows if main else {},
        history=Past(figure="ttft" if streamed else "ttfb", main=main, all=histories),
        latest=max((each.latest.at for each in histories if each.latest), default=None),
    )


def _rank(history: CheckHistory) -> int:
    """Its probe is no longer configured, so its id has to do for its kind."""
    return rank(history.check.rsplit("/", 1)[1])
