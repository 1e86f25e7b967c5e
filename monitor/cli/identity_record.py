"""`monitor identity record`: ask a model for words, as a reference.

Where somebody knows which model answers, as at its maker's own API, the answers are something to compare with.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random, SystemRandom
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor.cli.console import progress, say
from monitor.cli.options import (
    CaFile,
    Yes,
    agree_to_spend,
    base_url,
    check_new_file,
    key_in,
    number_from,
    option,
)
from monitor.cli.whole_file import write_whole
from monitor.clock import Clock, SystemClock
from monitor.config.service_builder import trouble_with
from monitor.model import Check, Endpoint, Habit, MonitorError, Redactor, Secret, clean_text
from monitor.probes.answer.challenges import OneWord
from monitor.probes.answer.identity_reference import IdentityReference, reference_document
from monitor.probes.answer.one_word import CELLS, SYSTEM_TEXTS, first_word
from monitor.probes.kinds.identity import WITHOUT_TEXT, IdentityProbe
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client

USUAL = 144
_AT_ONCE = 4
_TRIES = 3
_PAUSE_S = 5.0
"""How long a server that asks for fewer requests is left alone."""


def command(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The base URL of an API that you trust.")
    ],
    model: Annotated[str, typer.Option("--model", metavar="M", help="The model to ask for.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the reference is written.")
    ],
    key_env: Annotated[
        str,
        option(
            "NAME",
            "The variable of the environment that holds the key. Default: no key is sent.",
        ),
    ] = "",
    answers: Annotated[
        int,
        typer.Option(
            "--answers",
            metavar="N",
            parser=number_from(48, 2000),
            help="How many to ask for, 48 to 2,000.",
        ),
    ] = USUAL,
    ca_file: CaFile = None,
    yes: Yes = False,
) -> None:
    """Ask a model for one-word answers and keep them as a reference. Costs about 35 tokens an answer."""
    endpoint = endpoint_at(url, key_in(key_env) if key_env else None, ca_file)
    check_new_file(output)
    asked = questions(answers, SystemRandom())
    say(announcement(endpoint, model, len(asked)))
    agree_to_spend(yes=yes)
    with progress("asking", len(asked)) as advance:
        reference = asyncio.run(record(endpoint, model, asked, SystemClock(), lambda: advance(1)))
    text = json.dumps(reference_document(reference), ensure_ascii=False, indent=1)
    write_whole(output, f"{text}\n")
    say(
        f"wrote {output}: {reference.answers} answers ({reference.empty} of them empty),"
        f" {reference.tokens_in + reference.tokens_out:,} tokens"
    )


def questions(count: int, rng: Random) -> list[OneWord]:
    """Return at least so many questions, equally many of each cell, in random wordings and order."""
    each = -(-count // len(CELLS))
    asked = [
        OneWord(cell, SYSTEM_TEXTS[cell], rng.choice(wordings))
        for cell, wordings in CELLS.items()
        for _ in range(each)
    ]
    rng.shuffle(asked)
    return asked


def announcement(endpoint: Endpoint, model: str, count: int) -> str:
    tokens = count * IdentityProbe().usual_cost().tokens
    return (
        f"{count} questions for one word to {model} at {_host(endpoint)}, about {tokens:,} tokens"
    )


def endpoint_at(url: str, key: Secret | None, ca_file: Path | None = None) -> Endpoint:
    """Return a base URL of the command line as an endpoint. Raises BadParameter for an address or a file that is none."""
    base = base_url(url)
    if ca_file is not None and (trouble := trouble_with(ca_file)):
        raise typer.BadParameter(trouble, param_hint="'--ca-file'")
    return Endpoint(id="url", service="command-line", url=base, name=base, key=key, ca_file=ca_file)


def _host(endpoint: Endpoint) -> str:
    return urlsplit(endpoint.url).netloc


@dataclass
class _Answers:
    """Collects what came."""

    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {cell: Counter() for cell in CELLS}
    )
    names: set[str] = field(default_factory=set)
    empty: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def take(self, question: OneWord, finding: Finding) -> None:
        word = first_word(question.cell, finding.answer)
        if word:
            self.counts[question.cell][word] += 1
        else:
            self.empty += 1
        if finding.model:
            self.names.add(clean_text(finding.model, 200))
        if finding.usage:
            self.tokens_in += finding.usage.tokens_in or 0
            self.tokens_out += finding.usage.tokens_out or 0


async def record(
    endpoint: Endpoint,
    model: str,
    asked: list[OneWord],
    clock: Clock,
    done: Callable[[], None] = lambda: None,
    pause_s: float = _PAUSE_S,
) -> IdentityReference:
    """Ask every question, a few at a time. Raises MonitorError where one cannot be answered.

    The first question is asked alone: what the server refuses of it is left out of the others.
    """
    probe = IdentityProbe(aliases=frozenset({"any"}))
    check = Check(service=endpoint.service, endpoint=endpoint, probe=probe, model=model)
    redact = Redactor([endpoint.key] if endpoint.key else [])
    collected, began = _Answers(), clock.now()
    gate = asyncio.Semaphore(_AT_ONCE)
    async with Client() as client:
        run = Run(check=check, habit=Habit(), client=client, rng=SystemRandom(), now=began)

        async def ask(question: OneWord, habit: Habit) -> Habit:
            async with gate:
                finding = await _asked(probe, replace(run, habit=habit), question, redact, pause_s)
            collected.take(question, finding)
            done()
            return finding.habit

        habit = await ask(asked[0], Habit())
        tasks = [asyncio.create_task(ask(question, habit)) for question in asked[1:]]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return _reference(collected, endpoint, model, probe, habit, began)


async def _asked(
    probe: IdentityProbe, run: Run, question: OneWord, redact: Redactor, pause_s: float
) -> Finding:
    """Ask, and once more after a pause where the server asks for fewer requests. Raises MonitorError."""
    for pause in (*(pause_s,) * (_TRIES - 1), None):
        finding = await probe.ask(run, question)
        failure = finding.failure
        if failure is None or failure.kind in WITHOUT_TEXT:
            return finding
        if not failure.kind.row.is_busy or pause is None:
            why = clean_text(redact(failure.message))
            raise MonitorError(f"the model cannot be asked: {why}")
        await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _reference(
    collected: _Answers,
    endpoint: Endpoint,
    model: str,
    probe: IdentityProbe,
    habit: Habit,
    began: datetime,
) -> IdentityReference:
    return IdentityReference(
        recorded=began,
        model=model,
        answered_as=tuple(sorted(collected.names)),
        host=_host(endpoint),
        temperature=None if "temperature" in habit.refused else 1.0,
        max_tokens=probe.cap(habit),
        empty=collected.empty,
        tokens_in=collected.tokens_in,
        tokens_out=collected.tokens_out,
        counts={cell: dict(words) for cell, words in collected.counts.items()},
    )
