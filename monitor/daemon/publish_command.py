"""Carries the page to where people read it: runs the operator's `[page] publish` command.

Beside everything else: nothing waits for it, and while it runs what changes is carried next time.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from monitor.clock import Clock
from monitor.logs import quoted
from monitor.model import PageSettings, Publishing, Redactor, StoreError, clean_text

log = logging.getLogger(__name__)

NOTE = "publish"
"""How the last run went, as JSON: `at`, `took_ms`, `trouble` ("" is none)."""
LAST = timedelta(seconds=15)
"""How long a stop waits for the last page to be carried."""
_GRACE_S = 3.0
"""Between asking a command to end and ending it."""
_KEPT = 4000
_SHOWN = 300
_PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "SSH_AUTH_SOCK"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "STATE_DIRECTORY"}
    | {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
)
"""Of our environment. The rest holds keys and tokens that a copy of the page has no use for."""

Report = Callable[[str, str], Awaitable[None]]


class PublishCommand:
    def __init__(
        self, settings: PageSettings, *, clock: Clock, redact: Redactor, report: Report
    ) -> None:
        self._settings = settings
        self._clock, self._redact, self._report = clock, redact, report
        self._running: asyncio.Task[None] | None = None
        self._began: float | None = None
        self._waiting = False
        self._trouble = ""

    def change(self, settings: PageSettings) -> None:
        """What runs goes on; the next run is the new one."""
        self._settings = settings

    def offer(self, *, changed: bool) -> None:
        """The page was looked at, and has `changed` or not: starts the command if it is its turn."""
        self._waiting |= changed
        if self._waiting and self._is_due():
            self._waiting = False
            self._began = self._clock.monotonic()
            self._running = asyncio.create_task(self._carry(), name="carrier")

    def _is_due(self) -> bool:
        publish = self._settings.publish
        if publish is None or (self._running and not self._running.done()):
            return False
        waited = None if self._began is None else self._clock.monotonic() - self._began
        return waited is None or waited >= publish.every.total_seconds()

    async def finish(self) -> None:
        """Carries the last page, which says that monitoring stopped; never longer than LAST."""
        await self.close()
        if self._settings.publish:
            await self._carry(within=LAST)

    async def close(self) -> None:
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _carry(self, within: timedelta | None = None) -> None:
        publish = self._settings.publish
        assert publish is not None
        began = self._clock.monotonic()
        limit = min(publish.timeout, within or publish.timeout)
        failed, said = await _run(publish, self._settings.dir, limit.total_seconds())
        took_ms = (self._clock.monotonic() - began) * 1000
        shown = clean_text(self._redact(said)[-_SHOWN:], _SHOWN)
        self._log(failed, shown, took_ms)
        await self._tell(f"{failed}: {shown}" if failed and shown else failed, took_ms)

    def _log(self, failed: str, said: str, took_ms: float) -> None:
        """The same trouble once, until it changes or is over."""
        if failed and failed != self._trouble:
            log.warning("event=publish_command_failed why=%s said=%s", quoted(failed), quoted(said))
        elif self._trouble and not failed:
            log.info("event=publish_command_works took_ms=%.0f", took_ms)
        else:
            log.debug("event=publish_command took_ms=%.0f why=%s", took_ms, quoted(failed))
        self._trouble = failed

    async def _tell(self, trouble: str, took_ms: float) -> None:
        at = self._clock.now().isoformat(timespec="seconds")
        try:
            await self._report(NOTE, json.dumps({"at": at, "took_ms": round(took_ms), "trouble": trouble}))  # fmt: skip
        except StoreError as error:
            log.debug('event=store_trouble why="%s"', error)  # the store has told it, once


async def _run(publish: Publishing, folder: Path, limit_s: float) -> tuple[str, str]:
    """Why it failed, or "", and the end of what it said."""
    said = bytearray()
    ear, mouth = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", publish.command, cwd=folder, env=_environment(os.environ, publish),
            stdin=asyncio.subprocess.DEVNULL, stdout=mouth, stderr=mouth, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        os.close(ear)
        return f"could not start in {folder}: {error.strerror}", ""
    finally:
        os.close(mouth)
    listening = asyncio.create_task(_listen(ear, said))
    try:
        async with asyncio.timeout(limit_s):
            code = await process.wait()
    except TimeoutError:
        return f"took longer than {limit_s:g} s", said.decode(errors="replace")
    finally:
        await _end(process)
        await _hear_out(listening)
    return f"exit status {code}" if code else "", said.decode(errors="replace")


def _environment(env: Mapping[str, str], publish: Publishing) -> dict[str, str]:
    passed = {
        name: value for name, value in env.items() if name in _PASSED or name.startswith("LC_")
    }
    return passed | {name: value.reveal() for name, value in publish.env}


async def _listen(ear: int, said: bytearray) -> None:
    """All it says is read, so that it never waits; the end of it is kept."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ear, "rb", buffering=0)
    )
    try:
        while chunk := await reader.read(65_536):
            said += chunk
            del said[:-_KEPT]
    finally:
        transport.close()


async def _hear_out(listening: asyncio.Task[None]) -> None:
    """A child that it left behind may keep the pipe open for ever."""
    await asyncio.wait([listening], timeout=0.2)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def _end(process: asyncio.subprocess.Process) -> None:
    """The whole group, where its leader has not ended by itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
