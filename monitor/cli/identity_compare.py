"""`monitor identity compare`: say how far answers are from a reference.

The other side is another reference, or the last answers that a check of the store got.
"""

from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.text import Text

from monitor.cli.console import plain_table, show, show_json
from monitor.cli.learned_figures import read_habits
from monitor.cli.options import AsJson, ConfigPath, load, one_check
from monitor.config import Config, Secrets
from monitor.model import MonitorError, WordHistory
from monitor.probes.answer.answer_distribution import Sample
from monitor.probes.answer.identity_comparison import IdentityComparison, compare_words
from monitor.probes.answer.identity_reference import IdentityReference, read_reference
from monitor.probes.answer.one_word import sample

_SEED = 1


def command(
    reference: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file of `monitor identity record`.")
    ],
    other: Annotated[
        str,
        typer.Argument(metavar="CHECK|FILE", help="SERVICE/ENDPOINT/PROBE, or another such file."),
    ],
    path: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Say how far answers are from a reference. Exit 1 where chance does not explain it."""
    known = read(reference)
    if Path(other).suffix or Path(other).is_file():  # no id has a dot
        beside = read(Path(other))
        name, asked, answers = other, f": {beside.model} at {beside.host}", beside.sample
    else:
        loaded = load(path, secrets=Secrets.NONE)
        check = one_check(loaded, other.strip("/"))
        name, asked = check.key, f", which asks for {check.model}"
        answers = sample(words_of(loaded, name).recent)
    comparison = compared(known, answers)
    if as_json:
        show_json(document(known, name, comparison))
    else:
        show(
            [heading(known, reference, name + asked), "", table(comparison), "", *said(comparison)]
        )
    raise typer.Exit(int(comparison.differs))


def read(path: Path) -> IdentityReference:
    """Read a reference. Raises MonitorError, with the file's name, for anything else."""
    try:
        return read_reference(path.read_bytes())
    except OSError as error:
        raise MonitorError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise MonitorError(f"{path} {error}") from None


def compared(known: IdentityReference, answers: Sample) -> IdentityComparison:
    """Compare answers with a reference; the same answers always give the same figures."""
    rng = Random(_SEED)  # noqa: S311  # deals words anew, and nothing secret
    return compare_words(known.sample, answers, rng)


def words_of(config: Config, check: str) -> WordHistory:
    """Return the answers that an `identity` check got so far. Raises MonitorError where it is of another kind."""
    if one_check(config, check).probe.kind != "identity":
        raise MonitorError(f"{check} is no check of kind identity, want one")
    habits = read_habits(config)
    return habits[check].words if check in habits else WordHistory()


def heading(known: IdentityReference, path: Path, name: str) -> Text:
    how = "not told" if known.temperature is None else f"{known.temperature:g}"
    return Text(
        f"{path}: {known.model} at {known.host}, {known.recorded:%Y-%m-%d}, temperature {how},"
        f" {known.answers} answers\nagainst {name}"
    )


def table(comparison: IdentityComparison) -> Any:
    rows = plain_table("cell", "words", "against", "bits", "commonest", "commonest against")
    for cell in comparison.cells:
        left, right = cell.commonest
        sizes = str(len(cell.left)), str(len(cell.right))
        rows.add_row(cell.cell, *sizes, f"{cell.bits:.2f}", Text(left), Text(right))
    return rows


def said(comparison: IdentityComparison) -> list[Text]:
    figures = (
        f"In all they are {comparison.bits:.2f} bits apart (0: the same words as often, 1: no word in common),"
        f" {comparison.excess:.2f} more than chance makes. Answers of one model are so far apart in"
        f" {comparison.chance:.2%} of cases."
    )
    return [*([Text(figures)] if comparison.cells else []), Text(comparison.verdict)]


def document(known: IdentityReference, name: str, comparison: IdentityComparison) -> dict[str, Any]:
    return {
        "reference": {
            "model": known.model,
            "host": known.host,
            "recorded": known.recorded.isoformat(),
            "answers": known.answers,
        },
        "against": name,
        "cells": [
            {
                "cell": cell.cell,
                "words": [len(cell.left), len(cell.right)],
                "bits": round(cell.bits, 4),
                "commonest": list(cell.commonest),
            }
            for cell in comparison.cells
        ],
        "bits": round(comparison.bits, 4),
        "excess_bits": round(comparison.excess, 4),
        "chance": round(comparison.chance, 5),
        "is_enough": comparison.is_enough,
        "differs": comparison.differs,
        "verdict": comparison.verdict,
    }


def counted(words: Sample, cell: str, shown: int = 3) -> str:
    """Return the commonest words of a cell with their shares: `teal 40 %, blue 31 %`."""
    own = words.get(cell, ())
    ordered = sorted(set(own), key=lambda word: (-list(own).count(word), word))[:shown]
    return ", ".join(f"{word} {list(own).count(word) / len(own):.0%}" for word in ordered) or "-"
