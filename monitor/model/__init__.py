"""Frozen dataclasses and enums that all packages share; standard library only."""

from monitor.model.alert import (
    NOT_HEARD,
    UNWATCHED,
    AlertState,
    EntryKind,
    Event,
    Fired,
    FlapSeries,
    Incident,
    Message,
    Mute,
    Notice,
    NotificationType,
    OutboxMessage,
    Phase,
    Policy,
    Resolved,
    Rule,
    RunHistory,
    Severity,
    StateKey,
    TimelineEntry,
    Verdict,
    WebhookEvent,
)
from monitor.model.catalogue import Catalogue, CatalogueChange, CatalogueItem
from monitor.model.check import Check, Endpoint, LatencyLimit, Probe, Proxy, Service
from monitor.model.errors import (
    Complaint,
    ConfigError,
    MonitorError,
    NewerSchemaError,
    NotDeliveredError,
    ReceiverGoneError,
    StoreError,
)
from monitor.model.failure import Failure, FailureKind, Fault, Outcome
from monitor.model.maintenance import (
    ALL,
    Announcement,
    Maintenance,
    MaintenanceWindow,
    Recurrence,
    Silence,
)
from monitor.model.month import Month
from monitor.model.outages import Span
from monitor.model.result import (
    SATURATED,
    SETTLED,
    TIMING_NAMES,
    Balance,
    BalanceHistory,
    Evidence,
    Habit,
    Mark,
    Result,
    Stream,
    Timings,
    TokenHistory,
    Usage,
    WordHistory,
)
from monitor.model.rollup import Rollup
from monitor.model.secret import Redactor, Secret, clean_text
from monitor.model.settings import (
    AlertSettings,
    Channel,
    HistorySettings,
    OtlpSettings,
    PageSettings,
    Publishing,
    Webhook,
)
from monitor.model.spend import NO_SPEND, DailyBudget, Price, Spend
from monitor.model.store_records import (
    WINDOWS,
    CheckHistory,
    KnownCheck,
    MonthCounts,
    MonthRecord,
    OperatorRequest,
    PastCounts,
    Period,
    Point,
    RequestKind,
    Resolution,
    RestartState,
    RunRecord,
    Snapshot,
    Subscriber,
)
from monitor.model.unmeasured import Gap, LastRuns, Unmeasured, all_of, counts_for
from monitor.model.vantage import (
    LOCAL,
    AgentSettings,
    AgentState,
    Names,
    Quorum,
    Vantage,
    VerdictSettings,
    in_turn,
    name_in,
    place_state,
    turns_of,
)
