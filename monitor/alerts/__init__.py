"""Decide and tell: policies judge, the machine believes, incidents gather, words are found, Apprise sends."""

from monitor.alerts.engine import AlertChanges, AlertEngine
from monitor.alerts.message import Context, digest, latest, together
from monitor.alerts.message_split import parts
from monitor.alerts.notify import Notifier

__all__ = [
    "AlertChanges",
    "AlertEngine",
    "Context",
    "Notifier",
    "digest",
    "latest",
    "parts",
    "together",
]
