"""Holds what nearly every part of the daemon is made from."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from monitor.clock import Clock, ClockSteps
from monitor.config import Config
from monitor.daemon.systemd import StoreWatchdog
from monitor.metrics import Metrics
from monitor.model import Message, OutboxMessage, Redactor, Result
from monitor.probes.wire.resolver import Resolve
from monitor.ranking import RecentAnswers
from monitor.store import Store


@dataclass(frozen=True, slots=True)
class Listeners:
    """Callbacks on the event loop's thread, for whoever shows what happens: the demo's live table."""

    on_result: Callable[[Result], None] = lambda _: None
    on_message: Callable[[OutboxMessage, Message], None] = lambda *_: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Holds what nearly every part is made from."""

    config: Config
    clock: Clock
    rng: Random
    redact: Redactor
    store: Store
    store_watchdog: StoreWatchdog
    metrics: Metrics
    listeners: Listeners
    answers: RecentAnswers
    """What main checks got lately, to rank base URLs by."""
    clock_steps: ClockSteps
    resolve: Resolve
    """Looks names up for probes and diagnosis."""
