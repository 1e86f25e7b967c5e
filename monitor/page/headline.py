"""The sentence of the page, and whose it is: the service, the network, your connection. Pure."""

from collections.abc import Sequence

from monitor.model import Severity, Snapshot
from monitor.model.words import WORDS
from monitor.page import words
from monitor.page.nouns import EndpointView, ServiceView, Triage
from monitor.page.states import SERVING, State, worst


def overall(services: Sequence[ServiceView]) -> State:
    states = [service.state for service in services]
    found = worst(states) if states else State.UNKNOWN
    some_left = found is State.MAJOR and any(state in SERVING for state in states)
    return State.PARTIAL if some_left else found


def headline(services: Sequence[ServiceView], state: State) -> tuple[str, ...]:
    """The sentence of the page: whether the service is up, then what is wrong with its base URLs."""
    if state is State.UNKNOWN:
        return ("We cannot measure right now.",)
    if all(
        endpoint.state is State.OPERATIONAL
        for service in services
        for endpoint in service.endpoints
    ):
        return ("All base URLs work.",)
    down = [service.name for service in services if service.state is State.MAJOR]
    if len(down) == len(services):
        return ("The service is down.",) if len(services) == 1 else ("All services are down.",)
    first = (
        f"{words.joined(down)} {'is' if len(down) == 1 else 'are'} down." if down else _up(services)
    )
    rest = _wrong(
        [
            each
            for service in services
            if service.state is not State.MAJOR
            for each in service.endpoints
        ]
    )
    return (first, *([f"{rest}."] if rest else []))


def _up(services: Sequence[ServiceView]) -> str:
    return "The service is up." if len(services) == 1 else "The services are up."


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


def text(endpoints: Sequence[EndpointView], snapshot: Snapshot) -> str:
    serving = sum(endpoint.state in SERVING for endpoint in endpoints)
    measured = sum(endpoint.state is not State.UNKNOWN for endpoint in endpoints)
    account = next((incident for incident in snapshot.incidents
                    if incident.severity is Severity.ACCOUNT and not incident.closed), None)  # fmt: skip
    if account:
        return f"{WORDS[account.failure.kind].what} This concerns the account of the monitor, not the service."
    if not measured:
        return (
            "There are no results yet, or the monitor cannot see. The states below are not known."
        )
    return f"Requests succeed through {serving} of {len(endpoints)} base URLs right now."


def triage_service(services: Sequence[ServiceView]) -> Triage:
    state = worst([service.state for service in services]) if services else State.UNKNOWN
    up = sum(service.state in SERVING | {State.PARTIAL} for service in services)
    calls = len({probe for service in services for probe in service.probes})
    if state is State.UNKNOWN:
        return Triage(state=state, what="Not known", note="Nothing could be measured")
    if up == len(services):
        note = f"All {calls} kinds of calls are answered" if calls > 1 else "Calls are answered"
        return Triage(state=State.OPERATIONAL, what="Up", note=note)
    down = len(services) - up
    return Triage(state=State.MAJOR, what="Down", note=f"{down} of {len(services)} services" if len(services) > 1 else
                  "A kind of call fails through every base URL")  # fmt: skip


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
