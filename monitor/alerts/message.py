"""Words for people, found when a message is sent, from the state at that moment. Pure.

In this order: what and where, since when, why and whose fault, what to use instead, a link.
Everything is plain text; the channel escapes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.model import Announcement, Incident, Message, Outgoing, Series, Severity
from monitor.model.duration import format_duration
from monitor.model.failure import Kind
from monitor.model.words import WHOSE, WORDS, in_sentence

LIMIT = 3500
"""UTF-16 units of one part once escaped. Telegram takes 4096; Apprise counts the escaped text, in
which every space is six characters, and would send what is longer in pieces, the title alone in the
first."""
_PARTS = 4
"""A message is cut after so many parts; the page has the rest."""
_TITLE = 200
_ESCAPED = {" ": 6, "&": 5, "<": 4, ">": 4, '"': 6, "'": 6, "\n": 2}
_SHOWN = 6
_LATE = timedelta(minutes=5)
"""What waited longer was not held back by us."""
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
    downtime: timedelta | None = None
    """Of the incident's base URLs, this month."""
    durable: bool = True
    """False while nothing can be stored: a restart would forget what is being told."""


def phrase(outgoing: Outgoing, incident: Incident | None, context: Context) -> Message:
    """`incident` is None for a notice, which brings its own text."""
    if incident is None:
        title, _, body = outgoing.text.partition("\n")
        lines = [*body.splitlines(), *_number(f"n{outgoing.id}"), *_durable(context)]
        return _message(title or "Notice from monitor", lines)
    if outgoing.what is Announcement.CALM:
        return _calm(incident, context)
    if outgoing.what is Announcement.FLAPPING:
        return _flapping(incident, context)
    if outgoing.what is Announcement.RESOLVED or incident.closed:
        return _ended(incident, context)
    return _going_on(outgoing, incident, context)


def together(
    rows: Sequence[Outgoing], found: Sequence[Incident], contexts: Mapping[int, Context]
) -> Message:
    """Several incidents of one service: the worst that goes on in full, then the others."""
    first = min(found, key=_urgency)
    what = next(row for row in reversed(rows) if row.incident == first.id)
    main = phrase(what, first, contexts[first.id])
    others = [_line(each, contexts[each.id]) for each in found if each is not first]
    return Message(main.title, "\n".join([main.body, "Also:", *others]))


def _urgency(incident: Incident) -> tuple[bool, int, int]:
    return incident.closed is not None, list(Severity).index(incident.severity), incident.id


def _going_on(outgoing: Outgoing, incident: Incident, context: Context) -> Message:
    reminder = outgoing.what is Announcement.REMINDER
    still = "still " if reminder else ""
    if outgoing.what is Announcement.UPDATE:
        still = "now "
    title = f"{_MARK[incident.severity]} {_where(incident, context)}: {still}{_STATE[incident.severity]}"
    lines = [
        f"Since {_time(incident.opened)} ({_for(context.now - incident.opened)}). [#{incident.id}]",
        *_why(incident),
        *_affected(incident, context),
        *_instead(incident, context),
        *_link(incident, context),
        *_durable(context),
    ]
    return _message(title, lines)


def _ended(incident: Incident, context: Context) -> Message:
    assert incident.closed is not None
    title = f"✅ {_where(incident, context)}: recovered"
    lasted = _for(incident.closed - incident.opened)
    lines = [
        f"From {_time(incident.opened)} to {_time(incident.closed)}, {lasted}. [#{incident.id}]",
        f"It was: {in_sentence(WORDS[incident.failure.kind].label)}.",
        *_counted(incident.failed_runs),
        *_downtime(context),
        *_link(incident, context),
    ]
    return _message(title, lines)


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


