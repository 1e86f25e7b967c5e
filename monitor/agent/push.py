"""The loop of an agent that sends what waits in its buffer to the hub, and forgets what the hub has taken."""

import asyncio
import contextlib
import gzip
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date

from monitor import __version__
from monitor.agent.hub_client import FetchedConfig, HubAwayError, HubClient, PushAnswer
from monitor.agent.ingest import MOST_UNZIPPED, MOST_ZIPPED
from monitor.agent.wire import VERSION, Batch, encode_batch, moved
from monitor.clock import Clock
from monitor.logs import RepeatFilter, quoted
from monitor.model import Outcome, Result, Spend, StoreError
from monitor.store import Store
from monitor.store.push_buffer import PushBuffer, Waiting

log = logging.getLogger(__name__)
INTERVAL_S = 10.0
SIGN_OF_LIFE_S = 30.0
"""So long after the last request an empty one is sent."""
MOST_RUNS = 1_000
"""Runs of one request."""
_MORE_AFTER_S = 0.3
"""While more waits: below the rate that the hub allows."""
_BELIEVED_AFTER = 5
"""Results after a change of their outcome that are sent at once: the hub believes a change after a few of them."""
_AWAY_WAIT_S, _REFUSED_WAIT_S = 15.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """Everything that the agent says beside its results."""

    blind: bool = False
    deal: str | None = None
    """Which checks of its place it runs; None: all."""
    spend: Mapping[tuple[date, str], Spend]


