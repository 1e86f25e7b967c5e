"""Puts several incidents and notices for one channel into one message. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.alerts.message import facts_of, is_late, latest
from monitor.alerts.message_parts import (
    MARK,
    Context,
    closing,
    instead,
    is_unmeasured,
    message,
    recovered,
)
from monitor.language import marked
from monitor.model import Incident, Message, NotificationType, OutboxMessage, Severity

_OF_ONE = {NotificationType.REMINDER, NotificationType.FLAPPING}
"""What one incident may be and the others beside it are not: readers hear of no reminder."""
_LISTED = 40
"""Incidents that a digest lists; the store has the rest."""
_NOTICES = 20
"""Notices in one digest, each in full: nothing else has them."""


def together(
    rows: Sequence[OutboxMessage], incidents: Sequence[Incident], contexts: Mapping[int, Context]
) -> Message:
    """Say several incidents of one service in one message: the worst that goes on in full, then the others."""
    first = min(incidents, key=_urgency)
    context = contexts[first.id]
    main = latest([row for row in rows if row.incident == first.id], first, context)
    others = [_line(other, contexts[other.id]) for other in incidents if other is not first]
    body = "\n".join([main.body, context.say("Also:"), *others])
    what = main.what
    if what in _OF_ONE and any(row.what is not what for row in rows):
        what = NotificationType.UPDATE
    numbers = tuple(incident.id for incident in incidents)
    return replace(main, what=what, body=body, event="", incidents=numbers)


def _urgency(incident: Incident) -> tuple[bool, int, int]:
    return incident.closed is not None, list(Severity).index(incident.severity), incident.id


def digests(rows: Sequence[OutboxMessage]) -> list[tuple[OutboxMessage, ...]]:
    """Return which rows go into one message each: those of incidents, and no more notices than one holds."""
    of_incidents = tuple(row for row in rows if row.incident is not None)
    notices = [row for row in rows if row.incident is None]
    batches = (
        tuple(notices[begin : begin + _NOTICES]) for begin in range(0, len(notices), _NOTICES)
    )
    return [batch for batch in (of_incidents, *batches) if batch]


def digest(
    rows: Sequence[OutboxMessage],
    incidents: Sequence[Incident],
    contexts: Mapping[int, Context],
    context: Context,
) -> Message:
    """Say many messages for one channel in one: what still goes on first, the worst of it first."""
    urgent = sorted(incidents, key=_urgency)[:_LISTED]
    lines = [_line(incident, contexts[incident.id]) for incident in urgent]
    notices = [row for row in rows if row.incident is None and row.text]
    if left := len(incidents) - len(urgent):
        lines.append(context.say("And %(num)s more: `monitor incidents` lists them.", num=left))
    for row in notices:
        title, *body = row.text.splitlines()
        lines += [f"{title} [n{row.id}]", *body]
    first = urgent[0] if urgent else None
    return replace(
        message(_title(rows, incidents, context), [*lines, *closing(None, context)]),
        what=_meaning(first),
        severity=first.severity if first else Severity.MONITOR,
        incidents=tuple(incident.id for incident in incidents),
        link=context.page_url,
    )


def _meaning(first: Incident | None) -> NotificationType:
    """Return what a digest means. `first` is the worst of those that go on, where any does."""
    if first is None:
        return NotificationType.NOTICE
    return NotificationType.RESOLVED if first.closed else NotificationType.OPENED


def _title(rows: Sequence[OutboxMessage], incidents: Sequence[Incident], context: Context) -> str:
    if any(row.attempts for row in rows):
        return context.say(
            "%(num)s messages waited while this channel was out of reach", num=len(rows)
        )
    if is_late(rows[0], context):
        return context.say("%(num)s messages, told late", num=len(rows))
    going_on = [incident for incident in incidents if not incident.closed]
    if going_on:
        title = context.say(
            "%(num)s incidents at once, in %(services)s services",
            num=len(going_on),
            services=len({incident.service for incident in going_on}),
        )
        if len(going_on) == 1:
            title = context.say(
                "%(num)s incidents, %(open)s still open", num=len(incidents), open=len(going_on)
            )
        return f"{MARK[min(going_on, key=_urgency).severity]} {title}"
    if not incidents:
        return "👁 " + context.say("%(num)s notices from monitor", num=len(rows))
    return "✅ " + context.say("%(num)s incidents are over", num=len(incidents))


def _line(incident: Incident, context: Context) -> str:
    """Return a line: `[#12] OhMyGPT, Cloudflare CDN: down. Use https://…. Bad gateway since 24 Nov 12:00 UTC`."""
    facts = facts_of(incident, context)
    if incident.closed:
        title = recovered(incident, context)
        if incident.is_unwatched:
            title = context.say("%(where)s: no longer watched, was %(state)s", **facts)
    elif is_unmeasured(incident, context):
        title = context.say("%(where)s: was %(state)s, not measured now", **facts)
    else:
        title = context.say("%(where)s: %(state)s", **facts)
    named = context.alternatives.named and not incident.closed
    use = [line.rstrip(".。") for line in instead(incident, context)] if named else []
    sentence = marked("Since %(begin)s, %(why)s")
    if incident.closed or is_unmeasured(incident, context):
        sentence = marked("From %(begin)s on, %(why)s")
    since = context.say(sentence, **facts)
    return f"[#{incident.id}] " + context.say(". ").join([title, *use, since])
