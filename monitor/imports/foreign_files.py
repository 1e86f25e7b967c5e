"""Reads files of JSON and YAML that others wrote, within limits: a broken or huge one is refused with its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.imports.imported import ImportFileError
from monitor.model import clean_text

_LARGEST = 64 << 20
_LARGEST_YAML = 4 << 20
_MOST_PARTS = 500_000
"""Values of a YAML document, each counted as often as it is referred to."""
_DEEPEST_LINES = 3
Lines = Mapping[tuple[str | int, ...], int]
"""The line on which each part of a document begins, by its path."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was opened. `value` is what it holds; None for a database."""

    path: Path
    value: Any
    lines: Lines

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def is_database(self) -> bool:
        return self.value is None

    def place(self, at: tuple[str | int, ...], what: str) -> str:
        """Name the part at this path in remarks: `FILE line 12: what`."""
        line = self.lines.get(at)
        return f"{self.name}{f' line {line}' if line else ''}: {what}"


def read_bytes(path: Path, magic: bytes) -> bytes:
    """Return the content of a file, read once, as of a pipe; of one that begins with `magic` that alone.

    Raises ImportFileError, with the remedy in its text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(len(magic))
            if content != magic:
                content += file.read(_LARGEST + 1 - len(content))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ImportFileError(f"{path} cannot be read: {why}") from None
    if len(content) > _LARGEST:
        raise ImportFileError(f"{path} is larger than {_LARGEST >> 20} MiB, want at most that")
    return content


def text_of(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ImportFileError(
            f"{path} is not UTF-8 text (see line {line}); save it as UTF-8"
        ) from None


def read_json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ImportFileError(
            f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; this is not valid JSON, export it anew"
        ) from None
    except (RecursionError, ValueError):
        raise ImportFileError(
            f"{path} is no JSON that can be read: nested too deeply, or a number too long"
        ) from None


def read_yaml(text: str, path: Path) -> tuple[Any, Lines]:
    """Return a document, and the lines of its upper parts.

    Only plain values are made of it, whatever its tags say. Aliases that grow beyond all measure are refused.
    """
    if len(text) > _LARGEST_YAML:
        raise ImportFileError(
            f"{path} has {len(text) >> 20} MiB of YAML, want at most {_LARGEST_YAML >> 20}"
        )
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, {}
            if _parts(node, {}) > _MOST_PARTS:
                raise ImportFileError(
                    f"{path} grows to more than {_MOST_PARTS} values, want fewer aliases"
                )
            lines: dict[tuple[str | int, ...], int] = {}
            _note_lines(node, (), node, lines)
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = clean_text(error.problem or error.context or "it cannot be read", 120)
        raise ImportFileError(f"{path}: {where}{what}; this is not valid YAML") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, LookupError) as error:
        raise ImportFileError(
            f"{path} is no YAML that can be read ({type(error).__name__})"
        ) from None


def _parts(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node, those behind an alias each time. Raises ValueError for one that holds itself."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise ValueError("it refers to itself")
        return known[id(node)]
    known[id(node)] = 0
    count = 1
    if isinstance(node, yaml.SequenceNode):
        count += sum(_parts(item, known) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        count += sum(_parts(key, known) + _parts(value, known) for key, value in node.value)
    known[id(node)] = count
    return count


def _note_lines(
    node: yaml.Node,
    at: tuple[str | int, ...],
    first: yaml.Node,
    lines: dict[tuple[str | int, ...], int],
) -> None:
    """Note the line of a node, where `first` of it begins: the key of a value in a table."""
    lines[at] = first.start_mark.line + 1
    if len(at) >= _DEEPEST_LINES:
        return
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note_lines(item, (*at, number), item, lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note_lines(value, (*at, str(key.value)), key, lines)
