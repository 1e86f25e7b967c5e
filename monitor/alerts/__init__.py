"""Decide and tell: policies judge, the machine believes, incidents gather, words are found, Apprise sends."""

from monitor.alerts.changes import Changes
from monitor.alerts.desk import Alerts
from monitor.alerts.fitting import parts
from monitor.alerts.message import digest, latest, together
from monitor.alerts.notify import Notifier
from monitor.alerts.saying import Context

__all__ = ["Alerts", "Changes", "Context", "Notifier", "digest", "latest", "parts", "together"]
