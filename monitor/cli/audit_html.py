"""Writes an audit as one HTML file that may be given away: nothing of the key or the account is in it."""

import re
from dataclasses import replace

from monitor import __version__
from monitor.cli import identity_compare
from monitor.cli.audit_report import (
    WORDS,
    complaints,
    detail,
    headline,
    is_told_below,
    model_line,
    spent_line,
)
from monitor.cli.audit_run import Audit, StepResult, WordsAnswered
from monitor.cli.console import utc_time
from monitor.language import ENGLISH, templates
from monitor.model import Failure, Fault
from monitor.model.failure import WHOSE
from monitor.page.render import environment
from monitor.page.render_cache import RenderCache
from monitor.probes.kinds.balance import BalanceProbe

_QUOTED = re.compile(r'".*"', re.DOTALL)
"""All from the first quote to the last: what an endpoint said may hold quotes itself."""


def page(audit: Audit) -> str:
    """Return the whole file. Everything in it is escaped: an endpoint's words are foreign text."""
    env = environment(templates(), ENGLISH, RenderCache())
    view = _view(shareable(audit))
    return env.get_template("audit.html").render(view=view, style="")


def shareable(audit: Audit) -> Audit:
    """Return the audit without what an endpoint may say of the account, and without what was seen of the way to it.

    That is the balance, the words of refusals, and the addresses and resolvers of who asks.
    """
    steps = tuple(
        _shareable_step(step)
        for step in audit.steps
        if not isinstance(step.step.probe, BalanceProbe)
    )
    by = audit.stopped_by
    return replace(audit, steps=steps, stopped_by=by and replace(by, message=_public(by)))


def _shareable_step(step: StepResult) -> StepResult:
    result, failure = step.result, step.failure
    safe = failure and replace(failure, message=_public(failure))
    row = failure.kind.row if failure else None
    is_path = row is not None and (row.on_path or row.fails_on_connecting)
    return replace(
        step,
        result=result and replace(result, failure=safe, remote_ip=None),
        note="" if is_path else _QUOTED.sub('"…"', step.note),
    )


def _public(failure: Failure) -> str:
    """Return what was measured: a model's own words stay, those of refusals and errors are left out."""
    row, message = failure.kind.row, failure.message
    is_models_own = row.spoils_answer and not row.on_path and "HTTP" not in message
    if failure.fault is not Fault.ACCOUNT and is_models_own:
        return message
    return _QUOTED.sub('"…"', message)


def _view(audit: Audit) -> dict[str, object]:
    """Return all that the page says, by the names that its template has for it."""
    words = audit.words
    return {
        "url": audit.url,
        "at": f"{utc_time(audit.at)} UTC",
        "version": __version__,
        "model": model_line(audit),
        "spent": spent_line(audit),
        "headline": headline(audit),
        "well": audit.is_well,
        "rows": [_row(step) for step in audit.steps],
        "complaints": [
            {"where": ", ".join(names), "row": kind.row, "whose": WHOSE[kind.fault]}
            for kind, names in complaints(audit).items()
        ],
        "words": _words(words) if words else (),
        "reference": _reference(words) if words else "",
        "verdicts": _verdicts(words) if words else (),
    }


def _row(step: StepResult) -> dict[str, str]:
    return {
        "name": step.step.name,
        "finding": step.finding.value,
        "word": WORDS[step.finding],
        "time": f"{step.took_s:.1f} s" if step.runs else "",
        "detail": "see below" if is_told_below(step) else detail(step),
    }


def _words(words: WordsAnswered) -> tuple[tuple[str, str, str], ...]:
    """Return each cell, its commonest words here, and those of the reference."""
    ours = words.answers.sample
    theirs = words.reference.sample if words.reference else {}
    return tuple(
        (
            cell,
            identity_compare.counted(ours, cell),
            identity_compare.counted(theirs, cell) if theirs else "",
        )
        for cell in ours
    )


def _reference(words: WordsAnswered) -> str:
    known = words.reference
    if known is None:
        return ""
    return f"{known.model} at {known.host}, {known.recorded:%Y-%m-%d}, {known.answers} answers"


def _verdicts(words: WordsAnswered) -> tuple[str, ...]:
    if words.comparison is None:
        return (words.verdict,)
    return tuple(str(text) for text in identity_compare.said(words.comparison))
