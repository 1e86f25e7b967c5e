"""Holds what an operator adds to the requests of a probe: headers, and a table that is merged into the body."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from monitor.model import Secret
from monitor.model.check import HEADER_NAME, MESSAGE_HEADERS

_DEEPEST = 20


def _header_name(text: str) -> str:
    if not HEADER_NAME.fullmatch(text):
        raise ValueError("want header names such as X-Relay-Group")
    if text.lower() in MESSAGE_HEADERS:
        raise ValueError(f"{text} is set by the program for each request; remove it")
    return text


def _header_value(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("want a header value of one line")
    return text


def secret_values(table: dict[str, str]) -> tuple[tuple[str, Secret], ...]:
    """Return a table of strings as pairs whose values are not printed."""
    return tuple((name, Secret(value)) for name, value in table.items())


@dataclass(frozen=True, slots=True)
class OwnBody:
    """Holds a table of the operator's that is merged into the body of a request. It may hold secrets."""

    text: str = field(default="{}", repr=False)
    """As JSON, so that it is hashable and nobody can change it."""

    @property
    def table(self) -> dict[str, Any]:
        table: dict[str, Any] = json.loads(self.text)
        return table

    @property
    def tokens(self) -> int:
        """Return how many tokens it can add to a request at most."""
        return 0 if self.text == "{}" else len(self.text.encode())

    def merged_into(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body with this table in it: tables are merged, any other value is replaced."""
        return _merged(body, self.table)

    def names(self) -> frozenset[str]:
        """Name every parameter, also those inside a table."""
        return frozenset(path.rpartition(".")[2] for path, _ in _paths(self.table))

    def overwritten(self, ours: Mapping[str, str]) -> Iterator[str]:
        """Yield those of `ours`, dotted paths, that this table would set or whose table it would replace."""
        paths = dict(_paths(self.table))
        for path in ours:
            above = path.rpartition(".")[0]
            if path in paths or not isinstance(paths.get(above, {}), dict):
                yield path


def _merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(body)
    for name, value in more.items():
        old = both.get(name)
        are_tables = isinstance(old, dict) and isinstance(value, dict)
        both[name] = _merged(cast("dict[str, Any]", old), value) if are_tables else value
    return both


def _paths(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        yield before + name, value
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{name}.")


def _own_body(value: Any) -> OwnBody:
    if isinstance(value, OwnBody):
        return value
    if not isinstance(value, dict):
        raise ValueError('want a table such as { metadata = { user_id = "monitor" } }')  # noqa: TRY004  # pydantic collects ValueErrors only
    _check_json(value)
    return OwnBody(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _check_json(value: Any, depth: int = 0) -> None:
    """Raise ValueError for what TOML knows and JSON does not."""
    if depth > _DEEPEST:
        raise ValueError(f"is nested more than {_DEEPEST} deep, want less")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_json(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"holds the number {value}, which JSON does not have")
    elif not isinstance(value, str | int | float):
        raise ValueError(f'holds {value}, which JSON does not have; write it in quotes: "{value}"')


Headers = Annotated[
    dict[
        Annotated[str, AfterValidator(_header_name)], Annotated[str, AfterValidator(_header_value)]
    ],
    AfterValidator(secret_values),
]
Body = Annotated[
    OwnBody,
    PlainValidator(_own_body),
    PlainSerializer(lambda body: body.table),
    WithJsonSchema({"type": "object"}),
]
