"""Pushes the metrics to an OpenTelemetry receiver once a minute, where `otlp` in [monitor] names one.

Nothing waits for it: it has a thread of its own, and a receiver that takes none or does not answer is in the log once and in
`monitor status`. What was not taken is not kept: counts go on, so the next push has it too.
"""

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.clock import Clock
from monitor.logs import quoted
from monitor.model import OtlpSettings, StoreError

if TYPE_CHECKING:
    from monitor.metrics import MetricsSnapshot
    from monitor.otlp import Exporter

log = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=60)
"""As often as OpenTelemetry's own reader does."""
PATIENCE = timedelta(seconds=15)
"""How long a push may take before it is told; the exporter itself gives up after ten seconds of silence."""
NOTE = "otlp"
"""The store's name for whether they are taken, as JSON: `since`, `trouble` ("" is none)."""


class MetricsPush:
    """`settings` and `vantage` are asked anew each time; without settings nothing is sent, nor imported."""

    def __init__(
        self,
        settings: Callable[[], OtlpSettings | None],
        snapshot: Callable[[], "MetricsSnapshot"],
        vantage: str,
        *,
        clock: Clock,
        report: Callable[[str, str], Awaitable[None]],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._settings, self._snapshot, self._vantage = settings, snapshot, vantage
        self._clock, self._report, self._patience = clock, report, patience
        self._exporter: tuple[OtlpSettings, Exporter] | None = None
        self._sending: asyncio.Future[str | None] | None = None
        self._trouble: str | None = None
        """As it was told last: "" is none, None is before the first push."""

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.push()
            except Exception:  # what only counts must not end what it counts
                log.exception("event=internal loop=metrics_push")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), INTERVAL.total_seconds())

    async def push(self) -> None:
        settings = self._settings()
        if settings is None:
            self._exporter = self._trouble = None
            return
        if self._sending is None or self._sending.done():
            self._sending = self._start(settings, self._snapshot())
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                trouble = await asyncio.shield(self._sending)
        except TimeoutError:
            trouble = "no answer in time"
        await self._tell(trouble or "")

    def _start(
        self, settings: OtlpSettings, snapshot: "MetricsSnapshot"
    ) -> asyncio.Future[str | None]:
        """Send in a thread that neither probes nor the end of the daemon wait for."""
        loop = asyncio.get_running_loop()
        sent: asyncio.Future[str | None] = loop.create_future()
        at = self._clock.now()

        def finish(trouble: str | None) -> None:
            if not sent.done():
                sent.set_result(trouble)

        def send() -> None:
            try:
                trouble = self._exporter_of(settings).send(snapshot, at)
            except Exception as error:  # noqa: BLE001  # a library's; the loop would wait for ever
                trouble = f"internal: {type(error).__name__}"
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(finish, trouble)

        threading.Thread(target=send, name="metrics_push", daemon=True).start()
        return sent

    def _exporter_of(self, settings: OtlpSettings) -> "Exporter":
        if self._exporter is None or self._exporter[0] != settings:
            from monitor.otlp import Exporter  # noqa: PLC0415  # an extra, and a third of a second

            self._exporter = settings, Exporter(settings, __version__, self._vantage)
        return self._exporter[1]

    async def _tell(self, trouble: str) -> None:
        """Say it once, until it changes or is over."""
        if trouble == self._trouble:
            return
        if trouble:
            log.warning("event=metrics_not_taken why=%s", quoted(trouble))
        elif self._trouble:
            log.info("event=metrics_taken")
        self._trouble = trouble
        since = self._clock.now().isoformat(timespec="seconds")
        try:
            await self._report(NOTE, json.dumps({"since": since, "trouble": trouble}))
        except StoreError as error:
            log.debug('event=store_trouble why="%s"', error)  # the store has told it, once
