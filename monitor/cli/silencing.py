"""`monitor silence`: nobody is told of a check, an endpoint, a service or anything, for a while."""

from datetime import datetime, timedelta

from monitor.config import Config
from monitor.model import ALL, MonitorError, OperatorRequest, Redactor, RequestKind, clean_text
from monitor.store import Store


def silence(config: Config, target: str, lasts: timedelta, why: str, now: datetime) -> str:
    """Until when, for people. A silence of nothing ends one."""
    target = ALL if target in {ALL, "all"} else target.strip("/")
    _must_exist(config, target)
    until = now + lasts
    why = clean_text(Redactor(config.secrets)(why))
    request = OperatorRequest(
        at=now, what=RequestKind.SILENCE, target=target, until=until, text=why
    )
    Store.request(config.store, request)
    what = "everything" if target == ALL else target
    if lasts <= timedelta(0):
        return f"{what}: no longer silenced"
    return f"{what}: silenced until {until:%Y-%m-%d %H:%M} UTC"


def _must_exist(config: Config, target: str) -> None:
    known = {ALL}
    for check in config.checks:
        known |= {check.service, check.endpoint.path, check.key}
    if target not in known:
        raise MonitorError(
            f'nothing is called "{target}"; want "all", SERVICE, SERVICE/ENDPOINT or'
            " SERVICE/ENDPOINT/PROBE as in `monitor status`"
        )
