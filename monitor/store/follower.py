"""Keeps a history in memory in step with what another daemon commits, so that whoever takes over need not load it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, select

from monitor.clock import Clock
from monitor.model import RunRecord
from monitor.store import commits
from monitor.store.history import History
from monitor.store.reader import Reader
from monitor.store.run_rows import WordCache, result_from
from monitor.store.schema import CHECKS

_TRIM_EVERY_S = 60.0
"""How often what is too old to be shown is forgotten."""
_LIMITS = {
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
}
"""Of one transaction: whoever is to take over must not wait for another session without end."""
_MOST_WORDS = 100_000
"""Texts that are remembered; then they are asked for anew."""


class Follower:
    """Loads a history whole, and then adds what each transaction since has written. Use it from one thread at a time."""

    def __init__(self, url: str, history: History, vantage: str, clock: Clock) -> None:
        self._url, self._history, self._vantage, self._clock = url, history, vantage, clock
        self._reader: Reader | None = None
        self._leader: str | None = None
        self._others: frozenset[str] = frozenset()
        self._last = 0
        self._looked_s = self._trimmed_s = float("-inf")
        self._checks: dict[int, tuple[str, str]] = {}
        """Key and vantage by number, of the checks that memory holds."""
        self._unheld: set[int] = set()
        self._words = WordCache()

    def follow(
        self,
        leader: str,
        others: frozenset[str],
        now: datetime,
        rest: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Bring the history up to what is committed now. Raises StoreError.

        It is loaded anew under another leader, who may have changed what no list names, when a day begins, and where
        it was looked at too long ago. `rest` is called between the pieces of that, and may raise to end it.
        """
        is_late = self._clock.elapsed() - self._looked_s > commits.KEPT_S / 2
        is_other = (leader, others) != (self._leader, self._others)
        asked_s = self._clock.elapsed()
        if is_other or is_late or self._history.must_load(now):
            self._history.is_loaded = False
            self._load(others, now, rest)
            self._leader, self._others = leader, others
        else:
            self.catch_up()
        self._looked_s = asked_s
        if asked_s - self._trimmed_s >= _TRIM_EVERY_S:
            self._history.trim(now)
            self._trimmed_s = asked_s

    def holds(self, now: datetime, others: frozenset[str]) -> bool:
        """Tell whether the history is one that `catch_up` completes, once nobody else writes."""
        is_late = self._clock.elapsed() - self._looked_s > commits.KEPT_S / 2
        is_whole = self._leader is not None and not self._history.must_load(now)
        return is_whole and not is_late and others == self._others

    def catch_up(self) -> None:
        """Add what was committed since. Raises StoreError."""
        are_more = True
        while are_more:
            are_more = self._reading.ask(self._add_some)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _load(self, others: frozenset[str], now: datetime, rest: Callable[[float], None]) -> None:
        with self._reading.loading(now, others) as loader:
            self._last = loader.newest_commit()
            self._history.begin_load(())
            loader.load(self._history, rest=rest)
            self._checks, self._unheld = {}, set()

    def _add_some(self, connection: Connection) -> bool:
        some = commits.after(connection, self._last)
        rows = [row for row in some.rows if self._is_held(connection, row[1])]
        if len(self._words.texts) > _MOST_WORDS:
            self._words = WordCache()
        self._words.learn(connection, rows)
        for row in rows:
            result = result_from(row, *self._checks[row[1]], self._words.texts)
            is_muted = bool(row.in_maintenance)
            run = RunRecord(result=result, kind="", in_maintenance=is_muted, missed=row.missed)
            self._history.add(run)
        self._last = some.last
        return some.are_more

    def _is_held(self, connection: Connection, number: int) -> bool:
        """Tell whether memory holds the runs of a check: those of our own vantage, and of some others."""
        if number not in self._checks and number not in self._unheld:
            query = select(CHECKS.c.id, CHECKS.c.key, CHECKS.c.vantage)
            places = {self._vantage, *self._others}
            known = {check: (key, of) for check, key, of in connection.execute(query)}
            self._checks = {check: of for check, of in known.items() if of[1] in places}
            self._unheld = known.keys() - self._checks.keys()
        return number in self._checks

    @property
    def _reading(self) -> Reader:
        """Return what reads; it is opened when it is needed first. Raises StoreError."""
        if self._reader is None:
            from monitor.store.postgresql.limits import limit  # noqa: PLC0415  # only a server is followed

            on_begin = partial(limit, limits=_LIMITS)
            self._reader = Reader(self._url, vantage=self._vantage, on_begin=on_begin)
        return self._reader
