"""Words for people, found when a message is sent, from the state at that moment. Pure.

In this order: what and where, since when, why and whose fault, what to use instead, a link.
Everything is plain text; the channel escapes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.alerts import message_parts
from monitor.alerts.message_parts import MARK, Context, lasted, moment, where
from monitor.alerts.message_split import message
from monitor.model import FlapSeries, Incident, Message, NotificationType, OutboxMessage, Severity

_LISTED = 40
"""Lines of a digest; the page has the rest."""
_LATE = timedelta(minutes=5)
"""What waited longer was not held back by us."""


def phrase(
    outgoing: OutboxMessage, incident: Incident | None, context: Context, *, news: bool = False
) -> Message:
    """`incident` is None for a notice, which brings its own text; `news`: nobody heard of it yet."""
    if incident is None:
        title, _, body = outgoing.text.partition("\n")
        lines = [*body.splitlines(), f"[n{outgoing.id}]", *message_parts.durable(context)]
        return message(title or context.say("Notice from monitor"), lines)
    if outgoing.what is NotificationType.CALM:
        return _calm(incident, context)
    if outgoing.what is NotificationType.FLAPPING:
        return _flapping(incident, context)
    if outgoing.what is NotificationType.RESOLVED or incident.closed:
        return _ended(outgoing, incident, context, news=news)
    return _going_on(outgoing, incident, context)


def _going_on(outgoing: OutboxMessage, incident: Incident, context: Context) -> Message:
    since = context.say(
        "Since %(moment)s (%(lasted)s). [#%(number)s]",
        moment=moment(incident.opened, context),
        lasted=lasted(context.now - incident.opened, context),
        number=incident.id,
    )
    lines = [
        since,
        *message_parts.why(incident, context),
        *message_parts.affected(incident, context),
        *message_parts.instead(incident, context),
        *message_parts.link(incident, context),
        *message_parts.durable(context),
    ]
    return message(_title(outgoing.what, incident, context), lines)


def _title(what: NotificationType, incident: Incident, context: Context) -> str:
    parts = {
        "where": where(incident, context),
        "state": message_parts.state(incident.severity, context),
    }
    if what is NotificationType.REMINDER:
        said = context.say("%(where)s: still %(state)s", **parts)
    elif what is NotificationType.UPDATE:
        said = context.say("%(where)s: now %(state)s", **parts)
    else:
        said = context.say("%(where)s: %(state)s", **parts)
    return f"{MARK[incident.severity]} {said}"


def _ended(outgoing: OutboxMessage, incident: Incident, context: Context, *, news: bool) -> Message:
    """Also of what nobody heard of while it went on: the channel, or we, were out of reach."""
    assert incident.closed is not None
    span = context.say(
        "From %(begin)s to %(end)s, %(lasted)s. [#%(number)s]",
        begin=moment(incident.opened, context),
        end=moment(incident.closed, context),
        lasted=lasted(incident.closed - incident.opened, context),
        number=incident.id,
    )
    late = news and _is_late(outgoing, context)
    lines = [
        span,
        *([context.say("Told late: it could not be delivered while it went on.")] if late else []),
        context.say("It was: %(why)s.", why=context.language.reasons(incident.kinds)),
        *message_parts.counted(incident.failed_runs, context),
        *message_parts.downtime(context),
        *message_parts.link(incident, context),
    ]
    place, state = where(incident, context), message_parts.state(incident.severity, context)
    title = (
        context.say("%(where)s: was %(state)s, and recovered", where=place, state=state) if news
        else context.say("%(where)s: recovered", where=place)
    )  # fmt: skip
    return message(f"✅ {title}", lines)


def _is_late(outgoing: OutboxMessage, context: Context) -> bool:
    """Held back by more than our own wait for other news."""
    return outgoing.attempts > 0 or context.now - outgoing.created > _LATE


def _calm(incident: Incident, context: Context) -> Message:
    """What came and went has stopped, and is well."""
    said = context.say("Nothing has begun or ended for 30 minutes.")
    lines = [
        f"{said} [#{incident.id}]",
        *_series(incident.series, context),
        *message_parts.downtime(context),
        *message_parts.link(incident, context),
    ]
    title = context.say("%(where)s: calm again", where=where(incident, context))
    return message(f"✅ {title}", lines)


def _flapping(incident: Incident, context: Context) -> Message:
    now = (
        context.say("it works")
        if incident.closed
        else message_parts.state(incident.severity, context)
    )
    lines = [
        context.say("It comes and goes. Now: %(state)s.", state=now) + f" [#{incident.id}]",
        *_series(incident.series, context),
        context.say("Single messages stop until it is calm for 30 minutes; the page has them all."),
        *message_parts.why(incident, context),
        *message_parts.instead(incident, context),
        *message_parts.link(incident, context),
        *message_parts.durable(context),
    ]
    title = context.say("%(where)s: flapping", where=where(incident, context))
    return message(f"🟠 {title}", lines)


def _series(series: FlapSeries | None, context: Context) -> list[str]:
    if series is None:
        return []
    said = context.say(
        "%(num)s incidents since %(moment)s (%(lasted)s), %(bad)s of it bad.",
        num=series.incidents,
        moment=moment(series.since, context),
        lasted=lasted(context.now - series.since, context),
        bad=lasted(series.downtime, context),
    )
    return [said, *message_parts.counted(series.failed_runs, context)]


def latest(rows: Sequence[OutboxMessage], incident: Incident | None, context: Context) -> Message:
    """All that waits of one incident, as the last of it; its beginning may be among it."""
    news = any(row.what is NotificationType.OPENED for row in rows)
    oldest = replace(rows[-1], created=rows[0].created, attempts=rows[0].attempts)
    return phrase(oldest, incident, context, news=news)


def together(
    rows: Sequence[OutboxMessage], found: Sequence[Incident], contexts: Mapping[int, Context]
) -> Message:
    """Several incidents of one service: the worst that goes on in full, then the others."""
    first = min(found, key=_urgency)
    context = contexts[first.id]
    main = latest([row for row in rows if row.incident == first.id], first, context)
    others = [_line(each, contexts[each.id]) for each in found if each is not first]
    return Message(main.title, "\n".join([main.body, context.say("Also:"), *others]))


def _urgency(incident: Incident) -> tuple[bool, int, int]:
    return incident.closed is not None, list(Severity).index(incident.severity), incident.id


def digest(
    rows: Sequence[OutboxMessage],
    found: Sequence[Incident],
    contexts: Mapping[int, Context],
    context: Context,
) -> Message:
    """Many messages for one channel as one: what still goes on first, the worst of it first."""
    lines = [_line(each, contexts[each.id]) for each in sorted(found, key=_urgency)[:_LISTED]]
    notices = [row for row in rows if row.incident is None and row.text]
    lines += [f"{row.text.splitlines()[0]} [n{row.id}]" for row in notices[:_LISTED]]
    left = len(found) + len(notices) - len(lines)
    if left:
        lines.append(context.say("%(num)s more are not listed here; the page has them.", num=left))
    return message(_digest_title(rows, found, context), [*lines, *message_parts.durable(context)])


def _digest_title(
    rows: Sequence[OutboxMessage], found: Sequence[Incident], context: Context
) -> str:
    if any(row.attempts for row in rows) or _is_late(rows[0], context):
        return context.say(
            "%(num)s messages waited while this channel was out of reach", num=len(rows)
        )
    going_on = [each for each in found if not each.closed]
    if not going_on:
        return "✅ " + context.say("%(num)s incidents: recovered", num=len(found))
    said = context.say(
        "%(num)s incidents at once, in %(services)s services",
        num=len(going_on),
        services=len({each.service for each in going_on}),
    )
    return f"{MARK[min(going_on, key=_urgency).severity]} {said}"


def _line(incident: Incident, context: Context) -> str:
    """`[#12] OhMyGPT, Cloudflare CDN: down, since …, bad gateway. Use instead: https://…`"""
    parts = {
        "where": where(incident, context),
        "state": message_parts.state(incident.severity, context),
        "begin": moment(incident.opened, context),
        "why": message_parts.label(incident.failure.kind, context),
    }
    if incident.closed:
        end = moment(incident.closed, context)
        said = context.say(
            "%(where)s: recovered, was %(state)s from %(begin)s to %(end)s, %(why)s",
            end=end,
            **parts,
        )
        return f"[#{incident.id}] {said}"
    said = context.say("%(where)s: %(state)s, since %(begin)s, %(why)s", **parts)
    instead = message_parts.instead(incident, context) if context.working else []
    return f"[#{incident.id}] " + context.say(". ").join([said, *instead])
