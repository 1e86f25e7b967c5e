"""The sentence of the page, and whose it is: the service, the network, your connection. Pure."""

from collections.abc import Sequence

from monitor.model import Incident, Severity
from monitor.model.words import WORDS
from monitor.page import words
from monitor.page.nouns import EndpointView, ServiceView, Triage
from monitor.page.states import SERVING, State, worst

_UP = SERVING | {State.PARTIAL}


def overall(services: Sequence[ServiceView]) -> State:
    states = [service.state for service in services]
    found = worst(states) if states else State.UNKNOWN
    some_left = found is State.MAJOR and any(state in _UP for state in states)
    return State.PARTIAL if some_left else found


def headline(services: Sequence[ServiceView], state: State, *, fresh: bool) -> tuple[str, ...]:
    """The sentence of the page: whether the service is up, then what is wrong with its base URLs."""
    if state is State.UNKNOWN:
        return ("Nothing has been measured yet." if fresh else "We cannot measure right now.",)
    if all(
        endpoint.state is State.OPERATIONAL
        for service in services
        for endpoint in service.endpoints
    ):
        return ("All base URLs work.",)
    if all(service.state is State.MAJOR for service in services):
        return ("The service is down.",) if len(services) == 1 else ("All services are down.",)
    rest = _wrong(
        [each for service in services if service.state in _UP for each in service.endpoints]
    )
    return (*_which(services), *([f"{rest}."] if rest else []))


def _which(services: Sequence[ServiceView]) -> tuple[str, ...]:
    """Whether they are up: by name as soon as they are not all alike."""
    if all(service.state in _UP for service in services):
        return ("The service is up." if len(services) == 1 else "The services are up.",)
    named = [
        (verbs, [service.name for service in services if service.state in states])
        for verbs, states in (
            (("is down", "are down"), {State.MAJOR}),
            (("is up", "are up"), _UP),
            (("cannot be measured", "cannot be measured"), {State.UNKNOWN}),
        )
    ]
    return tuple(
        f"{words.joined(names)} {verbs[len(names) > 1]}." for verbs, names in named if names
    )


def _wrong(endpoints: Sequence[EndpointView]) -> str:
    """What is worst, and how many base URLs it concerns; the rest is in the triage."""
    states = [endpoint.state for endpoint in endpoints]
    blocked = sum(each.state is State.MAJOR and each.blocked for each in endpoints)
    parts = [
        (states.count(State.MAJOR) - blocked, "is down", "are down"),
        (blocked, "is not reachable from here", "are not reachable from here"),
        (states.count(State.PARTIAL), "fails in part", "fail in part"),
        (states.count(State.DEGRADED), "is degraded", "are degraded"),
        (states.count(State.MAINTENANCE), "is in maintenance", "are in maintenance"),
        (states.count(State.UNKNOWN), "cannot be measured", "cannot be measured"),
    ]
    count, singular, plural = next((part for part in parts if part[0]), (0, "", ""))
    return words.urls(count, singular, plural) if count else ""


def text(endpoints: Sequence[EndpointView], incidents: Sequence[Incident], *, fresh: bool) -> str:
    if fresh:
        return "The first results are on their way. What was not measured is not called good."
    serving = sum(endpoint.state in SERVING for endpoint in endpoints)
    seen = any(endpoint.state is not State.UNKNOWN for endpoint in endpoints)
    said = [f"Requests succeed through {serving} of {len(endpoints)} base URLs right now."] * seen
    ours = [
        f"{WORDS[each.failure.kind].what} This concerns {_WHOSE[each.severity]}, not the service."
        for each in incidents
        if each.severity in _WHOSE and not each.closed
    ]
    return " ".join([*said, *ours[:1]]) or "There are no results from which to tell."


_WHOSE = {Severity.ACCOUNT: "the account of the monitor", Severity.MONITOR: "the monitor itself"}


def triage_service(services: Sequence[ServiceView]) -> Triage:
    known = [service for service in services if service.state is not State.UNKNOWN]
    down = sum(service.state is State.MAJOR for service in known)
    calls = len({probe for service in known for probe in service.probes})
    if not known:
        return Triage(state=State.UNKNOWN, what="Not known", note="Nothing could be measured")
    if down:
        note = (
            f"{down} of {len(services)} services"
            if len(services) > 1
            else "A kind of call fails through every base URL"
        )
        return Triage(state=State.MAJOR, what="Down", note=note)
    note = f"All {calls} kinds of calls are answered" if calls > 1 else "Calls are answered"
    if len(known) < len(services):
        note = f"{len(services) - len(known)} of {len(services)} services not measured"
    return Triage(state=State.OPERATIONAL, what="Up", note=note)


def triage_network(endpoints: Sequence[EndpointView]) -> Triage:
    """Paths to the service: what fails while others work."""
    states = [endpoint.state for endpoint in endpoints]
    parts = [
        f"{states.count(state)} {word}"
        for state, word in (
            (State.MAJOR, "down"),
            (State.PARTIAL, "in part"),
            (State.DEGRADED, "degraded"),
        )
        if state in states
    ]
    unknown = states.count(State.UNKNOWN)
    note = f"{unknown} not measured" if unknown else f"{len(endpoints)} base URLs"
    if unknown == len(states):
        return Triage(state=State.UNKNOWN, what="Not known", note=note)
    return Triage(state=worst(states), what=", ".join(parts) or "All paths work", note=note)
