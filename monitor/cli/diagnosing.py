"""`monitor diagnose URL`: every step of the way there, whose fault it is, and what to do."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import SystemRandom
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.text import Text
from rich.tree import Tree

from monitor.cli.words import milliseconds
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.config.addresses import BaseUrl
from monitor.diagnosis import (
    DiagnosisSettings,
    Observations,
    PathDiagnosis,
    ReportStep,
    explain,
    parse_resolver,
    report_steps,
    target_of,
)
from monitor.model import (
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
from monitor.probes import PROBES, Client, attempt

_MARKS = {True: ("ok", "green"), False: ("broken", "bold red"), None: ("--", "dim")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    url: str
    result: Result
    measured: Failure | None
    """What the request itself met, before it was explained."""
    steps: tuple[ReportStep, ...]
    is_uncompared: bool = False
    """A failure of the path, and no other resolver was asked."""

    @property
    def failure(self) -> Failure | None:
        return self.result.failure

    @property
    def is_fine(self) -> bool:
        return self.failure is None or self.failure.kind.row.shows_reached


def endpoint_of(text: str, config: Config | None) -> Endpoint:
    """That of the config with this base URL, else a plain one. Raises ValueError."""
    url = TypeAdapter(BaseUrl).validate_python(text if "://" in text else f"https://{text}")
    known = (each for service in config.services for each in service.endpoints) if config else ()
    plain = Endpoint(id="url", service="diagnose", url=url, name=url)
    return next((each for each in known if each.url == url), plain)


def settings_of(config: Config | None, resolvers: Iterable[str]) -> DiagnosisSettings:
    """Raises ValueError."""
    settings = config.diagnosis if config else DiagnosisSettings()
    more = tuple(map(parse_resolver, resolvers))
    return replace(settings, resolvers=(*settings.resolvers, *more))


def complaint(error: ValueError) -> str:
    """Pydantic wraps what the house said."""
    if isinstance(error, ValidationError):
        return str(error.errors()[0].get("ctx", {}).get("error", error.errors()[0]["msg"]))
    return str(error)


async def diagnose(
    endpoint: Endpoint, settings: DiagnosisSettings, config: Config | None
) -> Diagnosis:
    """The neutral name is said before the real one, so the examination comes before the request."""
    redact = Redactor(config.secrets if config else ())
    clock, client = SystemClock(), Client()
    hosts = [each for service in config.services for each in service.endpoints] if config else []
    doctor = PathDiagnosis(settings, hosts, clock=clock, redact=redact)
    try:
        observations = await _look(doctor, endpoint)
        probe = PROBES["http"](timeout=timedelta(seconds=10))
        check = Check(service=endpoint.service, endpoint=endpoint, probe=probe)
        ran = await attempt(
            check, habit=Habit(), client=client, clock=clock, rng=SystemRandom(),
            vantage=config.vantage if config else "local", redact=redact,
        )  # fmt: skip
    finally:
        await client.close()
        await doctor.close()
    return _together(endpoint.url, ran.result, observations, redact)


async def _look(doctor: PathDiagnosis, endpoint: Endpoint) -> Observations | None:
    if endpoint.proxy is not None:
        return None
    return await doctor.examine(replace(target_of(endpoint.url), ca_file=endpoint.ca_file), None)


def _together(
    url: str, result: Result, observations: Observations | None, redact: Callable[[str], str]
) -> Diagnosis:
    measured = result.failure
    looked: tuple[ReportStep, ...] = (
        ReportStep("the way", None, "goes through a proxy, and was not examined"),
    )
    if observations is not None:
        looked = report_steps(observations)
        better = explain(replace(observations, kind=measured.kind)) if measured else None
        if better:
            safe = Failure(better.kind, clean_text(redact(better.message)))
            result = replace(result, failure=safe, outcome=safe.outcome)
    done = (*looked, _request(result.http_status, measured, result))
    safe_steps = tuple(
        replace(step, name=clean_text(redact(step.name)), text=clean_text(redact(step.text)))
        for step in done
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


def _request(status: int | None, measured: Failure | None, result: Result) -> ReportStep:
    good = measured is None or measured.kind.row.shows_reached
    text = f"HTTP {status}" if status is not None else "no answer"
    if measured and not (good and status is not None):
        text = f"{text}: {measured.message}"
    return ReportStep("GET /", good, text, result.timings.total)


def tree(found: Diagnosis) -> Tree:
    shown = Tree(Text(found.url, style="bold"))
    for step in found.steps:
        shown.add(_line(step))
    verdict = shown.add(Text("verdict", style="bold"))
    for text in verdict_lines(found):
        verdict.add(Text(text))
    return shown


def _line(step: ReportStep) -> Text:
    word, style = _MARKS[step.good]
    took = "" if step.ms is None else f" ({milliseconds(step.ms)})"
    return Text.assemble((f"{word:6} ", style), (step.name, "bold"), f": {step.text}{took}")


def verdict_lines(found: Diagnosis) -> Iterator[str]:
    failure = found.failure
    if failure is None or found.is_fine:
        yield "The way is fine: the server answers over HTTP."
        if failure and failure.kind is FailureKind.CERT_EXPIRING:
            yield failure.message
        return
    words = failure.kind.row.words
    yield f"{words.label} ({failure.kind.value}): {words.what}"
    yield failure.message
    yield f"Whose fault: {WHOSE[failure.fault]}."
    yield f"What to do: {words.remedy}"
    if found.is_uncompared:
        yield "To compare what DNS says, name another resolver: --resolver https://1.1.1.1/dns-query"


def document(found: Diagnosis) -> dict[str, Any]:
    failure = None if found.is_fine else found.failure
    timings = found.result.timings
    return {
        "url": found.url,
        "vantage": found.result.vantage,
        "at": found.result.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "fine": found.is_fine,
        "failure": failure_document(failure) if failure else None,
        "measured": found.measured.kind.value if found.measured else None,
        "remedy": failure.kind.row.remedy if failure else None,
        "http_status": found.result.http_status,
        "remote_ip": found.result.remote_ip,
        "timings_ms": {
            name: getattr(timings, name) for name in ("dns", "connect", "tls", "ttfb", "total")
        },
        "steps": [
            {"name": step.name, "good": step.good, "text": step.text, "ms": step.ms}
            for step in found.steps
        ],
    }
