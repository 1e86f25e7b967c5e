"""`monitor identity show`: show what an identity check has learned."""

from collections import Counter
from typing import Annotated, Any

import typer
from rich.text import Text

from monitor.cli.console import iso_time, plain_table, show, show_json
from monitor.cli.identity_compare import counted, words_of
from monitor.cli.options import AsJson, ConfigPath, load, one_check
from monitor.config import Secrets
from monitor.model import WordHistory
from monitor.model.result import WORDS_OF_BASELINE, WORDS_OF_WINDOW
from monitor.probes.answer.one_word import CELLS, sample, why_not_judged


def command(
    check: Annotated[
        str,
        typer.Argument(metavar="CHECK", help="SERVICE/ENDPOINT/PROBE, as `monitor status` has it."),
    ],
    path: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show the words that an identity check has learned, and those of its last answers."""
    loaded = load(path, secrets=Secrets.NONE)
    key = one_check(loaded, check.strip("/")).key
    words = words_of(loaded, key)
    if as_json:
        show_json(document(key, words))
    else:
        show([*map(Text, said(key, words)), "", table(words)])


def said(check: str, words: WordHistory) -> list[str]:
    """Say how far it has come."""
    if words.since:
        learned = f"learned by {words.since:%Y-%m-%d}: {len(words.baseline)} words"
    else:
        learned = f"still learning: {len(words.baseline)} of {WORDS_OF_BASELINE} words"
    last = f"last answers: {len(words.recent)} of {2 * WORDS_OF_WINDOW} that are compared"
    return [line for line in (check, learned, last, why_not_judged(words)) if line]


def table(words: WordHistory) -> Any:
    learned, last = sample(words.baseline), sample(words.recent)
    rows = plain_table("cell", "learned", "last")
    for cell in CELLS:
        rows.add_row(cell, Text(counted(learned, cell)), Text(counted(last, cell)))
    return rows


def document(check: str, words: WordHistory) -> dict[str, Any]:
    learned, last = sample(words.baseline), sample(words.recent)
    return {
        "check": check,
        "learned_at": iso_time(words.since) if words.since else None,
        "words_of_baseline": len(words.baseline),
        "words_of_baseline_wanted": WORDS_OF_BASELINE,
        "last_answers": len(words.recent),
        "last_answers_wanted": 2 * WORDS_OF_WINDOW,
        "why_not_judged": why_not_judged(words) or None,
        "cells": {
            cell: {
                "learned": dict(Counter(learned.get(cell, ())).most_common()),
                "last": dict(Counter(last.get(cell, ())).most_common()),
            }
            for cell in CELLS
        },
    }
