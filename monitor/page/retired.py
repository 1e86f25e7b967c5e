"""Base URLs that are not probed any more, from what the store still knows of them. Pure."""

from collections.abc import Iterator
from datetime import UTC, timedelta

from monitor.model import MAIN_ORDER, CheckHistory, Service, Snapshot
from monitor.page.days import availability, last_days
from monitor.page.nouns import RetiredView


def retired(service: Service, snapshot: Snapshot) -> Iterator[RetiredView]:
    for endpoint in service.endpoints:
        if endpoint.retired:
            histories = [
                history
                for key, history in snapshot.checks.items()
                if key.startswith(f"{endpoint.path}/")
            ]
            main = min(histories, key=_rank, default=None)
            measured = main.days if main else {}
            yield RetiredView(
                path=endpoint.path,
                name=endpoint.name,
                availability=availability(measured.values())[0],
                days=last_days(
                    snapshot.at.astimezone(UTC).date(), measured, snapshot.incidents,
                    main.check if main else "", frozenset(each.check for each in histories),
                    snapshot.at, timedelta(minutes=1),
                ),
                last=max(
                    (each.latest.at.astimezone(UTC).date() for each in histories if each.latest),
                    default=None,
                ),
            )  # fmt: skip


def _rank(history: CheckHistory) -> int:
    """Its probe is no longer configured, so its id has to do for its kind."""
    probe = history.check.rsplit("/", 1)[1]
    return MAIN_ORDER.index(probe) if probe in MAIN_ORDER else len(MAIN_ORDER)
