"""Says what an audit found: for a terminal, and as one JSON document. Pure."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from monitor import __version__
from monitor.cli import identity_compare
from monitor.cli.audit_run import Audit, StepFinding, StepResult, WordsAnswered
from monitor.cli.console import iso_time, plain_table, utc_time
from monitor.model import Balance, FailureKind
from monitor.model.failure import WHOSE
from monitor.model.result_json import failure_document, run_document

FORMAT, VERSION = "monitor-audit", 1
_WIDEST = 100
"""Letters of what stands beside a finding in one line, in a pipe too: people pass such reports on."""
WORDS = {
    StepFinding.WORKS: "works",
    StepFinding.BROKEN: "wrong",
    StepFinding.UNKNOWN: "not judged",
    StepFinding.NOT_OFFERED: "not offered",
    StepFinding.NOT_ASKED: "not asked",
    StepFinding.DESCRIBED: "described",
}
_STYLES = {
    StepFinding.WORKS: "green",
    StepFinding.BROKEN: "bold red",
    StepFinding.UNKNOWN: "yellow",
}


def headline(audit: Audit) -> str:
    """Say in one sentence how it stands; nothing that was not judged is called good."""
    if audit.stopped:
        why = audit.stopped_by.message if audit.stopped_by else ""
        sentence = ": ".join(filter(None, [audit.stopped, why]))
        return sentence if sentence.endswith("?") else f"{sentence}."
    works, unknown = (
        [step.step.name for step in audit.steps if step.finding is finding]
        for finding in (StepFinding.WORKS, StepFinding.UNKNOWN)
    )
    rest = f" Could not be judged: {', '.join(unknown)}." if unknown else ""
    if audit.broken:
        names = ", ".join(step.step.name for step in audit.broken)
        judged = len(works) + len(audit.broken)
        return f"Something is wrong with {len(audit.broken)} of {judged} things: {names}.{rest}"
    return f"Nothing wrong was found: {len(works)} things work.{rest}"


def model_line(audit: Audit) -> str:
    if not audit.model:
        return "no model was asked"
    chosen = ", taken from its list" if audit.is_chosen else ""
    names = ", ".join(audit.answered)
    return f"asked for {audit.model}{chosen}; " + (
        f"{names} answered" if names else "no answer named its model"
    )


def spent_line(audit: Audit) -> str:
    uncounted = (
        f", and {audit.uncounted} runs whose tokens are not known" if audit.uncounted else ""
    )
    return f"{audit.tokens:,} tokens as the base URL counts them{uncounted}; {audit.took_s:.0f} s"


def balance_words(balance: Balance) -> str:
    whose = "this key" if balance.of_key else "the account"
    if balance.amount is None:
        return f"{whose} has no limit of its own; what the account has is not told"
    return f"{balance.amount:,.2f} {balance.currency} left on {whose}"


def detail(step: StepResult) -> str:
    """Return what stands beside a finding on a terminal."""
    balance = step.result.balance if step.result else None
    if balance is not None:
        return balance_words(balance)
    again = f"asked {step.runs} times" if step.result and step.runs > 1 else ""
    why = step.failure.message if step.failure else ""
    if step.result and step.failure and step.finding is StepFinding.WORKS:
        why = f"reached, HTTP {step.result.http_status}"
    return "; ".join(filter(None, [why, step.note, again]))


def parts(audit: Audit) -> Iterator[object]:
    """Yield the tables and sentences that a person reads."""
    yield Text(audit.url, style="bold")
    yield Text(f"{utc_time(audit.at)} UTC; {model_line(audit)}")
    yield ""
    table = plain_table("what", "finding", "time")
    table.add_column("detail", max_width=_WIDEST)
    for step in audit.steps:
        table.add_row(
            step.step.name,
            Text(WORDS[step.finding], style=_STYLES.get(step.finding, "dim")),
            f"{step.took_s:.1f} s" if step.runs else "-",
            Text("see below" if is_told_below(step) else detail(step)),
        )
    yield table
    for kind, names in complaints(audit).items():
        yield ""
        yield from map(Text, remedy_lines(kind, names))
    if audit.words is not None:
        yield ""
        yield from words_parts(audit.words)
    yield ""
    yield Text(spent_line(audit))
    yield Text(headline(audit), style="bold")


def is_told_below(step: StepResult) -> bool:
    return step.result is None and step.runs > 0 and step.finding is not StepFinding.UNKNOWN


def complaints(audit: Audit) -> dict[FailureKind, list[str]]:
    """Return what is wrong, with the names of the steps that showed it."""
    names: dict[FailureKind, list[str]] = {}
    for step in audit.broken:
        if step.failure is not None:
            names.setdefault(step.failure.kind, []).append(step.step.name)
    return names


def remedy_lines(kind: FailureKind, names: list[str]) -> Iterator[str]:
    words = kind.row.words
    yield f"{', '.join(names)}: {words.label} ({kind.value}). {words.what}"
    yield f"  Whose fault: {WHOSE[kind.fault]}."
    yield f"  What to do: {words.remedy}"


def words_parts(words: WordsAnswered) -> Iterator[object]:
    sample = words.answers.sample
    if words.comparison is not None:
        yield identity_compare.table(words.comparison)
        yield from identity_compare.said(words.comparison)
        return
    for cell in sample:
        yield Text(f"{cell}: {identity_compare.counted(sample, cell)}")
    yield Text(words.verdict)


def document(audit: Audit, *, with_balance: bool) -> dict[str, Any]:
    """Return the same for programs, in the shape of docs/files.md. Nothing of the account without `with_balance`."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "monitor": __version__,
        "url": audit.url,
        "at": iso_time(audit.at),
        "took_s": round(audit.took_s, 1),
        "well": audit.is_well,
        "says": headline(audit),
        "stopped": headline(audit) if audit.stopped else None,
        "model": {
            "asked": audit.model or None,
            "chosen": audit.is_chosen,
            "answered": list(audit.answered),
        },
        "tokens": audit.tokens,
        "uncounted_runs": audit.uncounted,
        "steps": [_step_document(step, with_balance=with_balance) for step in audit.steps],
        "identity": _words_document(audit.words) if audit.words else None,
    }


def _step_document(step: StepResult, *, with_balance: bool) -> dict[str, Any]:
    failure, balance = step.failure, step.result.balance if step.result else None
    told: dict[str, Any] = {
        "step": step.step.name,
        "kind": step.step.probe.kind,
        "api": step.step.api or None,
        "finding": step.finding.value,
        "note": step.note,
        "runs": step.runs,
        "took_s": round(step.took_s, 2),
        "failure": {**failure_document(failure), "remedy": failure.kind.row.remedy}
        if failure and step.finding is not StepFinding.WORKS
        else None,
        "last_run": run_document(step.result) if step.result else None,
    }
    if with_balance and balance is not None:
        told["balance"] = {
            "amount": balance.amount,
            "currency": balance.currency,
            "of_key": balance.of_key,
        }
    return told


def _words_document(words: WordsAnswered) -> dict[str, Any]:
    told: dict[str, Any] = {
        "answers": words.answers.answers,
        "empty": words.answers.empty,
        "temperature": words.answers.temperature,
        "cells": {cell: dict(counts) for cell, counts in words.answers.counts.items()},
        "verdict": words.verdict,
        "comparison": None,
    }
    if words.reference is not None and words.comparison is not None:
        compared = identity_compare.document(words.reference, "this audit", words.comparison)
        told["comparison"] = compared
    return told
