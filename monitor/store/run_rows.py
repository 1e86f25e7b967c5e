"""Runs as rows of plain whole numbers, and rows as runs; the ids of checks and words that rows refer to.

Times are stored in units of 0.1 ms (`_100us`), speed in tokens per ten seconds, cost in 1e-8 of the
price's currency, lateness and `retry_after` in ms. What is negative or no number is not kept.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from monitor.model import (
    TIMING_NAMES,
    Failure,
    FailureKind,
    Outcome,
    Result,
    RunRecord,
    Stream,
    Timings,
    Usage,
)
from monitor.model.rollup import COST_SCALE
from monitor.store.histogram import OUTCOMES, CountedRow
from monitor.store.schema import CHECKS, RUNS, VANTAGES, WORDS, insert_many

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_WORDS = 20_000
"""Of one sort: strangers choose some of them. Beyond it a failure keeps its kind but not its words."""
LONGEST_WORD, SHORT_WORD = 500, 120
NOT_KEPT = "(too many different messages to keep this one)"
COUNTED, _TIMINGS = slice(5, 20), slice(9, 16)
"""Where in a row stands what a rollup counts, besides outcome and kind."""
COUNTED_RUNS = select(
    RUNS.c.at, RUNS.c.check_id, RUNS.c.outcome, WORDS.c.text, *RUNS.columns.values()[COUNTED]
).select_from(RUNS.outerjoin(WORDS, WORDS.c.id == RUNS.c.kind_id))
"""Begin, check and what is counted of runs; a condition is to be added."""
_NO_STREAM = (None,) * 10
_LARGEST = 1 << 53
_MS = timedelta(milliseconds=1)
_TIMES = attrgetter(*TIMING_NAMES)
_CODES = {name: code for code, name in enumerate(OUTCOMES)}
_OUTCOMES = tuple(map(Outcome, OUTCOMES))
UNKNOWN = _CODES["unknown"]


def millis(at: datetime) -> int:
    return (at - EPOCH) // _MS


def from_millis(number: int) -> datetime:
    return EPOCH + number * _MS


@dataclass(slots=True)
class KnownId:
    """A check's number, its probe kind, and up to when (unix ms) its runs are in the rollups."""

    id: int
    kind: str
    rolled_until: int


