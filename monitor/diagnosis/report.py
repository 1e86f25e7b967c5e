"""Describes an examination step by step, in words. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.diagnosis.bogon_ranges import describe_bogon, network_of
from monitor.diagnosis.observations import (
    CUT,
    NEUTRAL,
    ConnectionEnd,
    ConnectionTrial,
    DnsAnswer,
    NetworkStatus,
    Observations,
)


@dataclass(frozen=True, slots=True)
class ReportStep:
    """Describes one step; `good` is None where it says nothing for or against."""

    name: str
    good: bool | None
    text: str
    ms: float | None = None


def report_steps(observations: Observations) -> tuple[ReportStep, ...]:
    return (_network(observations), *_names(observations), *_trials(observations))


def report_line(observations: Observations) -> str:
    """Return all steps in one line, as evidence."""
    return "; ".join(f"{step.name}: {step.text}" for step in report_steps(observations))


def _network(observations: Observations) -> ReportStep:
    good = {NetworkStatus.FINE: True, NetworkStatus.UNKNOWN: None}.get(
        observations.network.status, False
    )
    skew = observations.network.skew_s
    clock = "" if skew is None else f"; our clock differs from theirs by {abs(skew):.0f} s"
    return ReportStep("own network", good, observations.network.words + clock)


def _names(observations: Observations) -> Iterator[ReportStep]:
    if observations.here is None:
        yield ReportStep(
            "name", None, f"{observations.target.host} is an address, nothing to look up"
        )
        return
    yield _answer("system's resolver", observations.here, None)
    for answer in observations.there:
        yield _answer(f"resolver {answer.resolver}", answer, observations.here)


def _answer(name: str, answer: DnsAnswer, here: DnsAnswer | None) -> ReportStep:
    if not answer.addresses:
        return ReportStep(name, False, f"{answer.failure or 'no address'}", answer.ms)
    shown = ", ".join(map(_described, answer.addresses[:4]))
    more = len(answer.addresses) - 4
    text = f"{shown} and {more} more" if more > 0 else shown
    if answer.raced:
        return ReportStep(
            name, False, f"{text}; two answers that differ came to one question", answer.ms
        )
    if here is None or not here.addresses:
        return ReportStep(name, True, text, answer.ms)
    return ReportStep(
        name, None if _differ(answer, here) else True, f"{text}{_compared(answer, here)}", answer.ms
    )


def _described(address: str) -> str:
    odd = describe_bogon(address)
    return f"{address} ({odd})" if odd else address


def _differ(one: DnsAnswer, other: DnsAnswer) -> bool:
    return not {network_of(address) for address in one.addresses} & {
        network_of(address) for address in other.addresses
    }


def _compared(answer: DnsAnswer, here: DnsAnswer) -> str:
    if set(answer.addresses) & set(here.addresses):
        return ", as here"
    return ", another network than here" if _differ(answer, here) else ", the network of here"


def _trials(observations: Observations) -> Iterator[ReportStep]:
    for trial in observations.trials:
        yield ReportStep(
            _what(trial, observations), _is_good(trial, observations), _ended(trial), trial.ms
        )


def _what(trial: ConnectionTrial, observations: Observations) -> str:
    if not trial.name:
        return f"TCP to {trial.address}"
    if trial.name == trial.address:
        return f"TLS to {trial.address}"
    what = "another name" if trial.name == NEUTRAL != observations.target.host else "its name"
    return f"TLS to {trial.address}, saying {what} ({trial.name})"


def _is_good(trial: ConnectionTrial, observations: Observations) -> bool | None:
    if trial.name == observations.target.host or not trial.name:
        return trial.end in {ConnectionEnd.VALID, ConnectionEnd.OPEN}
    return None if trial.end not in CUT else False


def _ended(trial: ConnectionTrial) -> str:
    detail = f" ({trial.detail})" if trial.detail else ""
    where = ", before TLS" if trial.name and not trial.connected else ""
    text = f"{trial.end.value}{detail}{where}"
    if trial.certificate is None or trial.end is ConnectionEnd.VALID:
        return text
    shown = trial.certificate
    names = ", ".join(shown.names) or "no name"
    return (
        f"{text}; it is for {names}, by {shown.issuer},"
        f" {shown.not_before:%Y-%m-%d} to {shown.not_after:%Y-%m-%d}"
    )
