"""From what is believed of checks to the state of an endpoint and of a service. Pure.

States carry the Statuspage word; `unknown` is ours. What we have not measured is never green.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.model import Check, CheckHistory, Outcome, Phase

_BELIEVED = {Phase.BAD, Phase.RECOVERING}
_SERVED = (Outcome.UP.value, Outcome.DEGRADED.value)


class State(StrEnum):
    """From best to worst; `unknown` stands apart."""

    OPERATIONAL = "operational"
    MAINTENANCE = "under_maintenance"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"
    UNKNOWN = "unknown"


_RANK = {state: rank for rank, state in enumerate(State)}
WORKING = {State.OPERATIONAL, State.DEGRADED}
SERVING = WORKING | {State.MAINTENANCE}


def check_state(check: Check, history: CheckHistory | None, now: datetime) -> State:
    """What the machine believes; a suspicion is not shown before it is believed."""
    if history is None or history.latest is None or _is_old(check, history.latest.at, now):
        return State.UNKNOWN
    phases = {state.rule: state.phase for state in history.states}
    if phases.get("down") in _BELIEVED:
        return State.MAJOR
    if history.latest.outcome is Outcome.UNKNOWN:
        return State.UNKNOWN
    if phases.get("degraded") in _BELIEVED:
        return State.DEGRADED
    return State.OPERATIONAL if _has_served(history) else State.UNKNOWN


def _is_old(check: Check, at: datetime, now: datetime) -> bool:
    return now - at > max(check.probe.every * 5, timedelta(minutes=10))


def _has_served(history: CheckHistory) -> bool:
    """A first run that failed is only suspected, but nothing speaks for green either."""
    return any(history.last_24h.outcomes.get(name) for name in _SERVED)


def endpoint_state(states: Sequence[State], main: State) -> State:
    """All its checks down, or its main check down: major. Some down: partial. Else the worst of the rest."""
    measured = [state for state in states if state is not State.UNKNOWN]
    if not measured:
        return State.UNKNOWN
    down = measured.count(State.MAJOR)
    if down == len(measured) or main is State.MAJOR:
        return State.MAJOR
    return State.PARTIAL if down else worst(measured)


def service_state(endpoints: Sequence[State], *, carried: bool) -> State:
    """`carried`: every kind of call works through one endpoint at least."""
    measured = [state for state in endpoints if state is not State.UNKNOWN]
    if not measured:
        return State.UNKNOWN
    if not carried:
        return State.MAJOR
    found = worst(measured)
    return State.PARTIAL if found is State.MAJOR else found


def worst(states: Iterable[State]) -> State:
    """Of at least one; `unknown` only counts where nothing else is known."""
    known = [state for state in states if state is not State.UNKNOWN]
    return max(known, key=_RANK.__getitem__, default=State.UNKNOWN)
