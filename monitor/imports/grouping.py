"""Puts imported checks into services: what is asked in the same way at several base URLs is one service.

Each probe of a service runs at each of its base URLs, so base URLs share a service only where they are
asked the same. Checks that other programs show under one heading, that use one key, or that ask one host
belong together; where they are asked differently, the rest are services of their own beside the first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from monitor.imports.imported import Imported, ImportedCheck, Remark
from monitor.model.config_text import free_id, slug

Ask = tuple[str, str, object]
"""A kind, its settings and its interval, to be compared."""


@dataclass(frozen=True, slots=True)
class PlannedEndpoint:
    id: str
    name: str
    check: ImportedCheck
    """The first that asks it: address, headers, proxy and tags are its."""
    key: str | None


@dataclass(frozen=True, slots=True)
class PlannedService:
    id: str
    name: str
    endpoints: Mapping[str, PlannedEndpoint]
    probes: Mapping[str, ImportedCheck]
    """The first check of each probe, by the probe's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    imported: Imported
    services: Mapping[str, PlannedService]
    places: Mapping[str, tuple[str, str, str]]
    """Service, endpoint and probe of each source."""
    remarks: tuple[Remark, ...]


@dataclass(slots=True)
class _Found:
    """A base URL and the checks of it."""

    checks: list[ImportedCheck] = field(default_factory=list)
    key: str | None = None

    @property
    def asks(self) -> frozenset[Ask]:
        return frozenset(map(ask_of, self.checks))

    @property
    def name(self) -> str:
        first = self.checks[0]
        return first.name if len(self.asks) == 1 else _shown_host(first) or first.name


def ask_of(check: ImportedCheck) -> Ask:
    settings = repr(sorted(check.settings.items(), key=lambda pair: pair[0]))
    return check.kind, settings, check.every


def plan(imported: Imported) -> Plan:
    """Group what was imported, and say where the guess may be wrong."""
    return _Planning(imported).plan()


class _Planning:
    def __init__(self, imported: Imported) -> None:
        self._imported = imported
        self._services: dict[str, PlannedService] = {}
        self._places: dict[str, tuple[str, str, str]] = {}
        self._taken: set[tuple[str, str, str]] = set()
        self._remarks: list[Remark] = []

    def plan(self) -> Plan:
        buckets: dict[tuple[str, str], list[ImportedCheck]] = defaultdict(list)
        for check in self._imported.checks:
            buckets[_bucket(check)].append(check)
        for (how, _), checks in buckets.items():
            self._add_bucket(how, checks)
        self._remark_shared_keys()
        return Plan(
            imported=self._imported,
            services=self._services,
            places=self._places,
            remarks=tuple(self._remarks),
        )

    def _add_bucket(self, how: str, checks: list[ImportedCheck]) -> None:
        found = _base_urls(checks)
        alike: dict[frozenset[Ask], list[_Found]] = defaultdict(list)
        for base_url in found:
            alike[base_url.asks].append(base_url)
        title = checks[0].group or _shown_host(checks[0]) or checks[0].name
        for number, endpoints in enumerate(alike.values()):
            name = title if number == 0 else f"{title}: {endpoints[0].name}"
            self._add_service(name[:80], endpoints, how if len(endpoints) > 1 else "")

    def _add_service(self, name: str, found: list[_Found], how: str) -> None:
        service = free_id(slug(name) or _slug_of_host(found[0]) or "service", self._services)
        probes = _probes(found[0].checks)
        ids = {ask_of(check): probe for probe, check in probes.items()}
        endpoints: dict[str, PlannedEndpoint] = {}
        for base_url in found:
            id_ = free_id(slug(base_url.name) or _slug_of_host(base_url) or "endpoint", endpoints)
            endpoints[id_] = PlannedEndpoint(id_, base_url.name, base_url.checks[0], base_url.key)
            for check in base_url.checks:
                self._place(check, (service, id_, ids[ask_of(check)]))
        self._services[service] = PlannedService(service, name, endpoints, probes)
        if how:
            what = f"{len(found)} base URLs became one service because {how}; split it where that is wrong"
            self._remarks.append(Remark(f"service.{service}", what))

    def _remark_shared_keys(self) -> None:
        """Say which services are one account: only base URLs of one service are compared with each other."""
        users: dict[str, list[str]] = defaultdict(list)
        for service in self._services.values():
            for key in {endpoint.key for endpoint in service.endpoints.values()} - {None}:
                users[str(key)].append(service.id)
        for services in users.values():
            if len(services) > 1:
                what = (
                    f"{', '.join(services[:10])} use one key and are asked differently; put their base URLs into one"
                    " service, and each is compared with the others"
                )
                self._remarks.append(Remark(f"service.{services[0]}", what))

    def _place(self, check: ImportedCheck, place: tuple[str, str, str]) -> None:
        if place in self._taken:
            what = f"asks the same as another one, so both are the one check {'/'.join(place)}"
            self._remarks.append(Remark(check.place, what))
        self._places[check.source] = place
        self._taken.add(place)


def _bucket(check: ImportedCheck) -> tuple[str, str]:
    """Return why checks belong together, and what those of one service have in common."""
    if check.group:
        return "they stand under one heading there", check.group
    if check.key:
        return "one key is used for them", check.key
    return "they are of one host", _host_of(check)


def _host_of(check: ImportedCheck) -> str:
    try:
        return urlsplit(check.url).hostname or ""
    except ValueError:
        return ""


def _shown_host(check: ImportedCheck) -> str:
    """Return the host as people are shown it; nothing where it is a variable of the environment."""
    host = _host_of(check)
    return "" if "$" in host else host


def _slug_of_host(found: _Found) -> str:
    return slug(_host_of(found.checks[0]))


def _base_urls(checks: Iterable[ImportedCheck]) -> list[_Found]:
    """Put together what asks one base URL in the same way: with the same headers, proxy and key, or without a key."""
    found: dict[tuple[object, ...], list[_Found]] = defaultdict(list)
    order: list[_Found] = []
    for check in checks:
        at = (check.url, frozenset(check.headers.items()), check.proxy, check.paused)
        for base_url in found[at]:
            if check.key is None or base_url.key in {None, check.key}:
                break
        else:
            base_url = _Found()
            found[at].append(base_url)
            order.append(base_url)
        base_url.checks.append(check)
        base_url.key = base_url.key or check.key
    return order


def _probes(checks: Iterable[ImportedCheck]) -> dict[str, ImportedCheck]:
    """Name each way of asking: after its kind where it is the only one of it, else after the check too."""
    asks = {ask_of(check): check for check in reversed(list(checks))}
    kinds = [check.kind for check in asks.values()]
    probes: dict[str, ImportedCheck] = {}
    for check in reversed(list(asks.values())):
        alone = kinds.count(check.kind) == 1
        stem = check.kind if alone else slug(f"{check.kind}-{check.name}") or check.kind
        probes[free_id(stem, probes)] = check
    return probes