class Ids:
    """Ids of checks and words: looked up once, then known. `forget` them after a rollback."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._checks: dict[tuple[str, str], KnownId] = {}
        self._words: dict[tuple[str, str], tuple[int, int]] = {}
        """Id, and the last day on which it was needed."""
        self._counts: dict[str, int] = {}

    def learn(self, connection: Connection, vantage: str, keys: Collection[str]) -> None:
        """Look up these checks of a vantage at once, as far as they are there."""
        query = select(CHECKS.c.key, CHECKS.c.id, CHECKS.c.kind, CHECKS.c.rolled_until)
        these = query.where(CHECKS.c.vantage == vantage, CHECKS.c.key.in_(keys))
        for key, *known in connection.execute(these):
            self._checks[key, vantage] = KnownId(*known)

    def check(self, connection: Connection, entry: RunRecord, now: datetime) -> KnownId:
        result = entry.result
        known = self._checks.get((result.check, result.vantage))
        if known is None:
            since = min(millis(result.at), millis(now))
            known = stored_check(connection, result.check, result.vantage, entry.kind, since)
            self._checks[result.check, result.vantage] = known
        if known.kind != entry.kind:
            these = CHECKS.c.id == known.id
            connection.execute(update(CHECKS).where(these).values(kind=entry.kind))
            known.kind = entry.kind
        return known

    def word(self, connection: Connection, what: str, text: str | None, day: int) -> int | None:
        """Give the id of a text; None where there is none, or too many of this sort already."""
        if text is None:
            return None
        known = self._words.get((what, text)) or self._find_word(connection, what, text)
        if known is None:
            return self._add_word(connection, what, text, day)
        number, used = known
        if used < day:
            connection.execute(update(WORDS).where(WORDS.c.id == number).values(used=day))
            self._words[what, text] = number, day
        return number

    def _find_word(self, connection: Connection, what: str, text: str) -> tuple[int, int] | None:
        query = select(WORDS.c.id, WORDS.c.used)
        row = connection.execute(query.where(WORDS.c.what == what, WORDS.c.text == text)).first()
        if row is None:
            return None
        self._words[what, text] = row[0], row[1]
        return row[0], row[1]

    def _add_word(self, connection: Connection, what: str, text: str, day: int) -> int | None:
        if what not in self._counts:
            query = select(func.count()).select_from(WORDS).where(WORDS.c.what == what)
            self._counts[what] = connection.execute(query).scalar_one()
        if self._counts[what] >= MOST_WORDS and text != NOT_KEPT:
            return self.word(connection, what, NOT_KEPT, day) if what == "message" else None
        self._counts[what] += 1
        added = connection.execute(insert(WORDS), {"what": what, "text": text, "used": day})
        assert added.inserted_primary_key is not None
        number = int(added.inserted_primary_key[0])
        self._words[what, text] = number, day
        return number


def stored_check(connection: Connection, key: str, vantage: str, kind: str, since: int) -> KnownId:
    """Find a check, or add it; nothing of a new one is in the rollups from the hour of `since` (unix ms) on."""
    query = select(CHECKS.c.id, CHECKS.c.kind, CHECKS.c.rolled_until).where(
        CHECKS.c.key == key, CHECKS.c.vantage == vantage
    )
    row = connection.execute(query).first()
    if row is not None:
        return KnownId(*row)
    here = select(VANTAGES.c.name).where(VANTAGES.c.name == vantage)
    if connection.execute(here).first() is None:
        connection.execute(insert(VANTAGES), {"name": vantage})
    rolled_until = since // HOUR_MS * HOUR_MS
    values = {"key": key, "vantage": vantage, "kind": kind, "rolled_until": rolled_until}
    added = connection.execute(insert(CHECKS), values)
    assert added.inserted_primary_key is not None
    return KnownId(added.inserted_primary_key[0], kind, rolled_until)


def counted_row(entry: RunRecord) -> CountedRow:
    """Pick what a rollup counts of a run."""
    result, stream, usage = entry.result, entry.result.stream, entry.result.usage
    return (
        _CODES[result.outcome.value],
        result.failure.kind.value if result.failure else None,
        int(entry.in_maintenance),
        entry.missed,
        _scaled(result.late_ms, 1) or 0,
        int(result.trusted_timings),
        *map(_scaled, _TIMES(result.timings)),
        _scaled(stream.tokens_per_s) if stream else None,
        _scaled(usage.tokens_in, 1) if usage else None,
        _scaled(usage.tokens_out, 1) if usage else None,
        _scaled(usage.cost_usd, COST_SCALE) if usage else None,
    )


def insert_runs(
    connection: Connection,
    ids: Ids,
    entries: Iterable[RunRecord],
    now: datetime,
    *,
    crowded: bool = False,
) -> list[tuple[int, KnownId]]:
    """Insert runs, and return the begin of each as stored (the next free millisecond is taken) and its check.

    An earlier transaction may have taken a moment, where the clock was set back: that is an
    IntegrityError, after which the whole transaction is to be tried again `crowded`.
    """
    rows: dict[tuple[int, int], Sequence[Any]] = {}
    keys: list[tuple[int, KnownId]] = []
    taken_until: dict[tuple[int, int], int] = {}
    """By begin and check, so that a thousand runs of one moment do not each look from there."""
    for entry in entries:
        check, begin = ids.check(connection, entry, now), millis(entry.result.at)
        at = taken_until.get((begin, check.id), begin)
        while (at, check.id) in rows or (crowded and _is_taken(connection, at, check.id)):
            at += 1
        taken_until[begin, check.id] = at + 1
        rows[at, check.id] = _row(connection, ids, entry, at, check.id)
        keys.append((at, check))
    if rows:
        insert_many(connection, RUNS, rows.values())
    return keys


def _is_taken(connection: Connection, at: int, check: int) -> bool:
    query = select(RUNS.c.at).where(RUNS.c.at == at, RUNS.c.check_id == check)
    return connection.execute(query).first() is not None


def _row(connection: Connection, ids: Ids, entry: RunRecord, at: int, check: int) -> Sequence[Any]:
    result, counted, failure = entry.result, counted_row(entry), entry.result.failure
    retry_after = result.retry_after

    def word(what: str, text: str | None, longest: int = SHORT_WORD) -> int | None:
        return ids.word(connection, what, _clean(text, longest), at // DAY_MS)

    return (
        at,
        check,
        counted[0],
        word("kind", counted[1]),
        word("message", failure.message if failure else None, LONGEST_WORD),
        *counted[2:],
        result.http_status,
        word("ip", result.remote_ip),
        word("model", result.model),
        None if result.cert_expires is None else millis(result.cert_expires) // 1000,
        None if retry_after is None else _scaled(retry_after / _MS, 1),
        *(_NO_STREAM if result.stream is None else _stream_columns(result.stream, word)),
    )


def _stream_columns(stream: Stream, word: Callable[[str, str | None], int | None]) -> Sequence[Any]:
    return (
        _scaled(stream.events, 1),
        _scaled(stream.content_chunks, 1),
        _scaled(stream.tokens_out, 1),
        int(stream.tokens_estimated),
        _scaled(stream.stall_max_ms),
        _scaled(stream.icl_p50_ms),
        _scaled(stream.icl_p95_ms),
        word("finish_reason", stream.finish_reason),
        int(stream.complete),
        _scaled(stream.heartbeats, 1),
    )


def _scaled(value: float | None, scale: int = 10) -> int | None:
    """Return a whole number of so many parts; NaN is nothing, and what is beyond the ends is the end."""
    if value is None:
        return None
    try:
        number = round(value * scale)
    except ValueError:
        return None
    except OverflowError:
        return _LARGEST if value > 0 else 0
    return number if 0 <= number <= _LARGEST else min(max(number, 0), _LARGEST)


def _clean(text: str | None, longest: int = SHORT_WORD) -> str | None:
    """Return a text short, and such that every database takes it."""
    if text is None or (len(text) <= longest and text.isascii() and "\0" not in text):
        return text
    return text[:longest].encode("utf-8", "replace").decode().replace("\0", " ")


class WordCache:
    """The texts behind the ids in rows, for who reads: asked for once a page of rows, then known."""

    _WORDS = tuple(
        at for at, column in enumerate(RUNS.columns) if column.name.endswith("_id") and at > 1
    )

    def __init__(self) -> None:
        self.texts: dict[int | None, str] = {}

    def learn(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        ids = {row[at] for row in rows for at in self._WORDS} - self.texts.keys() - {None}
        some = sorted(ids)
        for first in range(0, len(some), 500):
            query = select(WORDS.c.id, WORDS.c.text).where(
                WORDS.c.id.in_(some[first : first + 500])
            )
            self.texts.update((number, text) for number, text in connection.execute(query))


def result_from(row: Any, key: str, vantage: str, texts: Mapping[int | None, str]) -> Result:
    """Return the run of a row of `RUNS`. Raises LookupError, ValueError or TypeError where nobody has written it so."""
    usage = row.tokens_in, row.tokens_out, row.cost_e8
    cost = None if row.cost_e8 is None else row.cost_e8 / COST_SCALE
    expires, retry_after = row.cert_expires, row.retry_after_ms
    return Result(
        check=key,
        vantage=vantage,
        at=from_millis(row.at),
        outcome=_OUTCOMES[row.outcome],
        failure=None
        if row.kind_id is None
        else Failure(FailureKind(texts[row.kind_id]), texts.get(row.message_id, "")),
        timings=Timings(**dict(zip(TIMING_NAMES, map(_tenth, row[_TIMINGS]), strict=True))),
        http_status=row.http_status,
        remote_ip=texts.get(row.ip_id),
        model=texts.get(row.model_id),
        stream=None if row.events is None else _stream_from(row, texts),
        usage=None
        if usage == (None, None, None)
        else Usage(tokens_in=usage[0], tokens_out=usage[1], cost_usd=cost),
        cert_expires=None if expires is None else EPOCH + timedelta(seconds=expires),
        retry_after=None if retry_after is None else retry_after * _MS,
        late_ms=float(row.late_ms),
        trusted_timings=bool(row.trusted),
    )


def _stream_from(row: Any, texts: Mapping[int | None, str]) -> Stream:
    return Stream(
        events=row.events,
        content_chunks=row.content_chunks,
        tokens_out=row.stream_tokens,
        tokens_estimated=bool(row.tokens_estimated),
        tokens_per_s=_tenth(row.tokens_per_10s),
        stall_max_ms=_tenth(row.stall_max_100us),
        icl_p50_ms=_tenth(row.icl_p50_100us),
        icl_p95_ms=_tenth(row.icl_p95_100us),
        finish_reason=texts.get(row.finish_id),
        complete=bool(row.complete),
        heartbeats=row.heartbeats,
    )


def _tenth(number: int | None) -> float | None:
    return None if number is None else number / 10
