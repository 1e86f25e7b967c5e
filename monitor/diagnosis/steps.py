"""What an examination looked at, step by step, in words. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.diagnosis.bogon_ranges import network_of, what_is_odd
from monitor.diagnosis.observations import CUT, NEUTRAL, Answer, End, Facts, Net, Trial


@dataclass(frozen=True, slots=True)
class Step:
    """`good` is None where the step says nothing for or against."""

    name: str
    good: bool | None
    text: str
    ms: float | None = None


def steps(facts: Facts) -> tuple[Step, ...]:
    return (_network(facts), *_names(facts), *_trials(facts))


def note(facts: Facts) -> str:
    """One line, as evidence."""
    return "; ".join(f"{step.name}: {step.text}" for step in steps(facts))


def _network(facts: Facts) -> Step:
    good = {Net.FINE: True, Net.UNKNOWN: None}.get(facts.net.net, False)
    skew = facts.net.skew_s
    clock = "" if skew is None else f"; our clock differs from theirs by {abs(skew):.0f} s"
    return Step("own network", good, facts.net.words + clock)


def _names(facts: Facts) -> Iterator[Step]:
    if facts.here is None:
        yield Step("name", None, f"{facts.target.host} is an address, nothing to look up")
        return
    yield _answer("system's resolver", facts.here, None)
    for answer in facts.there:
        yield _answer(f"resolver {answer.resolver}", answer, facts.here)


def _answer(name: str, answer: Answer, here: Answer | None) -> Step:
    if not answer.addresses:
        return Step(name, False, f"{answer.lack or 'no address'}", answer.ms)
    said = ", ".join(map(_described, answer.addresses[:4]))
    more = len(answer.addresses) - 4
    text = f"{said} and {more} more" if more > 0 else said
    if answer.raced:
        return Step(name, False, f"{text}; two answers that differ came to one question", answer.ms)
    if here is None or not here.addresses:
        return Step(name, True, text, answer.ms)
    return Step(
        name, None if _differ(answer, here) else True, f"{text}{_compared(answer, here)}", answer.ms
    )


def _described(address: str) -> str:
    odd = what_is_odd(address)
    return f"{address} ({odd})" if odd else address


def _differ(one: Answer, other: Answer) -> bool:
    return not {network_of(each) for each in one.addresses} & {
        network_of(each) for each in other.addresses
    }


def _compared(answer: Answer, here: Answer) -> str:
    if set(answer.addresses) & set(here.addresses):
        return ", as here"
    return ", another network than here" if _differ(answer, here) else ", the network of here"


def _trials(facts: Facts) -> Iterator[Step]:
    for trial in facts.trials:
        yield Step(_what(trial, facts), _is_good(trial, facts), _ended(trial), trial.ms)


def _what(trial: Trial, facts: Facts) -> str:
    if not trial.name:
        return f"TCP to {trial.address}"
    if trial.name == trial.address:
        return f"TLS to {trial.address}"
    what = "another name" if trial.name == NEUTRAL != facts.target.host else "its name"
    return f"TLS to {trial.address}, saying {what} ({trial.name})"


def _is_good(trial: Trial, facts: Facts) -> bool | None:
    if trial.name == facts.target.host or not trial.name:
        return trial.end in {End.VALID, End.OPEN}
    return None if trial.end not in CUT else False


def _ended(trial: Trial) -> str:
    detail = f" ({trial.detail})" if trial.detail else ""
    where = ", before TLS" if trial.name and not trial.connected else ""
    text = f"{trial.end.value}{detail}{where}"
    if trial.certificate is None or trial.end is End.VALID:
        return text
    shown = trial.certificate
    names = ", ".join(shown.names) or "no name"
    return (
        f"{text}; it is for {names}, by {shown.issuer},"
        f" {shown.not_before:%Y-%m-%d} to {shown.not_after:%Y-%m-%d}"
    )
