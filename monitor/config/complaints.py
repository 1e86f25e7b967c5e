"""Turns pydantic's errors into complaints: the place, what we got, what we want."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.config.tables import keys_of
from monitor.model import Complaint

_WANT = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "time_delta_type": 'a duration such as "90s" or "5m"',
    "path_type": "a path",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "another form",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
    "string_too_short": ("min_length", "at least {} character"),
    "string_too_long": ("max_length", "at most {} characters"),
}
_SECRET = {"key", "headers", "proxy", "heartbeat", "secret"}


def unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    """Say `unknown key; did you mean "every"?`, or list the known ones where nothing is near and they are few."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f'unknown {what}; did you mean "{near[0]}"?'
    return (
        f"unknown {what}; known are {', '.join(names)}" if len(names) <= 16 else f"unknown {what}"
    )


def complaints_of(
    error: ValidationError,
    place: Sequence[str],
    model: type[BaseModel],
    inherited: tuple[Sequence[str], frozenset[str]] = ((), frozenset()),
) -> list[Complaint]:
    """Return one complaint a place: the first error there explains those that follow from it."""
    complaints: dict[str, Complaint] = {}
    elsewhere, names = inherited
    for problem in error.errors(include_url=False):
        inner = _inner(problem["loc"])
        start = elsewhere if inner and inner[0] in names else place
        where = ".".join((*start, *inner))
        complaints.setdefault(where, Complaint(where, _what(dict(problem), model, place)))
    return list(complaints.values())


_BRANCHES = {"int", "str", "constrained-int", "tuple[constrained-int,...]"}


def _inner(loc: Sequence[int | str]) -> list[str]:
    """Keep the names of keys; an index in a list, or pydantic's name of a union's branch, helps nobody."""
    return [
        part for part in loc if isinstance(part, str) and part not in _BRANCHES and "[" not in part
    ][:2]


def _what(problem: dict[str, Any], model: type[BaseModel], place: Sequence[str]) -> str:
    kind, got, loc = problem["type"], problem.get("input"), problem["loc"]
    if kind == "extra_forbidden":
        return unknown(str(loc[-1]), keys_of(model))
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(problem["ctx"]["error"])
    if kind == "too_short":
        return "is empty"
    if kind in {"literal_error", "enum"}:
        want = str(problem["ctx"]["expected"]).replace("'", '"')
        return f"got {_shown(got, loc, place)}, want {want}"
    if kind in _LIMITS:
        name, want = _LIMITS[kind]
        return f"got {_shown(got, loc, place)}, want {want.format(problem['ctx'][name])}"
    return f"got {_shown(got, loc, place)}, want {_WANT.get(kind, problem['msg'])}"


def _shown(got: Any, loc: Sequence[int | str], place: Sequence[str]) -> str:
    """Show a value as it stands in the file, unless it may be secret."""
    if _SECRET & set(loc) or (place[0] in {"channel", "webhook"} and "url" in loc):
        return "a value that is not shown"
    if isinstance(got, str):
        return f'"{got[:60]}"'
    if isinstance(got, bool):
        return str(got).lower()
    if isinstance(got, dict):
        return "a table"
    if isinstance(got, list | tuple):
        return "a list"
    return str(got)[:60]
