"""Makes the endpoints and checks of a checked service table. Complaints are collected, never raised on the way."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from monitor.config.addresses import base_url_mistake, is_complete
from monitor.config.complaints import unknown
from monitor.config.env_references import KeyPath
from monitor.config.parse_tables import ParsedTables
from monitor.config.tables import (
    ENDPOINT_KEYS,
    EndpointTable,
    ServiceTable,
    keys_of,
)
from monitor.model import Check, Endpoint, Service
from monitor.model.duration import format_duration
from monitor.probes import PROBES
from monitor.probes.probe import ProbeFileError, ProbeSettings

_OFTEN = timedelta(seconds=10)
"""A paid probe that runs more often than this costs more than its operator may think."""


@dataclass
class ServiceBuilder:
    tables: ParsedTables
    id: str
    table: ServiceTable
    folder: Path

    @property
    def place(self) -> KeyPath:
        return ("service", self.id)

    def service(self) -> Service:
        endpoints = (self._endpoint(name, value) for name, value in self.table.endpoints.items())
        return Service(
            id=self.id,
            name=self.table.name or self.id,
            endpoints=tuple(endpoint for endpoint in endpoints if endpoint),
            model=self.table.model,
            multiplier=self.table.multiplier,
            public=self.table.public,
        )

    @property
    def _defaults(self) -> dict[str, Any]:
        return dict(self.table.model_extra or {})

    def _endpoint(self, name: str, value: Any) -> Endpoint | None:
        place = (*self.place, "endpoints", name)
        self.tables.check_id(name, place)
        own = {"url": value} if isinstance(value, str) else value
        if isinstance(own, list):
            what = "got a list, want one base URL; each gets an id of its own"
            self.tables.complain(place, what)
            return None
        if not isinstance(own, dict):
            self.tables.complain(place, "want a base URL, or a table with `url`")
            return None
        defaults = {key: item for key, item in self._defaults.items() if key in ENDPOINT_KEYS}
        if self.table.key is not None:
            defaults["key"] = self.table.key
        inherited = (self.place, frozenset(defaults) - set(own))
        table = self.tables.read(EndpointTable, defaults | own, place, inherited)
        if table is None:
            return None
        values = dict(table)
        values["name"] = values["name"] or name
        url = str(own["url"])
        if mistake := base_url_mistake(url):
            self.tables.misuse((*place, "url"), mistake)
        endpoint = Endpoint(id=name, service=self.id, is_complete=is_complete(url), **values)
        if endpoint.ca_file is None:
            return endpoint
        ca_file = self.folder / endpoint.ca_file
        if trouble := trouble_with(ca_file):
            self.tables.complain((*place, "ca_file"), trouble)
        return replace(endpoint, ca_file=ca_file)

    def checks(self, service: Service) -> list[Check]:
        self._warn_of_doubles(service)
        probes = self._probes()
        if sum(probe.main for probe in probes) > 1:
            self.tables.complain((*self.place, "probes"), "more than one has main = true; keep one")
        asked = [(probe.id, self._model(probe)) for probe in probes if probe.paid]
        return [
            Check(
                service=self.id,
                endpoint=endpoint,
                probe=probe,
                model=self._model(probe),
                asked_models=frozenset(
                    model for asking, model in asked if model and asking != probe.id
                ),
            )
            for endpoint in service.endpoints
            for probe in probes
        ]

    def _warn_of_doubles(self, service: Service) -> None:
        """Warn of two endpoints that differ in nothing but their names."""
        first: dict[Endpoint, str] = {}
        for endpoint in service.endpoints:
            same = first.setdefault(replace(endpoint, id="", name="", tags=()), endpoint.id)
            if same != endpoint.id and not endpoint.retired:
                place = (*self.place, "endpoints", endpoint.id)
                self.tables.warn(place, f'is the same base URL as "{same}", so it is probed twice')

    def _probes(self) -> list[ProbeSettings]:
        given = self.table.probes if self.table.probes is not None else self._usual()
        if not given:
            self.tables.complain(
                (*self.place, "probes"), 'is empty; write for example models = "1m"'
            )
        return [probe for name, value in given.items() if (probe := self._probe(name, value))]

    def _usual(self) -> dict[str, Any]:
        """Return the probes of a service that names none: what is free, and a short chat where it has a model."""
        if self.table.model:
            return {"models": {}, "chat": {}}
        has_key = "key" in self.table.model_fields_set or any(
            "key" in table for table in self._tables()
        )
        return {"models": {}} if has_key else {"http": {}}

    def _tables(self) -> Iterator[dict[str, Any]]:
        return (value for value in self.table.endpoints.values() if isinstance(value, dict))

    def _probe(self, name: str, value: Any) -> ProbeSettings | None:
        place = (*self.place, "probes", name)
        self.tables.check_id(name, place)
        own = {"every": value} if isinstance(value, str) else value
        if not isinstance(own, dict):
            self.tables.complain(place, 'want an interval such as "5m", or a table with `every`')
            return None
        kind = own.get("kind", name)
        settings = PROBES.get(kind) if isinstance(kind, str) else None
        if settings is None:
            where = (*place, "kind") if "kind" in own else place
            self.tables.complain(where, unknown(str(kind), PROBES, "probe kind"))
            return None
        return self._settings(settings, name, own, place)

    def _settings(
        self, settings: type[ProbeSettings], name: str, own: dict[str, Any], place: KeyPath
    ) -> ProbeSettings | None:
        known = keys_of(settings) - ENDPOINT_KEYS
        defaults = {key: item for key, item in self._defaults.items() if key in known}
        table = defaults | {key: item for key, item in own.items() if key != "kind"}
        inherited = (self.place, frozenset(defaults) - set(own))
        probe = self.tables.read(settings, table, place, inherited)
        if probe is None:
            return None
        try:
            probe = probe.with_files(self.folder)
        except ProbeFileError as error:
            self.tables.complain((*place, error.key), error.what)
        if probe.every.total_seconds() < 1:
            self.tables.complain((*place, "every"), 'want at least "1s"')
        elif probe.paid and probe.every < _OFTEN and self.table.budget_per_day is None:
            self.tables.warn((*place, "every"), _times_a_day(probe.every))
        if "timeout" in table and probe.timeout > probe.every:
            where = place if "timeout" in own else self.place
            self.tables.warn((*where, "timeout"), _timeout_above(probe))
        if probe.timeout.total_seconds() <= 0:
            self.tables.complain((*place, "timeout"), "want a duration longer than nothing")
        if probe.needs_model and not self._model(probe):
            self.tables.complain(place, f"needs a model; add model to [service.{self.id}]")
        return probe.named(name)

    def _model(self, probe: ProbeSettings) -> str | None:
        """Return the model that a check asks for; None for a kind that asks for none."""
        if "model" not in type(probe).model_fields:
            return None
        return getattr(probe, "model", None) or self.table.model


def _times_a_day(every: timedelta) -> str:
    times = timedelta(days=1) // every
    return (
        f"means {times:,} paid runs a day of each base URL;"
        ' want at least "1m", or a budget_per_day of the service'
    )


def _timeout_above(probe: ProbeSettings) -> str:
    every, timeout = map(format_duration, (probe.every, probe.timeout))
    return (
        f"is {timeout}, more than every = {every}: a slow run makes the next ones miss their turn"
    )


def trouble_with(ca_file: Path) -> str | None:
    """Say what is wrong with a CA file; otherwise every probe would only find out that it cannot ask."""
    if not _is_file(ca_file):
        return f"there is no file {ca_file}"
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError):  # an SSLError is an OSError
        return f"{ca_file} holds no certificate that can be read, want PEM"
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
