"""`[alerts.NAME]`: the limits of a policy. The tables are made from the policies' own fields."""

from collections.abc import Mapping
from dataclasses import Field, fields
from datetime import timedelta
from typing import Any, cast

from pydantic import Field as Key
from pydantic import StrictInt, create_model

from monitor.alerts.policies import POLICIES
from monitor.config.tables import AlertsTable, Table
from monitor.config.values import Positive, Share
from monitor.model import Policy

_TYPES: Mapping[object, Any] = {int: StrictInt, float: Share, timedelta: Positive, str: str}


def _table(policy: Policy) -> type[Table]:
    keys: dict[str, Any] = {
        each.name: (_TYPES[each.type], Key(each.default, description=each.metadata["help"]))
        for each in _keys(policy)
    }
    return create_model(f"{type(policy).__name__}Table", __base__=Table, **keys)


def _keys(policy: Policy) -> list[Field[Any]]:
    return [each for each in fields(cast("Any", policy)) if each.metadata.get("help")]


POLICY_TABLES: Mapping[str, type[Table]] = {
    name: _table(policy) for name, policy in POLICIES.items() if _keys(policy)
}


def policy_of(name: str, table: Table) -> Policy:
    """Raise ValueError, with the remedy in its text, for limits that do not fit together."""
    return type(POLICIES[name])(**table.model_dump())


def with_policies(table: type[AlertsTable]) -> type[AlertsTable]:
    """The same with the tables of the policies in it, for the schema."""
    found: dict[str, Any] = {name: (each | None, None) for name, each in POLICY_TABLES.items()}
    return create_model("AlertsTable", __base__=table, **found)
