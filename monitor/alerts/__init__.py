"""Decides and tells: policies judge, the machine confirms, incidents group, messages are written, Apprise sends."""

from monitor.alerts.alert_changes import AlertChanges
from monitor.alerts.alternatives import Alternatives, find_alternatives
from monitor.alerts.digest import digest, digests, together
from monitor.alerts.engine import AlertEngine
from monitor.alerts.message import latest
from monitor.alerts.message_parts import Context
from monitor.alerts.notify import Notifier
from monitor.alerts.policies import certificate_days
from monitor.alerts.voters import QuorumSettings, VoterSettings
