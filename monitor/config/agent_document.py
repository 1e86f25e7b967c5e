"""Takes from the hub's monitor.toml what an agent gets, and makes the agent's configuration of that.

No value from outside the file travels: a reference `${NAME}` travels as it stands, and the agent looks in its own
environment. What is the hub's own way to a base URL (a proxy, a CA file) or may be secret in the file (the
value of a header, of a base URL or a probe) does not travel either; the base URL then is not probed from there, because
without it another question would be asked.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from monitor.config.build import Config, address_parts
from monitor.config.env_references import References
from monitor.config.load import from_document, references_of
from monitor.model import Vantage, in_turn, turns_of
from monitor.model.dealing import read_deal, runs
from monitor.model.secret import REFERENCE
from monitor.probes import PROBES

Document = dict[str, Any]
_WAYS = ("proxy", "ca_file", "headers")
"""Keys of an endpoint that belong to the hub's place, unless they are references."""


def agent_document(config: Config, vantage: Vantage) -> bytes:
    """Return what the agent at `vantage` probes, as JSON; the same bytes for the same configuration."""
    document = config.document
    left_out: dict[str, str] = {}
    services = {
        name: _service(name, service, left_out)
        for name, service in document.get("service", {}).items()
        if vantage.probes(name)
    }
    services = {name: service for name, service in services.items() if service["endpoints"]}
    monitor = document.get("monitor", {})
    travels = {
        "v": 1,
        "vantage": vantage.id,
        "service": services,
        "price": document.get("price", {}),
        "maintenance": _maintenance(document.get("maintenance", {}), services),
        "alerts": _table(document.get("alerts", {})),
        "monitor": {
            "controls": monitor.get("controls", []),
            "resolvers": [
                resolver
                for resolver in monitor.get("resolvers", [])
                if not [*address_parts(resolver.removesuffix("/dns-query"))]
            ],
        },
        "left_out": left_out,
        "turns": {
            name: turns
            for name in services
            if vantage.id in (turns := turns_of(config.vantage, config.vantages, name))
        },
    }
    return json.dumps(travels, ensure_ascii=False, separators=(",", ":"), default=_iso).encode()


def _iso(value: Any) -> str:
    """Write a moment of TOML as text, which means the same in monitor.toml."""
    assert isinstance(value, datetime | date | time)
    return value.isoformat()


def _table(value: Mapping[str, Any]) -> Document:
    return {name: item for name, item in value.items() if name not in {"language", "remind"}}


def _service(name: str, service: Mapping[str, Any], left_out: dict[str, str]) -> Document:
    own = {
        key: item
        for key, item in service.items()
        if key not in {"endpoints", "key", "reference", *_WAYS}
    }
    if "probes" in service:
        own["probes"] = _without_files(_asked_from_everywhere(service["probes"]))
        if not own["probes"]:
            return {**own, "endpoints": {}}
    defaults = {key: service[key] for key in _WAYS if key in service}
    endpoints: Document = {}
    for id_, value in service["endpoints"].items():
        endpoint = {"url": value} if isinstance(value, str) else dict(value)
        stays = [
            key
            for key, item in (defaults | endpoint).items()
            if key in _WAYS and not _travels(item)
        ]
        if not (endpoint.get("retired") or _travels(_headers_of_probes(service))):
            stays.append("headers")
        if stays:
            left_out[f"{name}/{id_}"] = stays[0]
        elif not endpoint.get("retired"):
            key = endpoint.pop("key", None)
            endpoints[id_] = {**defaults, **endpoint, **_key(key)}
    return {**own, **_key(service.get("key")), "endpoints": endpoints}


def _asked_from_everywhere(probes: Mapping[str, Any]) -> Document:
    """Leave out what the hub alone asks."""
    kinds = {
        name: probe.get("kind", name) if isinstance(probe, dict) else name
        for name, probe in probes.items()
    }
    return {name: probe for name, probe in probes.items() if not PROBES[kinds[name]].hub_only}


