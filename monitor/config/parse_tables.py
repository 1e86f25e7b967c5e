"""Every table of a document, read into its model; a table that cannot be read leaves a complaint instead."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.config.complaints import complaints_of, unknown
from monitor.config.env_references import KeyPath
from monitor.config.tables import (
    ENDPOINT_KEYS,
    POLICY_TABLES,
    PROBE_KEYS,
    TABLES,
    TABLES_BY_ID,
    AlertsTable,
    HistoryTable,
    MaintenanceTable,
    MonitorTable,
    PageTable,
    ServiceTable,
    Table,
    VerdictTable,
    keys_of,
    policy_of,
)
from monitor.model import Complaint, Policy

_ID = re.compile(r"[a-z0-9-]+")
T = TypeVar("T", bound=BaseModel)


@dataclass
class ParsedTables:
    complaints: list[Complaint]
    misuses: list[Complaint] = field(default_factory=list)
    """What is written wrongly and can be understood all the same: only `monitor validate` refuses it."""
    warnings: list[Complaint] = field(default_factory=list)
    """What is allowed and hardly meant."""
    monitor: MonitorTable = field(default_factory=MonitorTable)
    page: Table = field(default_factory=PageTable)
    alerts: Table = field(default_factory=AlertsTable)
    policies: dict[str, Policy] = field(default_factory=dict)
    history: Table = field(default_factory=HistoryTable)
    verdict: Table = field(default_factory=VerdictTable)
    agent: Table | None = None
    service: dict[str, ServiceTable] = field(default_factory=dict)
    channel: dict[str, Table] = field(default_factory=dict)
    webhook: dict[str, Table] = field(default_factory=dict)
    price: dict[str, Table] = field(default_factory=dict)
    maintenance: dict[str, MaintenanceTable] = field(default_factory=dict)
    vantage: dict[str, Table] = field(default_factory=dict)
    named: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in TABLES_BY_ID}
    )
    """The ids of each kind of table in the file, also of tables that could not be read."""

    def complain(self, place: KeyPath, what: str) -> None:
        self.complaints.append(Complaint(".".join(place), what))

    def misuse(self, place: KeyPath, what: str) -> None:
        self.misuses.append(Complaint(".".join(place), what))

    def warn(self, place: KeyPath, what: str) -> None:
        self.warnings.append(Complaint(".".join(place), what))

    def read(
        self,
        model: type[T],
        value: Any,
        place: KeyPath,
        inherited: tuple[KeyPath, frozenset[str]] = ((), frozenset()),
    ) -> T | None:
        """Read one table, or its good keys. `inherited`: where its keys of these names stand instead."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            known = {complaint.where for complaint in self.complaints}
            more = complaints_of(error, place, model, inherited)
            self.complaints.extend(complaint for complaint in more if complaint.where not in known)
            return self._read_rest(model, value, error)

    def _read_rest(self, model: type[T], value: Any, error: ValidationError) -> T | None:
        """Read the table without its wrong keys, so that what else is wrong is said as well."""
        wrong = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        if not isinstance(value, dict) or not wrong:
            return None
        try:
            return model.model_validate(
                {name: item for name, item in value.items() if name not in wrong}
            )
        except ValidationError:
            return None

    def read_all(self, document: Mapping[str, Any]) -> None:
        for name, value in document.items():
            if name in TABLES:
                is_alerts = name == "alerts" and isinstance(value, dict)
                keys = self._read_policies(value) if is_alerts else value
                if (table := self.read(TABLES[name], keys, (name,))) is not None:
                    setattr(self, name, table)
            elif name in TABLES_BY_ID:
                self._read_by_id(name, value)
            else:
                self.complain((name,), unknown(name, (*TABLES, *TABLES_BY_ID), "table"))
        if "agent" in document and document.keys() & {"service", "vantage"}:
            self.complain(
                ("agent",),
                "is of a machine that probes for a hub, which says what to probe; remove"
                " [service.ID] and [vantage.ID], or remove [agent]",
            )
        elif not document.get("service") and "agent" not in document:
            self.complain(
                ("service",), "is missing; add a table such as [service.ohmygpt] with endpoints"
            )

    def _read_policies(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Read the tables of policies and return the rest of `[alerts]`."""
        for name, model in POLICY_TABLES.items():
            if name not in value:
                continue
            table = self.read(model, value[name], ("alerts", name))
            try:
                if table is not None:
                    self.policies[name] = policy_of(name, table)
            except ValueError as error:
                self.complain(("alerts", name), str(error))
        return {name: item for name, item in value.items() if name not in POLICY_TABLES}

    def _read_by_id(self, name: str, value: Any) -> None:
        if not isinstance(value, dict):
            self.complain((name,), f"want tables such as [{name}.ID]")
            return
        self.named[name] = set(value)
        for key, item in value.items():
            if name != "price":
                self.check_id(key, (name, key))
            if name == "service" and isinstance(item, dict):
                self._check_keys_of_service(key, item)
            if (table := self.read(TABLES_BY_ID[name], item, (name, key))) is not None:
                getattr(self, name)[key] = table

    def _check_keys_of_service(self, service: str, value: Mapping[str, Any]) -> None:
        """Complain of keys that neither a service nor its endpoints and probes know."""
        known = keys_of(ServiceTable) | ENDPOINT_KEYS | PROBE_KEYS
        for name in value.keys() - known:
            what = unknown(name, known)
            if name == "url":
                what = 'belongs to an endpoint: endpoints = { direct = "https://..." }'
            self.complain(("service", service, name), what)

    def check_id(self, name: str, place: KeyPath) -> None:
        if not _ID.fullmatch(name):
            self.complain(
                place,
                f'got the id "{name}", want only a-z, 0-9 and "-"; a name for people goes into `name`',
            )
