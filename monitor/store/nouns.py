"""Nouns as rows, and rows as nouns, for all but results and rollups."""

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from monitor.model import AlertState, Evidence, Habit, Incident, OutboxMessage, Phase
from monitor.store.times import maybe_from_micros, maybe_micros, micros

_INCIDENT = TypeAdapter(Incident)
_OUTGOING = TypeAdapter(OutboxMessage)
_HABIT = TypeAdapter(Habit)
_EVIDENCE = TypeAdapter(Evidence)

Row = dict[str, Any]


def state_row(state: AlertState) -> Row:
    return {
        "check_key": state.check,
        "rule": state.rule,
        "phase": state.phase.value,
        "streak": state.streak,
        "since": maybe_micros(state.since),
        "bad_since": maybe_micros(state.bad_since),
        "incident": state.incident,
    }


def state_from(row: RowMapping) -> AlertState:
    return AlertState(
        check=row["check_key"],
        rule=row["rule"],
        phase=Phase(row["phase"]),
        streak=row["streak"],
        since=maybe_from_micros(row["since"]),
        bad_since=maybe_from_micros(row["bad_since"]),
        incident=row["incident"],
    )


def incident_row(incident: Incident) -> Row:
    plain = replace(incident, failed_runs=dict(incident.failed_runs))  # any mapping will do
    return {
        "id": incident.id,
        "service": incident.service,
        "severity": incident.severity.value,
        "opened": micros(incident.opened),
        "closed": maybe_micros(incident.closed),
        "body": _INCIDENT.dump_json(plain).decode(),
    }


def incident_from(body: str) -> Incident:
    return _INCIDENT.validate_json(body)


def outgoing_row(outgoing: OutboxMessage, state: str = "pending") -> Row:
    return {
        "id": outgoing.id,
        "state": state,
        "channel": outgoing.channel,
        "not_before": micros(outgoing.not_before),
        "done": None,
        "last_error": outgoing.last_error,
        "body": _OUTGOING.dump_json(outgoing).decode(),
    }


def outgoing_from(body: str) -> OutboxMessage:
    return _OUTGOING.validate_json(body)


def habit_row(check: str, habit: Habit) -> Row:
    return {"check_key": check, "body": _HABIT.dump_json(habit).decode()}


def habit_from(body: str) -> Habit:
    return _HABIT.validate_json(body)


def evidence_row(key: int, evidence: Evidence) -> Row:
    return {"key": key, "body": _EVIDENCE.dump_json(evidence).decode()}


def evidence_from(body: str) -> Evidence:
    return _EVIDENCE.validate_json(body)
