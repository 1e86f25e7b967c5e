"""The dead man's switch: an address elsewhere is pinged while the monitor makes real progress.

Whoever waits there (healthchecks.io and its like) tells people when the pings stop: also when this
machine, its network or its channels are what fails. So silence is the alarm, and there is no ping
that says "failed".
"""

import logging
from datetime import datetime, timedelta

import aiohttp

from monitor.model import Secret

log = logging.getLogger(__name__)

STUCK = timedelta(minutes=30)
"""A message that is older and not delivered: people hear nothing, which somebody must find out."""
_TIMEOUT = aiohttp.ClientTimeout(total=20)


def hindrance(trouble: str | None, oldest: datetime | None, now: datetime) -> str | None:
    """Why there is no real progress, or None.

    `trouble` is of probes, schedule or store; `oldest` when the oldest undelivered message was made.
    """
    if trouble:
        return trouble
    if oldest and now - oldest > STUCK:
        return f"a message has waited for {(now - oldest).total_seconds() / 60:.0f} minutes"
    return None


async def ping(url: Secret, summary: str) -> str | None:
    """Why nobody took it, or None. POST with a few words, GET where that is not allowed."""
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
            status = await _ask(session, "POST", url, summary)
            if status == 405:
                status = await _ask(session, "GET", url, None)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return _said(error)
    return None if status < 300 else f"HTTP {status}"


def _said(error: Exception) -> str:
    """Its own text may hold the address, which is secret."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "no connection" if isinstance(error, OSError) else type(error).__name__


async def _ask(session: aiohttp.ClientSession, method: str, url: Secret, body: str | None) -> int:
    asked = session.request(method, url.reveal(), data=body, allow_redirects=False)
    async with asked as answer:
        return answer.status
