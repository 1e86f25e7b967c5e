"""The dead man's switch: an address elsewhere is pinged once a minute while the monitor makes progress.

Whoever waits there (healthchecks.io and its like) tells people when the pings stop: also when this
machine, its network or its channels are what fails. Silence is the alarm, so there is no ping that
says "failed".
"""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import aiohttp

from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import Secret

log = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=60)
STUCK = timedelta(minutes=30)
"""A message that is undelivered for longer: people hear nothing, which somebody must find out."""
_MAX_BODY = 1000
_TIMEOUT = aiohttp.ClientTimeout(total=20)


class DeadMansSwitch:
    """Pings an address while nothing hinders progress.

    `url`, `trouble`, `oldest` and `summary` are asked anew each time. Without an address nothing is
    sent. `trouble` is of probes, schedule or store; `oldest` is when the oldest undelivered message
    was made.
    """

    def __init__(
        self,
        url: Callable[[], Secret | None],
        trouble: Callable[[], str | None],
        oldest: Callable[[], datetime | None],
        summary: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._url, self._trouble, self._oldest = url, trouble, oldest
        self._summary, self._clock = summary, clock
        self._repeat_filter = RepeatFilter()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.ping_if_well()
            except Exception:  # a switch that breaks must not end what it watches
                log.exception("event=internal loop=deadman_switch")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), INTERVAL.total_seconds())

    async def ping_if_well(self) -> None:
        if (url := self._url()) is None:
            return
        why = hindrance(self._trouble(), self._oldest(), self._clock.now())
        if why is None:
            why = await ping(url, self._summary())
        if self._repeat_filter.is_news("heartbeat", why):
            log.warning('event=no_heartbeat why="%s"', why)


def hindrance(trouble: str | None, oldest: datetime | None, now: datetime) -> str | None:
    """Return why there is no progress, or None where there is."""
    if trouble:
        return trouble
    if oldest and now - oldest > STUCK:
        return f"a message has waited for {(now - oldest).total_seconds() / 60:.0f} minutes"
    return None


async def ping(url: Secret, summary: str) -> str | None:
    """Send one ping, and return why nobody took it, or None.

    It is a POST with a few words, or a GET where POST is not allowed.
    """
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
            status, body = await _request(session, "POST", url, summary)
            if status == 405:
                status, body = await _request(session, "GET", url, None)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return _describe(error)
    return refusal(body) if status < 300 else f"HTTP {status}"


def refusal(body: str) -> str | None:
    """Return why an answer with a good status is no success, or None.

    healthchecks answers "OK (not found)" and "OK (rate limited)" with status 200, Uptime Kuma and
    its like `{"ok": false}`.
    """
    reservation = re.fullmatch(r"OK \(([a-z][a-z -]{0,40})\)", body.strip(), re.IGNORECASE)
    if reservation:
        return f"it was answered: {reservation[1].lower()}"
    with contextlib.suppress(ValueError, RecursionError):
        answer = json.loads(body)
        if isinstance(answer, dict) and answer.get("ok") is False:
            return "it was answered: not ok"
    return None


def _describe(error: Exception) -> str:
    """Say what failed in words of ours: the text of the error may hold the address, a secret."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "no connection" if isinstance(error, OSError) else type(error).__name__


async def _request(
    session: aiohttp.ClientSession, method: str, url: Secret, body: str | None
) -> tuple[int, str]:
    """Return the status, and the begin of the body."""
    request = session.request(method, url.reveal(), data=body, allow_redirects=False)
    async with request as response:
        received = await response.content.read(_MAX_BODY)
        return response.status, received.decode(errors="replace")
