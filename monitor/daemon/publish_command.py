"""Runs the operator's `[page] publish` command, which copies the page to where people read it.

Nothing waits for it. What changes while it runs is copied the next time.
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
"""The store's name for how the last run went, as JSON: `at`, `took_ms`, `trouble` ("" is none)."""
LAST_RUN = timedelta(seconds=15)
"""How long a stop waits for the last page to be copied."""
_GRACE_S = 3.0
"""Between asking a command to end and ending it."""
_OUTPUT_KEPT = 4000
_OUTPUT_SHOWN = 300
_PASSED_ENV = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "SSH_AUTH_SOCK"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "STATE_DIRECTORY"}
    | {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
)
"""The variables that the command gets: the rest hold keys and tokens that a copy has no use for."""

WriteNote = Callable[[str, str], Awaitable[None]]
"""Keeps a text under a name in the store. Raises StoreError."""


class PublishCommand:
    def __init__(
        self, settings: PageSettings, *, clock: Clock, redact: Redactor, report: WriteNote
    ) -> None:
        self._settings = settings
        self._clock, self._redact, self._report = clock, redact, report
        self._running: asyncio.Task[None] | None = None
        self._began: float | None = None
        self._waiting = False
        self._trouble = ""

    def change(self, settings: PageSettings) -> None:
        """Take other settings for the next run; one under way goes on."""
        self._settings = settings

    def offer(self, *, changed: bool) -> None:
        """Start the command if its turn has come and the page has `changed` since the last run."""
        self._waiting |= changed
        if self._waiting and self._is_due():
            self._waiting = False
            self._began = self._clock.monotonic()
            self._running = asyncio.create_task(self._run(), name="publish_command")

    def _is_due(self) -> bool:
        publish = self._settings.publish
        if publish is None or (self._running and not self._running.done()):
            return False
        waited = None if self._began is None else self._clock.monotonic() - self._began
        return waited is None or waited >= publish.every.total_seconds()

    async def finish(self) -> None:
        """Copy the last page, which says that monitoring stopped, within LAST_RUN."""
        await self.close()
        if self._settings.publish:
            await self._run(within=LAST_RUN)

    async def close(self) -> None:
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self, within: timedelta | None = None) -> None:
        publish = self._settings.publish
        assert publish is not None
        began = self._clock.monotonic()
        limit = min(publish.timeout, within or publish.timeout)
        failed, output = await _run_shell(publish, self._settings.dir, limit.total_seconds())
        took_ms = (self._clock.monotonic() - began) * 1000
        shown = clean_text(self._redact(output)[-_OUTPUT_SHOWN:], _OUTPUT_SHOWN)
        self._log(failed, shown, took_ms)
        await self._report_outcome(f"{failed}: {shown}" if failed and shown else failed, took_ms)

    def _log(self, failed: str, output: str, took_ms: float) -> None:
        """Log the same trouble once, until it changes or is over."""
        if failed and failed != self._trouble:
            log.warning(
                "event=publish_command_failed why=%s said=%s", quoted(failed), quoted(output)
            )
        elif self._trouble and not failed:
            log.info("event=publish_command_works took_ms=%.0f", took_ms)
        else:
            log.debug("event=publish_command took_ms=%.0f why=%s", took_ms, quoted(failed))
        self._trouble = failed

    async def _report_outcome(self, trouble: str, took_ms: float) -> None:
        at = self._clock.now().isoformat(timespec="seconds")
        try:
            await self._report(
                NOTE, json.dumps({"at": at, "took_ms": round(took_ms), "trouble": trouble})
            )
        except StoreError as error:
            log.debug('event=store_trouble why="%s"', error)  # the store has told it, once


async def _run_shell(publish: Publishing, folder: Path, limit_s: float) -> tuple[str, str]:
    """Return why it failed ("" if it did not), and the end of its output."""
    output = bytearray()
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            publish.command,
            cwd=folder,
            env=_environment(os.environ, publish),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
        )
    except OSError as error:
        os.close(read_end)
        return f"could not start in {folder}: {error.strerror}", ""
    finally:
        os.close(write_end)
    reading = asyncio.create_task(_read_output(read_end, output))
    try:
        async with asyncio.timeout(limit_s):
            code = await process.wait()
    except TimeoutError:
        return f"took longer than {limit_s:g} s", output.decode(errors="replace")
    finally:
        await _kill_group(process)
        await _finish_reading(reading)
    return f"exit status {code}" if code else "", output.decode(errors="replace")


def _environment(env: Mapping[str, str], publish: Publishing) -> dict[str, str]:
    variables = {
        name: value for name, value in env.items() if name in _PASSED_ENV or name.startswith("LC_")
    }
    return variables | {name: value.reveal() for name, value in publish.env}


async def _read_output(read_end: int, output: bytearray) -> None:
    """Read all output, so that the command never blocks on it, and keep the end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        while chunk := await reader.read(65_536):
            output += chunk
            del output[:-_OUTPUT_KEPT]
    finally:
        transport.close()


async def _finish_reading(reading: asyncio.Task[None]) -> None:
    """Wait briefly: a child that the command left behind may keep the pipe open for ever."""
    await asyncio.wait([reading], timeout=0.2)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    """End the whole process group where its leader has not ended by itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
