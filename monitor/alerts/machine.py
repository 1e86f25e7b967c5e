"""Since when is it bad, and how sure are we? Pure; one step per verdict.

                 bad                 bad x after
        ┌────┐ ───────▶ ┌─────────┐ ─────────────▶ ┌─────┐
        │ UP │          │ SUSPECT │      fired     │ BAD │ ◀─┐
        └────┘ ◀─────── └─────────┘                └─────┘   │
          ▲      good                           good  │      │ bad
          │                                           ▼      │
          │            good x recover          ┌────────────┐│
          └─────────────────────────────────── │ RECOVERING │┘
                          resolved             └────────────┘

Rules
1. NONE is ignorance: it moves nothing and breaks no streak.
2. An incident dates from the first bad run of the streak that was believed.
3. It ends with the first good run of the streak that was believed.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.model import AlertState, Event, Fired, Phase, Resolved, Rule, Verdict

Step = tuple[AlertState, tuple[Event, ...]]

TRANSITIONS: tuple[tuple[Phase, Verdict, Phase, str], ...] = (
    (Phase.UP, Verdict.GOOD, Phase.UP, ""),
    (Phase.UP, Verdict.BAD, Phase.SUSPECT, "begins to suspect"),
    (Phase.SUSPECT, Verdict.GOOD, Phase.UP, "forgets"),
    (Phase.SUSPECT, Verdict.BAD, Phase.BAD, "fired, `after` in a row"),
    (Phase.BAD, Verdict.BAD, Phase.BAD, ""),
    (Phase.BAD, Verdict.GOOD, Phase.RECOVERING, "begins to hope"),
    (Phase.RECOVERING, Verdict.BAD, Phase.BAD, "relapses, same incident"),
    (Phase.RECOVERING, Verdict.GOOD, Phase.UP, "resolved, `recover` in a row"),
)
"""Every move there is; the diagram of the docs is made from it, and a test walks it."""


def step(rule: Rule, state: AlertState, verdict: Verdict, at: datetime) -> Step:
    """Return the state after one more verdict, and what is newly believed because of it, if anything."""
    if verdict is Verdict.NONE:
        return state, ()
    if verdict is Verdict.BAD:
        return _bad(rule, state, at)
    return _good(rule, state, at)


def shifted(state: AlertState, by: timedelta) -> AlertState:
    """Return the same state by a wall clock that was set forward by `by`."""
    since, bad_since = state.since, state.bad_since
    return replace(state, since=since and since + by, bad_since=bad_since and bad_since + by)


def _bad(rule: Rule, state: AlertState, at: datetime) -> Step:
    match state.phase:
        case Phase.UP | Phase.SUSPECT:
            streak = state.streak + 1
            since = state.since or at
            if streak < rule.after:
                return replace(state, phase=Phase.SUSPECT, streak=streak, since=since), ()
            fired = Fired(state.check, rule.name, since)
            return replace(state, phase=Phase.BAD, streak=0, since=since, bad_since=since), (fired,)
        case Phase.BAD:
            return state, ()
        case Phase.RECOVERING:
            return replace(state, phase=Phase.BAD, streak=0, since=state.bad_since), ()


def _good(rule: Rule, state: AlertState, at: datetime) -> Step:
    match state.phase:
        case Phase.UP:
            return state, ()
        case Phase.SUSPECT:
            return replace(state, phase=Phase.UP, streak=0, since=None), ()
        case Phase.BAD | Phase.RECOVERING:
            recovering = state.phase is Phase.RECOVERING
            streak = state.streak + 1
            since = state.since if recovering and state.since else at
            if streak < rule.recover:
                return replace(state, phase=Phase.RECOVERING, streak=streak, since=since), ()
            calm = replace(
                state, phase=Phase.UP, streak=0, since=None, bad_since=None, incident=None
            )
            return calm, (Resolved(state.check, rule.name, since),)
