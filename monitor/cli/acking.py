"""`monitor ack`: somebody knows of an incident, so that it is not reminded of any more."""

from datetime import datetime

from monitor.config import Config
from monitor.model import Incident, MonitorError, OperatorRequest, Redactor, RequestKind, clean_text
from monitor.store import Store


def ack(config: Config, number: int, why: str, now: datetime) -> str:
    incident = find(config, number)
    if incident.closed:
        raise MonitorError(f"incident #{number} is over since {incident.closed:%Y-%m-%d %H:%M} UTC")
    why = clean_text(Redactor(config.secrets)(why))
    request = OperatorRequest(at=now, what=RequestKind.ACK, target=str(number), text=why)
    Store.request(config.store, request)
    return f"#{number}: no more reminders; its end will be told"


def find(config: Config, number: int) -> Incident:
    reader = Store.read_only(config.store)
    try:
        incident = reader.incident(number)
    finally:
        reader.close()
    if incident is None:
        raise MonitorError(f"there is no incident #{number}; `monitor incidents` lists them")
    return incident
