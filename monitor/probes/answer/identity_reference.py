"""Reads and writes a reference of one-word answers: what a model said where somebody knows which one it is. Pure.

The file is JSON that anybody can check: the questions with their system text, how often each word came, the date,
the model, and how it was sampled.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monitor.model import clean_text
from monitor.probes.answer.answer_distribution import Sample
from monitor.probes.answer.one_word import CELLS, SYSTEM_TEXTS

FORMAT, VERSION = "monitor-identity-reference", 1
LARGEST = 1_000_000
"""Bytes of a file that is read."""
_MOST_COUNTED, _MOST_TOKENS = 100_000, 10**12
_MOST_ANSWERS = 5_000
"""`monitor identity record` asks for 2,000 at most, and to compare many more takes minutes."""
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityReference:
    """Holds how often which word came, and how it was asked for."""

    recorded: datetime
    model: str
    """The name that was asked for."""
    answered_as: tuple[str, ...] = ()
    """The names that answered."""
    host: str
    temperature: float | None
    """None where the server took none: then it is not known how it samples."""
    max_tokens: int
    empty: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    counts: Mapping[str, Mapping[str, int]]
    """By cell and word."""

    @property
    def answers(self) -> int:
        return self.empty + sum(sum(words.values()) for words in self.counts.values())

    @property
    def sample(self) -> Sample:
        return {
            cell: [word for word, count in sorted(words.items()) for _ in range(count)]
            for cell, words in self.counts.items()
        }

    @property
    def title(self) -> str:
        """Return what a message calls it: with its model, for it may be another one than is asked for."""
        return f"the reference of {self.model} of {self.recorded.astimezone(UTC):%Y-%m-%d}"


def reference_document(reference: IdentityReference) -> dict[str, Any]:
    """Return the reference as JSON values; `read_reference` reads them back."""
    recorded = reference.recorded.astimezone(UTC).isoformat(timespec="seconds")
    return {
        "format": FORMAT,
        "version": VERSION,
        "recorded": recorded.replace("+00:00", "Z"),
        "host": reference.host,
        "model": reference.model,
        "answered_as": list(reference.answered_as),
        "sampling": {"temperature": reference.temperature, "max_tokens": reference.max_tokens},
        "answers": reference.answers,
        "empty": reference.empty,
        "tokens": {"in": reference.tokens_in, "out": reference.tokens_out},
        "cells": {
            cell: {
                "system": SYSTEM_TEXTS[cell],
                "questions": list(wordings),
                "words": dict(sorted(reference.counts.get(cell, {}).items(), key=_most_first)),
            }
            for cell, wordings in CELLS.items()
        },
    }


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def read_reference(data: bytes) -> IdentityReference:
    """Read a file that somebody else may have written. Raises ValueError, with a sentence, for anything else."""
    if len(data) > LARGEST:
        raise ValueError(f"has {len(data)} bytes, want at most {LARGEST}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON, want a file of `monitor identity record`") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("is no reference, want a file of `monitor identity record`")
    if document.get("version") != VERSION:
        raise ValueError("was written by another version of monitor; record it anew")
    sampling, tokens = _table(document, "sampling"), _table(document, "tokens")
    names = document.get("answered_as")
    reference = IdentityReference(
        recorded=_moment(document.get("recorded")),
        model=_text(document.get("model")),
        answered_as=tuple(map(_text, names)) if isinstance(names, list) else (),
        host=_text(document.get("host")),
        temperature=_temperature(sampling.get("temperature")),
        max_tokens=_count(sampling.get("max_tokens")),
        empty=_count(document.get("empty")),
        tokens_in=_count(tokens.get("in"), _MOST_TOKENS),
        tokens_out=_count(tokens.get("out"), _MOST_TOKENS),
        counts=dict(_cells(_table(document, "cells"))),
    )
    if reference.answers > _MOST_ANSWERS:
        raise ValueError(f"holds {reference.answers} answers, want at most {_MOST_ANSWERS}")
    return reference


def _temperature(value: Any) -> float | None:
    """Return 1, at which answers are compared, or None where it is not known."""
    if value is not None and (isinstance(value, bool) or value != 1):
        raise ValueError("was recorded at another temperature than 1; record it anew")
    return None if value is None else 1.0


def _cells(cells: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, int]]]:
    for cell, wordings in CELLS.items():
        table = _table(cells, cell)
        if table.get("questions") != list(wordings) or table.get("system") != SYSTEM_TEXTS[cell]:
            raise ValueError(
                f"was recorded with other questions ({cell}) than are asked now; record it anew"
            )
        yield (
            cell,
            {
                clean_text(str(word), _LONGEST_WORD): _count(count)
                for word, count in _table(table, "words").items()
            },
        )


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name)
    if not isinstance(table, dict):
        raise ValueError(f"lacks the table `{name}`; record it anew")  # noqa: TRY004  # callers take ValueErrors only
    return table


def _text(value: Any) -> str:
    return clean_text(value, 200) if isinstance(value, str) else ""


def _count(value: Any, most: int = _MOST_COUNTED) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"holds a count that is none, want a whole number up to {most}")
    return value


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("does not say when it was recorded; record it anew")
    return moment