def _counted(failed_runs: Mapping[str, int]) -> list[str]:
    counted = sorted(failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
    if not counted:
        return []
    total = sum(failed_runs.values())
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


def _message(title: str, lines: Sequence[str]) -> Message:
    return Message(_cut(" ".join(title.split()), _TITLE), "\n".join(lines))


def parts(message: Message) -> tuple[Message, ...]:
    """Each within the strictest channel's limit, cut between lines; numbered where there are more."""
    if _units(message.title) + _units(message.body) <= LIMIT:
        return (message,)
    title = _cut(message.title, _TITLE)
    room = LIMIT - _units(title) - _units(" (1/1)")
    bodies = _pieces(message.body, room)
    if len(bodies) > _PARTS:
        bodies = [*bodies[: _PARTS - 1], _cut(bodies[_PARTS - 1], room - 1).rstrip("…") + "…"]
    return tuple(
        Message(f"{title} ({place}/{len(bodies)})", body) for place, body in enumerate(bodies, 1)
    )


def _pieces(body: str, room: int) -> list[str]:
    pieces: list[list[str]] = [[]]
    left = room
    for line in body.splitlines():
        line = _cut(line, room)  # noqa: PLW2901
        units = _units(line) + _ESCAPED["\n"]
        if units > left and pieces[-1]:
            pieces.append([])
            left = room
        pieces[-1].append(line)
        left -= units
    return ["\n".join(piece) for piece in pieces]


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


def digest(
    rows: Sequence[Outgoing],
    found: Sequence[Incident],
    contexts: Mapping[int, Context],
    context: Context,
) -> Message:
    """Many messages for one channel as one: what still goes on first, the worst of it first."""
    lines = [_line(each, contexts[each.id]) for each in sorted(found, key=_urgency)]
    lines += [row.text.splitlines()[0] for row in rows if row.incident is None and row.text]
    return _message(_digest_title(rows, found, context), [*lines, *_durable(context)])


def _digest_title(rows: Sequence[Outgoing], found: Sequence[Incident], context: Context) -> str:
    late = any(row.attempts for row in rows) or context.now - rows[0].created > _LATE
    if late:
        return f"{len(rows)} messages waited while this channel was out of reach"
    going_on = [each for each in found if not each.closed]
    services = len({each.service for each in going_on})
    if not going_on:
        return f"✅ {len(found)} incidents: recovered"
    mark = _MARK[min(going_on, key=_urgency).severity]
    return f"{mark} {len(going_on)} incidents at once, in {services} services"


def _line(incident: Incident, context: Context) -> str:
    """`[#12] OhMyGPT, Cloudflare CDN: down, since …, bad gateway. Use instead: https://…`"""
    state = "recovered" if incident.closed else _STATE[incident.severity]
    instead = _instead(incident, context) if not incident.closed and context.working else []
    said = (
        f"[#{incident.id}] {_where(incident, context)}: {state}, since {_time(incident.opened)},"
        f" {in_sentence(WORDS[incident.failure.kind].label)}"
    )
    return ". ".join([said, *instead])


def _calm(incident: Incident, context: Context) -> Message:
    """What came and went has stopped, and is well."""
    lines = [f"Nothing has begun or ended for 30 minutes. [#{incident.id}]"]
    if incident.series:
        lines += _series(incident.series, context.now)
    lines += [*_downtime(context), *_link(incident, context)]
    return _message(f"✅ {_where(incident, context)}: calm again", lines)


def _flapping(incident: Incident, context: Context) -> Message:
    lines = [f"It comes and goes. Now: {_STATE[incident.severity]}. [#{incident.id}]"]
    if incident.closed:
        lines = [f"It comes and goes. Now: it works. [#{incident.id}]"]
    if incident.series:
        lines += _series(incident.series, context.now)
    lines += [
        "Single messages stop until it is calm for 30 minutes; the page has them all.",
        *_why(incident),
        *_instead(incident, context),
        *_link(incident, context),
        *_durable(context),
    ]
    return _message(f"🟠 {_where(incident, context)}: flapping", lines)


def _series(series: Series, now: datetime) -> list[str]:
    since = f"{series.incidents} incidents since {_time(series.since)}"
    return [
        f"{since} ({_for(now - series.since)}), {_for(series.downtime)} of it bad.",
        *_counted(series.failed_runs),
    ]


def _downtime(context: Context) -> list[str]:
    return [f"Down this month: {_for(context.downtime)}."] if context.downtime else []


def _number(text: str) -> list[str]:
    """By which a person sees that two messages are one."""
    return [f"[{text}]"]


def _durable(context: Context) -> list[str]:
    return [] if context.durable else ["Not durable: nothing can be stored at the moment."]