def _without_files(probes: Mapping[str, Any]) -> Document:
    """Leave out what the hub compares with and an agent has no file of; what is asked stays the same."""
    return {
        name: {key: item for key, item in probe.items() if key != "reference"}
        if isinstance(probe, dict)
        else probe
        for name, probe in probes.items()
    }


def _headers_of_probes(service: Mapping[str, Any]) -> Document:
    probes = service.get("probes", {})
    tables = {name: probe for name, probe in probes.items() if isinstance(probe, dict)}
    return {name: probe.get("headers", {}) for name, probe in tables.items()}


def _key(value: str | None) -> Document:
    """Return a reference to a key; `file:` leads to a file of the hub."""
    return {"key": value} if value and REFERENCE.search(value) else {}


def _travels(value: Any) -> bool:
    """Say whether a value is nothing but a reference, or a table of such."""
    if isinstance(value, dict):
        return all(_travels(item) for item in value.values())
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def _maintenance(tables: Mapping[str, Any], services: Mapping[str, Document]) -> Document:
    """Return the plans, without what is not probed there."""
    paths = {
        f"{name}/{id_}"
        for name, service_table in services.items()
        for id_ in service_table["endpoints"]
    }
    plans: Document = {}
    for name, table in tables.items():
        plan = dict(table)
        asked = plan.pop("services", []), plan.pop("endpoints", [])
        some = (
            [service for service in asked[0] if service in services],
            [path for path in asked[1] if path in paths],
        )
        if any(some) or not any(asked):
            plans[name] = {**plan, "services": some[0], "endpoints": some[1]}
    return plans


# --- at the agent ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentConfig:
    config: Config
    left_out: Mapping[str, str]
    """Base URLs that are not probed from here, and the key of theirs which only the hub has."""


def read_agent_document(body: bytes, *, path: Path, env: Mapping[str, str]) -> AgentConfig:
    """Make the agent's configuration. `path` is where the document is kept. Raises ConfigError.

    What needs a variable that is not set here is left out; in `key` that means "no key", as everywhere.
    """
    document = json.loads(body)
    references = references_of(path, env)
    left_out = dict(document["left_out"])
    for name, service in document["service"].items():
        for id_, endpoint in [*service["endpoints"].items()]:
            asked = {"endpoint": endpoint, "probes": service.get("probes", {})}
            if unset := next(_unset(asked, references), None):
                left_out[f"{name}/{id_}"] = f"${{{unset}}}"
                del service["endpoints"][id_]
    services = {name: each for name, each in document["service"].items() if each["endpoints"]}
    own = {
        "service": services,
        "price": document["price"],
        "maintenance": _maintenance(document["maintenance"], services),
        "alerts": document["alerts"],
        "monitor": {
            **document["monitor"],
            "vantage": document["vantage"],
            "store": "sqlite:///agent.db",
            "listen": "",
        },
        "history": {"raw": "3d", "hours": "3d", "days": "90d", "evidence": "3d"},
    }
    config, turns = from_document(own, path=path, env=env), document["turns"]
    dealt, deal = document.get("deal"), None
    checks = (in_turn(check, tuple(turns.get(check.service, ()))) for check in config.checks)
    if dealt is not None:
        deal, views = str(dealt["among"]), read_deal(dealt["among"])
        checks = (check for check in checks if runs(dealt["agent"], check.key, views))
    return AgentConfig(replace(config, checks=tuple(checks), deal=deal), left_out)


def _unset(value: Any, references: References, key: str = "") -> Iterator[str]:
    """Yield the names of references that are not set here, but those of keys."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _unset(item, references, name)
    elif isinstance(value, list):
        for item in value:
            yield from _unset(item, references)
    elif isinstance(value, str) and key != "key":
        yield from (name for name in REFERENCE.findall(value) if not references.is_set(name))
