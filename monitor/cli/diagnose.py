"""`monitor diagnose`: show where the way to a URL breaks.

Every step is shown, then whose fault it is, and what to do.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import SystemRandom
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from monitor import config
from monitor.alerts import certificate_days
from monitor.cli.console import iso_time, milliseconds, show_json, stdout
from monitor.cli.options import AsJson, ConfigPath, base_url, load
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.diagnosis import DiagnosisSettings, parse_resolver
from monitor.diagnosis.control_hosts import target_of
from monitor.diagnosis.observations import Observations
from monitor.diagnosis.path_diagnosis import PathDiagnosis
from monitor.diagnosis.path_verdict import explain
from monitor.diagnosis.report import ReportStep, report_steps
from monitor.model import (
    AlertSettings,
    Check,
    Endpoint,
    Failure,
    FailureKind,
    Habit,
    Redactor,
    Result,
    clean_text,
)
from monitor.model.failure import WHOSE
from monitor.model.result_json import failure_document
from monitor.probes import PROBES, attempt
from monitor.probes.wire.client import Client

_STEP_STYLES = {True: ("ok", "green"), False: ("broken", "bold red"), None: ("--", "dim")}


def command(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A base URL, of the config or any other.")
    ],
    path: ConfigPath = None,
    as_json: AsJson = False,
    resolver: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RESOLVER", help="Compare DNS with this one too: an https:// URL or an address."
        ),
    ] = None,
) -> None:
    """Show where the way to a URL breaks, step by step, and whose fault it is. Exit 1 if it breaks."""
    loaded = (
        load(path, secrets=Secrets.ENDPOINTS)
        if path or any(file.is_file() for file in config.USUAL)
        else None
    )
    endpoint = endpoint_of(url, loaded)
    try:
        settings = settings_of(loaded, resolver or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--resolver'") from None
    diagnosis = asyncio.run(diagnose(endpoint, settings, loaded))
    if as_json:
        show_json(document(diagnosis))
    else:
        stdout().print(tree(diagnosis))
    raise typer.Exit(0 if diagnosis.is_fine else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    url: str
    result: Result
    measured: Failure | None
    """The failure of the request itself, before it was explained."""
    steps: tuple[ReportStep, ...]
    is_uncompared: bool = False
    """Whether DNS was asked here, and no other resolver was asked to compare it."""

    @property
    def failure(self) -> Failure | None:
        return self.result.failure

    @property
    def is_fine(self) -> bool:
        return self.failure is None or self.failure.kind.row.shows_reached


def endpoint_of(text: str, loaded: Config | None) -> Endpoint:
    """Return the endpoint of the config with this base URL, else a plain one. Raises BadParameter."""
    url = base_url(text)
    plain = Endpoint(id="url", service="diagnose", url=url, name=url)
    return next(
        (known for known in (loaded.endpoints if loaded else ()) if known.url == url), plain
    )


def settings_of(loaded: Config | None, resolvers: Iterable[str]) -> DiagnosisSettings:
    """Raises ValueError for a resolver that cannot be used."""
    settings = loaded.diagnosis if loaded else DiagnosisSettings()
    more = tuple(map(parse_resolver, resolvers))
    return replace(settings, resolvers=(*settings.resolvers, *more))


async def diagnose(
    endpoint: Endpoint, settings: DiagnosisSettings, loaded: Config | None
) -> Diagnosis:
    """Examine the path, then ask. Firewalls that saw the real name could spoil the neutral one."""
    redact = Redactor(loaded.secrets if loaded else ())
    clock, client = SystemClock(), Client()
    doctor = PathDiagnosis(settings, loaded.endpoints if loaded else (), clock=clock, redact=redact)
    try:
        observations = await _examine(doctor, endpoint)
        probe = PROBES["http"](timeout=timedelta(seconds=10))
        attempted = await attempt(
            Check(service=endpoint.service, endpoint=endpoint, probe=probe),
            habit=Habit(),
            client=client,
            clock=clock,
            rng=SystemRandom(),
            vantage=loaded.vantage if loaded else "local",
            redact=redact,
            cert_days=certificate_days(loaded.alerts if loaded else AlertSettings()),
        )
    finally:
        await client.close()
        await doctor.close()
    return _combine(endpoint.url, attempted.result, observations, redact)


async def _examine(doctor: PathDiagnosis, endpoint: Endpoint) -> Observations | None:
    if endpoint.proxy is not None:
        return None
    return await doctor.examine(replace(target_of(endpoint.url), ca_file=endpoint.ca_file), None)


def _combine(
    url: str, result: Result, observations: Observations | None, redact: Callable[[str], str]
) -> Diagnosis:
    measured = result.failure
    path_steps: tuple[ReportStep, ...]
    if observations is None:
        path_steps = (ReportStep("the way", None, "goes through a proxy, and was not examined"),)
    else:
        path_steps = report_steps(observations)
        explained = explain(replace(observations, kind=measured.kind)) if measured else None
        if explained:
            safe = Failure(explained.kind, clean_text(redact(explained.message)))
            result = replace(result, failure=safe, outcome=safe.outcome)
    all_steps = (*path_steps, _request_step(result.http_status, measured, result))
    safe_steps = tuple(
        replace(step, name=clean_text(redact(step.name)), text=clean_text(redact(step.text)))
        for step in all_steps
    )
    return Diagnosis(
        url=url,
        result=result,
        measured=measured,
        steps=safe_steps,
        is_uncompared=observations is not None
        and observations.here is not None
        and not observations.there,
    )


def _request_step(status: int | None, measured: Failure | None, result: Result) -> ReportStep:
    good = measured is None or measured.kind.row.shows_reached
    text = f"HTTP {status}" if status is not None else "no answer"
    if measured and not (good and status is not None):
        text = f"{text}: {measured.message}"
    return ReportStep("GET /", good, text, result.timings.total)


def tree(diagnosis: Diagnosis) -> Tree:
    root = Tree(Text(diagnosis.url, style="bold"))
    for step in diagnosis.steps:
        root.add(_line(step))
    verdict = root.add(Text("verdict", style="bold"))
    for text in verdict_lines(diagnosis):
        verdict.add(Text(text))
    return root


def _line(step: ReportStep) -> Text:
    word, style = _STEP_STYLES[step.good]
    took = "" if step.ms is None else f" ({milliseconds(step.ms)})"
    return Text.assemble((f"{word:6} ", style), (step.name, "bold"), f": {step.text}{took}")


def verdict_lines(diagnosis: Diagnosis) -> Iterator[str]:
    failure = diagnosis.failure
    if failure is None or diagnosis.is_fine:
        yield "The way is fine: the server answers over HTTP."
        if failure and failure.kind is FailureKind.CERT_EXPIRING:
            yield failure.message
        return
    words = failure.kind.row.words
    yield f"{words.label} ({failure.kind.value}): {words.what}"
    yield failure.message
    yield f"Whose fault: {WHOSE[failure.fault]}."
    yield f"What to do: {words.remedy}"
    if diagnosis.is_uncompared:
        yield "To compare what DNS says, name another resolver: --resolver https://1.1.1.1/dns-query"


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    result, measured = diagnosis.result, diagnosis.measured
    failure = None if diagnosis.is_fine else diagnosis.failure
    return {
        "url": diagnosis.url,
        "vantage": result.vantage,
        "at": iso_time(result.at),
        "fine": diagnosis.is_fine,
        "failure": failure_document(failure) if failure else None,
        "measured": measured.kind.value if measured else None,
        "remedy": failure.kind.row.remedy if failure else None,
        "http_status": result.http_status,
        "remote_ip": result.remote_ip,
        "timings_ms": {
            name: getattr(result.timings, name)
            for name in ("dns", "connect", "tls", "ttfb", "total")
        },
        "steps": [
            {"name": step.name, "good": step.good, "text": step.text, "ms": step.ms}
            for step in diagnosis.steps
        ],
    }
