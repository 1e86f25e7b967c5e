"""The nouns that the rooms share: frozen dataclasses and enums, standard library only."""

from monitor.model.alert import (
    AlertState,
    Announcement,
    EntryKind,
    Event,
    Fired,
    Incident,
    Message,
    Outgoing,
    Phase,
    Resolved,
    Rule,
    Severity,
    TimelineEntry,
    Verdict,
)
from monitor.model.check import MAIN_ORDER, Check, Endpoint, Probe, Proxy, Service, Slow
from monitor.model.errors import (
    Complaint,
    ConfigError,
    MonitorError,
    NewerSchemaError,
    NotDeliveredError,
    StoreError,
)
from monitor.model.failure import Failure, Fault, Kind, Outcome
from monitor.model.maintenance import ALL, Maintenance, Recurrence, Silence, Window
from monitor.model.memory import (
    WINDOWS,
    CheckHistory,
    Entry,
    Known,
    Memory,
    Period,
    Point,
    Resolution,
    Snapshot,
)
from monitor.model.result import (
    SATURATED,
    SETTLED,
    TIMING_NAMES,
    Evidence,
    Habit,
    Result,
    Stream,
    Timings,
    Usage,
)
from monitor.model.rollup import Rollup
from monitor.model.secret import Redactor, Secret, clean_text
from monitor.model.settings import AlertSettings, Channel, HistorySettings, PageSettings
from monitor.model.spend import NO_SPEND, Budget, Price, Spend

__all__ = [
    "ALL", "MAIN_ORDER", "NO_SPEND", "SATURATED", "SETTLED", "TIMING_NAMES", "WINDOWS", "AlertSettings", "AlertState", "Announcement", "Budget", "Channel",
    "Check", "CheckHistory", "Complaint", "ConfigError", "Endpoint", "Entry", "EntryKind", "Event", "Evidence",
    "Failure", "Fault", "Fired", "Habit", "HistorySettings", "Incident", "Kind", "Known", "Maintenance", "Memory", "Message",
    "MonitorError", "NewerSchemaError", "NotDeliveredError", "Outcome", "Outgoing", "PageSettings", "Period", "Phase",
    "Point", "Price", "Probe", "Proxy", "Recurrence", "Redactor", "Resolution", "Resolved", "Result", "Rollup", "Rule", "Secret", "Service", "Severity", "Silence",
    "Slow", "Snapshot", "Spend", "StoreError", "Stream", "TimelineEntry", "Timings", "Usage", "Verdict", "Window",
    "clean_text",
]  # fmt: skip
