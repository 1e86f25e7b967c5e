"""States of checks, calls, endpoints and services, from what is believed of checks. Pure.

States carry the Statuspage word; `unknown` is ours. What we have not measured is never green.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from monitor.incident_gaps import last_runs
from monitor.model import Check, CheckHistory, Outcome, Phase

_BELIEVED = {Phase.BAD, Phase.RECOVERING}
_SERVED = (Outcome.UP.value, Outcome.DEGRADED.value)


class State(StrEnum):
    """The states from best to worst; `unknown` stands apart."""

    OPERATIONAL = "operational"
    MAINTENANCE = "under_maintenance"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"
    UNKNOWN = "unknown"


_RANK = {state: rank for rank, state in enumerate(State)}
WORKING = {State.OPERATIONAL, State.DEGRADED}
"""What a call is while it is answered."""
ANSWERED = WORKING | {State.PARTIAL}
"""What a kind of call is while some base URL answers it."""


def check_state(check: Check, history: CheckHistory | None, now: datetime) -> State:
    """Return what is believed; a suspicion is not shown before it is believed."""
    runs = last_runs(history)
    if history is None or history.latest is None or runs is None or runs.gap(now, check.every):
        return State.UNKNOWN
    phases = {state.rule: state.phase for state in history.states}
    if phases.get("down") in _BELIEVED:
        return State.MAJOR
    if _BELIEVED & {phases.get("degraded"), phases.get("promise")}:
        return State.DEGRADED
    if history.latest.outcome is Outcome.UNKNOWN:
        return State.UNKNOWN
    return State.OPERATIONAL if _has_served(history) else State.UNKNOWN


def _has_served(history: CheckHistory) -> bool:
    """Say whether a check was answered in the last 24 hours. A first run that failed is only suspected, but not green."""
    return any(history.last_24h.outcomes.get(name) for name in _SERVED)


def call_state(cells: Iterable[State]) -> State:
    """Return the state of one kind of call through all base URLs that it is made to.

    Major only where it is known to fail through each of them; answered by some and failing through
    others is partial. Where it is answered by none, and not known to fail through all, it is unknown.
    """
    states = set(cells)
    if states <= {State.MAINTENANCE} or states == {State.MAJOR}:
        return worst(states)
    if not states & WORKING:
        return State.UNKNOWN
    return State.PARTIAL if State.MAJOR in states else worst(states & WORKING)


def endpoint_state(cells: Iterable[State], main: State) -> State:
    """Return the state of a base URL from those of its checks: down with its main call, partly down with
    another one. Where the main call is not known, nothing better is known of the base URL.
    """
    states = set(cells)
    if main is State.MAJOR:
        return State.MAJOR
    if State.MAJOR in states:
        return State.PARTIAL
    return worst(states) if main in WORKING else main


def service_state(endpoints: Sequence[State], mains: Sequence[State]) -> State:
    """Return the state of a service from those of its base URLs and of their main calls.

    Down where the main call is known to fail through every base URL. Else what is down is a part of it.
    """
    main = call_state(mains)
    if main in {State.MAJOR, State.MAINTENANCE}:
        return main
    state = worst(endpoints)
    if state in {State.MAJOR, State.PARTIAL}:
        return State.PARTIAL
    return State.UNKNOWN if main is State.UNKNOWN else state


def overall_state(services: Sequence[State]) -> State:
    """Return the state of the page: a major outage only where every service is down."""
    if State.MAJOR in services and set(services) != {State.MAJOR}:
        return State.PARTIAL
    return worst(services)


def worst(states: Iterable[State]) -> State:
    """Return the worst of what is known; unknown where nothing is."""
    known = [state for state in states if state is not State.UNKNOWN]
    return max(known, key=_RANK.__getitem__, default=State.UNKNOWN)
