"""Makes runs of the heartbeats of Uptime Kuma, and counts of the statistics that version 2 keeps instead of old ones.

A heartbeat has a status (0 down, 1 up, 2 pending, which is a failure that is retried, 3 maintenance), a time in UTC,
a `ping` in milliseconds, which is how long the whole request took, and a message. Of a failure the message tells the
kind where it is one that Node.js or axios writes; of any other the run is down and has no kind.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.imports.fields import as_table, number, parsed, text
from monitor.model import (
    Failure,
    FailureKind,
    Outcome,
    PastCounts,
    Redactor,
    Resolution,
    Result,
    Timings,
    clean_text,
)

Row = Mapping[str, Any]
_UP, _FAILED = 1, frozenset({0, 2})
_STATUS = re.compile(r"(?:status code |^)(\d{3})\b")
_KINDS: Mapping[str, FailureKind] = {
    r"\bENOTFOUND\b": FailureKind.DNS_NXDOMAIN,
    r"\bEAI_AGAIN\b": FailureKind.DNS_SERVFAIL,
    r"\bECONNREFUSED\b": FailureKind.TCP_REFUSED,
    r"\b(?:EHOSTUNREACH|ENETUNREACH)\b": FailureKind.TCP_UNREACHABLE,
    r"\bETIMEDOUT\b": FailureKind.CONNECT_TIMEOUT,
    r"before secure TLS connection|\bEPROTO\b|SSL routines": FailureKind.TLS_PROTOCOL,
    r"certificate has expired|\bCERT_HAS_EXPIRED\b": FailureKind.CERT_EXPIRED,
    r"does not match certificate's altnames|ALTNAME_INVALID": FailureKind.CERT_HOSTNAME,
    r"self.signed certificate|unable to verify the first certificate|unable to get (?:local )?issuer": (
        FailureKind.CERT_UNTRUSTED
    ),
    r"\bECONNRESET\b|socket hang up|\bEPIPE\b": FailureKind.HTTP_DISCONNECT,
    r"timeout of \d+ ?ms exceeded|timeout by AbortSignal|^timeout$": FailureKind.HEADERS_TIMEOUT,
    r"status code 502\b": FailureKind.BAD_GATEWAY,
    r"status code 504\b": FailureKind.UPSTREAM_TIMEOUT,
    r"status code 5\d\d\b": FailureKind.SERVER_ERROR,
    r"status code \d{3}\b": FailureKind.UNEXPECTED_STATUS,
    r"redirects exceeded": FailureKind.UNEXPECTED_REDIRECT,
    r"but keyword is|JSON query|not in JSON": FailureKind.UNEXPECTED_BODY,
    r"^Parse Error": FailureKind.HTTP_GARBAGE,
}
"""Maps what a message says to its kind; of several the first counts."""
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _KINDS.items()]
_LONGEST_MESSAGE = 160
_LONGEST_PING_MS = 86_400_000
_MOST = 10**7
"""More checks than any hour or day has."""
_WHOLE = timedelta(hours=24)
"""Version 2 keeps every heartbeat of so long, and older ones only where something changed."""
_redact = Redactor()


def moment(value: object) -> datetime | None:
    """Read `2026-01-02 03:04:05.678`, which is UTC, to the millisecond; None for anything else."""
    try:
        at = datetime.fromisoformat(text(value).strip()[:40])
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.replace(microsecond=at.microsecond // 1000 * 1000) if at.year >= 2000 else None


def written(at: datetime) -> str:
    """Write a moment as the database does, so that texts compare as times."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"


def result_of(row: Row, check: str, vantage: str, *, connects: bool = False) -> Result | None:
    """Return the run of a heartbeat; None where nothing was asked, or its time cannot be read.

    `connects`: its time is that of opening a connection.
    """
    at, status = moment(row.get("time")), number(row.get("status"))
    if at is None or status not in {_UP, *_FAILED}:
        return None
    said, ping = text(row.get("msg")), number(row.get("ping"))
    code = _STATUS.search(said)
    took = ping if ping is not None and 0 <= ping <= _LONGEST_PING_MS else None
    is_up = status == _UP
    return Result(
        check=check,
        vantage=vantage,
        at=at,
        outcome=Outcome.UP if is_up else Outcome.DOWN,
        failure=None if is_up else failure_of(said),
        timings=Timings(connect=took if connects else None, total=took) if is_up else Timings(),
        http_status=int(code[1]) if code and 100 <= int(code[1]) <= 599 else None,
    )


def failure_of(said: str) -> Failure | None:
    """Return the failure that a message tells of; None where it tells no kind."""
    for pattern, kind in _PATTERNS:
        if pattern.search(said):
            shown = clean_text(_redact(said), _LONGEST_MESSAGE).replace('"', "'")
            return Failure(kind, f'got "{shown}", want an answer')
    return None


def complete_since(version: int, newest: datetime) -> datetime:
    """Return since when the heartbeats are all there: always in version 1, since a whole hour of the last day in 2."""
    if version == 1:
        return datetime.min.replace(tzinfo=UTC)
    begin = newest - _WHOLE
    hour = Resolution.HOUR.begin(begin)
    return hour if hour == begin else hour + timedelta(hours=1)


def past_counts(
    hourly: Iterable[Row], daily: Iterable[Row], before: datetime
) -> tuple[PastCounts, ...]:
    """Return what was counted before a moment: hours where whole days of them are kept, days before those.

    `before` is the begin of an hour. The average of `ping` is not a time of any run, so no time is made of it.
    """
    hours = sorted(
        (found for row in hourly if (found := _counts(row, Resolution.HOUR, before)) is not None),
        key=lambda counts: counts.at,
    )
    first_day = None
    if hours:
        first_day = Resolution.DAY.begin(hours[0].at)
        if hours[0].at != first_day:
            first_day += timedelta(days=1)
    until = first_day or before
    days = (_counts(row, Resolution.DAY, until) for row in daily)
    return (
        *(counts for counts in days if counts is not None),
        *(counts for counts in hours if first_day is not None and counts.at >= first_day),
    )


def _counts(row: Row, resolution: Resolution, before: datetime) -> PastCounts | None:
    """Return the counts of a row whose whole period lies before a moment."""
    seconds = number(row.get("timestamp"))
    if seconds is None or not 946_684_800 <= seconds < 10**10:
        return None
    at = resolution.begin(datetime.fromtimestamp(seconds, UTC))
    up, down = (_count(row.get(name)) for name in ("up", "down"))
    muted = _count(as_table(parsed(row.get("extras"))).get("maintenance"))
    if resolution.end(at) > before or not up + down + muted:
        return None
    return PastCounts(at=at, resolution=resolution, up=up, down=down, maintenance=muted)


def _count(value: object) -> int:
    figure = number(value)
    return int(figure) if figure is not None and 0 <= figure <= _MOST else 0


def newest_moment(rows: Iterator[Row]) -> datetime | None:
    """Return the time of the first of these rows that has one."""
    return next((at for row in rows if (at := moment(row.get("time"))) is not None), None)
