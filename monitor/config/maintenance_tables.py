"""Makes a `Maintenance` of a `[maintenance.ID]` table, and complains of what does not fit together."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from monitor.config.complaints import unknown
from monitor.config.parse_tables import ParsedTables
from monitor.config.tables import MaintenanceTable
from monitor.model import Maintenance, MaintenanceWindow, Recurrence, Service


def maintenance(
    tables: ParsedTables, name: str, table: MaintenanceTable, services: Iterable[Service]
) -> Maintenance:
    place = ("maintenance", name)
    services = tuple(services)
    _must_be_there(tables, place, "services", table.services, {service.id for service in services})
    paths = {endpoint.path for service in services for endpoint in service.endpoints}
    _must_be_there(tables, place, "endpoints", table.endpoints, paths)
    return Maintenance(
        id=name,
        title=table.title,
        services=frozenset(table.services),
        endpoints=frozenset(table.endpoints),
        once=_once(tables, place, table),
        recurring=_recurring(tables, place, table),
    )


def _must_be_there(
    tables: ParsedTables, place: tuple[str, ...], key: str, wanted: tuple[str, ...], known: set[str]
) -> None:
    for name in sorted(set(wanted) - known):
        if name.split("/")[0] in tables.named["service"] and key == "services":
            continue  # it has its own complaint
        tables.complain((*place, key), unknown(name, known, f'{key.removesuffix("s")} "{name}"'))


def _once(
    tables: ParsedTables, place: tuple[str, ...], table: MaintenanceTable
) -> MaintenanceWindow | None:
    recurs = table.every is not None or table.lasts is not None
    if (table.begins is None) != (table.until is None) and not recurs:
        missing = "until" if table.until is None else "from"
        _complain_of_missing(tables, (*place, missing), "is missing; want both from and until")
    if table.begins is None or table.until is None:
        return None
    window = MaintenanceWindow(
        _utc(table.begins, table.timezone, 0), _utc(table.until, table.timezone, 1)
    )
    if window.end <= window.start:
        tables.complain((*place, "until"), "want a moment after from")
    return window


def _complain_of_missing(tables: ParsedTables, place: tuple[str, ...], what: str) -> None:
    """Complain of a missing key, unless it is there and was left out for a complaint of its own."""
    if ".".join(place) not in {complaint.where for complaint in tables.complaints}:
        tables.complain(place, what)


def _utc(moment: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """Return a moment in UTC. Where an hour happens twice, a window begins in the first and ends in the second.

    A moment that a change of the clocks skips comes as much later as they were put forward.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    local = moment.replace(tzinfo=zone, fold=fold)
    exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
    return (local if exists else local.replace(fold=0)).astimezone(UTC)


def _recurring(
    tables: ParsedTables, place: tuple[str, ...], table: MaintenanceTable
) -> Recurrence | None:
    if table.every is None and table.lasts is None:
        if table.begins is None and table.until is None:
            tables.complain(place, "want from and until, or every and for")
        return None
    if table.begins is not None or table.until is not None:
        tables.complain(place, "want either from and until, or every and for")
    if table.every is None or table.lasts is None:
        missing = "every" if table.every is None else "for"
        _complain_of_missing(tables, (*place, missing), "is missing; want both every and for")
        return None
    if table.lasts >= table.every.shortest_gap:
        tables.complain((*place, "for"), "is so long that the next one begins before it ends")
    return Recurrence(
        at=table.every.at,
        zone=table.timezone,
        lasts=table.lasts,
        weekdays=table.every.weekdays,
        day=table.every.day,
    )
