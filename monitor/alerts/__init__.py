"""Decide and tell: policies judge, the machine believes, incidents gather, words are found, Apprise sends."""

from monitor.alerts.desk import Alerts, Changes
from monitor.alerts.message import Context, digest, parts, phrase, together
from monitor.alerts.notify import Notifier

__all__ = ["Alerts", "Changes", "Context", "Notifier", "digest", "parts", "phrase", "together"]
