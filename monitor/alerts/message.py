"""Words for people, found when a message is sent, from the state at that moment. Pure.

In this order: what and where, since when, why and whose fault, what to use instead, a link.
Everything is plain text; the channel escapes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.model import Announcement, Incident, Message, Outgoing, Severity
from monitor.model.duration import format_duration
from monitor.model.failure import Kind
from monitor.model.words import WHOSE, WORDS, in_sentence

LIMIT = 3900
"""UTF-16 units once escaped. Telegram takes 4096; Apprise counts the escaped text, in which every
space is six characters, and would send what is longer in pieces, the title alone in the first."""
_ESCAPED = {" ": 6, "&": 5, "<": 4, ">": 4, '"': 6, "'": 6, "\n": 2}
_SHOWN = 6
_MARK = {
    Severity.DOWN: "🔴",
    Severity.DEGRADED: "🟡",
    Severity.ACCOUNT: "🔑",
    Severity.MONITOR: "👁",
}
_STATE = {
    Severity.DOWN: "down",
    Severity.DEGRADED: "degraded",
    Severity.ACCOUNT: "key or account trouble",
    Severity.MONITOR: "the monitor cannot see",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a message needs to know beyond its incident."""

    now: datetime
    services: Mapping[str, str] = field(default_factory=dict)
    """Id -> name."""
    endpoints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """`service/endpoint` -> (name, base URL)."""
    working: tuple[str, ...] = ()
    """Base URLs of the incident's service that work now, best first."""
    page_url: str | None = None


def phrase(outgoing: Outgoing, incident: Incident | None, context: Context) -> Message:
    """`incident` is None for a notice, which brings its own text."""
    if incident is None:
        title, _, body = outgoing.text.partition("\n")
        return _fit(title or "Notice from monitor", body)
    if outgoing.what is Announcement.RESOLVED or incident.closed:
        return _ended(incident, context)
    return _going_on(outgoing, incident, context)


def _going_on(outgoing: Outgoing, incident: Incident, context: Context) -> Message:
    reminder = outgoing.what is Announcement.REMINDER
    still = "still " if reminder else ""
    title = f"{_MARK[incident.severity]} {_where(incident, context)}: {still}{_STATE[incident.severity]}"
    lines = [
        f"Since {_time(incident.opened)} ({_for(context.now - incident.opened)}). [#{incident.id}]",
        *_why(incident),
        *_affected(incident, context),
        *_instead(incident, context),
        *_link(incident, context),
    ]
    return _fit(title, "\n".join(lines))


def _ended(incident: Incident, context: Context) -> Message:
    assert incident.closed is not None
    title = f"✅ {_where(incident, context)}: recovered"
    lasted = _for(incident.closed - incident.opened)
    lines = [
        f"From {_time(incident.opened)} to {_time(incident.closed)}, {lasted}. [#{incident.id}]",
        f"It was: {in_sentence(WORDS[incident.failure.kind].label)}.",
        *_counts(incident),
        *_link(incident, context),
    ]
    return _fit(title, "\n".join(lines))


def _where(incident: Incident, context: Context) -> str:
    """`OhMyGPT, Cloudflare CDN`, or `OhMyGPT, 3 base URLs`."""
    if incident.service is None:
        return "monitor"
    service = context.services.get(incident.service, incident.service)
    if incident.severity is Severity.ACCOUNT:
        return service
    paths = incident.endpoints
    if len(paths) == 1:
        return f"{service}, {_name(paths[0], context)}"
    return f"{service}, {len(paths)} base URLs"


def _name(path: str, context: Context) -> str:
    return context.endpoints.get(path, (path.rsplit("/", 1)[-1], ""))[0]


def _why(incident: Incident) -> list[str]:
    failure = incident.failure
    words = WORDS[failure.kind]
    return [
        f"Why: {words.what} At fault: {WHOSE[failure.fault]}.",
        f"Seen: {failure.message} ({failure.kind.value})",
        f"To do: {words.remedy}",
    ]


def _affected(incident: Incident, context: Context) -> list[str]:
    bad = dict.fromkeys(
        check.rsplit("/", 1)[0] for check in incident.checks if check in incident.active
    )
    if incident.severity is Severity.ACCOUNT or incident.service is None or not bad:
        return []
    names = [
        f"{_name(path, context)} {context.endpoints.get(path, ('', ''))[1]}".strip() for path in bad
    ]
    kinds = sorted({check.rsplit("/", 1)[1] for check in incident.active})
    return [f"Concerned: {_list(names)} (checks: {_list(kinds)})"]


def _instead(incident: Incident, context: Context) -> list[str]:
    if incident.severity in {Severity.ACCOUNT, Severity.MONITOR}:
        return []
    if not context.working:
        return ["No other base URL of this service works from here right now."]
    return [f"Use instead: {_list(list(context.working))}"]


def _counts(incident: Incident) -> list[str]:
    counted = sorted(incident.failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
    if not counted:
        return []
    total = sum(incident.failed_runs.values())
    parts = _list([f"{runs} {in_sentence(WORDS[Kind(name)].label)}" for name, runs in counted])
    return [f"Failed probes: {total} ({parts})"]


def _link(incident: Incident, context: Context) -> list[str]:
    return [f"{context.page_url}/incidents/{incident.id}/"] if context.page_url else []


def _list(items: list[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %b %H:%M:%S} UTC"


def _for(duration: timedelta) -> str:
    """Two units at most: `2h18m`, `45s`."""
    seconds = max(0, round(duration.total_seconds()))
    coarse = (
        next((unit for unit in (3600, 60) if seconds >= unit * 24), 1) if seconds < 86_400 else 3600
    )
    if seconds >= 3600:
        coarse = max(coarse, 60)
    return format_duration(timedelta(seconds=seconds // coarse * coarse))


def _fit(title: str, body: str) -> Message:
    """Within one message of the strictest channel, cut at the end of the body."""
    title = _cut(" ".join(title.split()), 200)
    return Message(title, _cut(body, LIMIT - _units(title)))


def _cut(text: str, limit: int) -> str:
    if _units(text) <= limit:
        return text
    kept, left = 0, limit - 1
    for char in text:
        left -= _units(char)
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def _units(text: str) -> int:
    return sum(_ESCAPED.get(char) or (2 if char > "\uffff" else 1) for char in text)


def _is_over(incident: Incident | None) -> bool:
    return incident is None or incident.closed is not None


def digest(rows: tuple[Outgoing, ...], found: Mapping[int, Incident], context: Context) -> Message:
    """Many messages that waited for the same channel, as one: what still goes on first."""
    lines: list[str] = []
    numbers = dict.fromkeys(row.incident for row in rows if row.incident is not None)
    for number in sorted(numbers, key=lambda number: _is_over(found.get(number))):
        if incident := found.get(number):
            state = "recovered" if incident.closed else _STATE[incident.severity]
            lines.append(
                f"[#{number}] {_where(incident, context)}: {state}, since {_time(incident.opened)},"
                f" {in_sentence(WORDS[incident.failure.kind].label)}"
            )
    lines += [row.text.splitlines()[0] for row in rows if row.incident is None and row.text]
    return _fit(
        f"{len(rows)} messages waited while this channel was out of reach", "\n".join(lines)
    )