class Pusher:
    """Sends batches, one at a time.

    `on_config` gets a configuration that is newer than that of `config_tag`, and says whether it can be used; where the
    checks of the place are shared it returns when they are run by it, because the next batch says so.
    `on_doubt` hears after each batch which checks are to be looked at out of turn; none, while the hub is away.
    """

    def __init__(
        self,
        client: HubClient,
        store: Store,
        buffer: PushBuffer,
        *,
        clock: Clock,
        report: Callable[[], AgentReport],
        config_tag: str,
        on_config: Callable[[FetchedConfig], Awaitable[bool]],
        on_doubt: Callable[[frozenset[str]], None] = lambda _: None,
    ) -> None:
        self._client, self._store, self._buffer, self._clock = client, store, buffer, clock
        self._report, self._on_config, self._on_doubt = report, on_config, on_doubt
        self.config_tag, self._unusable = config_tag, ""
        self._wake = asyncio.Event()
        self._outcomes: dict[str, tuple[Outcome, int]] = {}
        """By check: the last outcome, and how many results have had it since it changed."""
        self._most = MOST_RUNS
        self._refused = 0
        self._sent_at: float | None = None
        self._is_taken = False
        """Whether the hub has taken the last batch."""
        self._repeats = RepeatFilter()

    def saw(self, result: Result) -> None:
        """Send at once what differs from the result before, and what confirms that."""
        first = result.outcome, _BELIEVED_AFTER - 1  # one is enough of what is as it was expected
        before, count = self._outcomes.get(result.check, first)
        count = count + 1 if before is result.outcome else 1
        self._outcomes[result.check] = result.outcome, count
        if count <= _BELIEVED_AFTER:
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set, and then once more what waits."""
        while not stop.is_set():
            wait_s = await self._turn()
            stopped = asyncio.create_task(stop.wait())
            woken = asyncio.create_task(self._wake.wait())
            waiting = {stopped} if wait_s > INTERVAL_S else {stopped, woken}
            await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if woken.done() and not stop.is_set():
                await asyncio.sleep(_MORE_AFTER_S)  # others may join
            stopped.cancel()
            woken.cancel()
        await self._turn()
        await self._client.close()

    async def _turn(self) -> float:
        self._wake.clear()
        try:
            wait_s = await self.push_once()
            self._repeats.is_news("hub", None)
        except (HubAwayError, StoreError) as error:
            self._on_doubt(frozenset())
            wait_s = _AWAY_WAIT_S
            level = self._repeats.level("hub", str(error), logging.DEBUG)
            log.log(level, "event=push_failed why=%s", quoted(error))
        except Exception:  # what waits, waits on
            log.exception("event=internal loop=push")
            wait_s = _REFUSED_WAIT_S
        return wait_s

    async def push_once(self) -> float:
        """Send one batch, and return in how many seconds to send the next. Raises HubAwayError, StoreError."""
        with contextlib.suppress(StoreError):  # what is committed can be sent
            await self._store.flush()
        waiting = await self._buffer.waiting(self._store, self._most, MOST_UNZIPPED // 2)
        if not waiting.runs and not self._is_time_for_life():
            return INTERVAL_S
        body = self._body(waiting)
        if len(body) > MOST_ZIPPED and len(waiting.runs) > 1:
            self._most = len(waiting.runs) // 2
            return 0.0
        was_taken, self._is_taken = self._is_taken, False
        answer = await self._client.push(
            body, stream=waiting.stream.id, first=waiting.first, last=waiting.last
        )
        self._sent_at = self._clock.elapsed()
        if answer.status == 200:
            self._is_taken = True
            if not was_taken:
                log.info(
                    "event=push_taken results=%d waiting=%d", len(waiting.runs), waiting.buffered
                )
            return await self._taken(waiting, answer)
        return await self._refused_by_hub(waiting, answer)

    def _is_time_for_life(self) -> bool:
        """Say whether to push although nothing waits; each time where others would take over our checks."""
        silent_s = 0.0 if self._report().deal is not None else SIGN_OF_LIFE_S
        return self._sent_at is None or self._clock.elapsed() - self._sent_at >= silent_s

    def _body(self, waiting: Waiting) -> bytes:
        by_ms, report = self._client.offset.correction_ms, self._report()
        runs = [
            (number, moved(body, by_ms) if by_ms and number >= waiting.of_this_boot else body)
            for number, body in waiting.runs
        ]
        batch = Batch(
            config=self.config_tag,
            deal=report.deal,
            version=__version__,
            blind=report.blind,
            offset_ms=self._client.offset.offset_ms,
            buffered=waiting.buffered - len(runs),
            dropped=self._buffer.dropped,
            refused=self._refused,
            spend=report.spend,
        )
        return gzip.compress(encode_batch(batch, runs), 6, mtime=0)

    async def _taken(self, waiting: Waiting, answer: PushAnswer) -> float:
        if answer.before > waiting.stream.sent:
            log.warning(
                'event=push_renumbered why="the hub has numbers that we never sent: our store was restored"'
            )
            await self._buffer.begin_stream(self._store)
            return 0.0
        await self._buffer.acknowledge(self._store, waiting.stream, answer.upto)
        self._on_doubt(answer.doubted)
        is_new = answer.config not in {"", self.config_tag, self._unusable}
        if is_new:
            await self._fetch_config()
        says_deal = is_new and self._report().deal is not None
        more = waiting.buffered > len(waiting.runs) or says_deal
        self._most = min(2 * self._most, MOST_RUNS)
        return _MORE_AFTER_S if more else INTERVAL_S

    async def _fetch_config(self) -> None:
        fetched = await self._client.config(self.config_tag)
        if fetched is not None and await self._on_config(fetched):
            self.config_tag = fetched.tag
        elif fetched is not None:
            self._unusable = fetched.tag

    async def _refused_by_hub(self, waiting: Waiting, answer: PushAnswer) -> float:
        level = self._repeats.level("refused", answer.why, logging.DEBUG)
        log.log(level, "event=push_refused why=%s", quoted(answer.why))
        if answer.status == 409 and not answer.other_stream:
            # The hub lacks what it had taken: its store was restored. All that waits is sent anew.
            await self._buffer.begin_stream(self._store)
            return _MORE_AFTER_S
        if answer.status in {400, 413} and not 0 < answer.speaks < VERSION and waiting.runs:
            return await self._find_bad_one(waiting)
        is_pause = answer.status in {409, 429, 503}
        return answer.retry_after_s if is_pause else _REFUSED_WAIT_S

    async def _find_bad_one(self, waiting: Waiting) -> float:
        """Halve the batch until one run is left, and give that one up."""
        if len(waiting.runs) > 1:
            self._most = len(waiting.runs) // 2
            return _MORE_AFTER_S
        number, _ = waiting.runs[0]
        log.error("event=result_refused number=%d", number)
        await self._buffer.drop(self._store, waiting.stream, number)
        self._refused += 1
        return _MORE_AFTER_S
