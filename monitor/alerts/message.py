"""Puts a message into words when it is sent, from the state at that moment. Pure.

The title says which and what; then come what to use, why, since when, whose fault, and the evidence last.
What was not measured of late is neither called bad nor well. Everything is plain text; the channel escapes it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.alerts.incidents import endpoint_of
from monitor.alerts.message_parts import (
    MARK,
    Context,
    closing,
    concerned,
    counted,
    downtime,
    evidence,
    instead,
    is_unmeasured,
    lasted,
    link_to,
    listed,
    message,
    moment,
    name,
    reasons,
    recovered,
    state,
    where,
    whose,
)
from monitor.language import marked
from monitor.model import (
    NOT_HEARD,
    EntryKind,
    FlapSeries,
    Incident,
    Message,
    NotificationType,
    OutboxMessage,
    all_of,
)

_LATE = timedelta(minutes=5)
"""What waited longer was not held back by us."""
_TITLES = {
    NotificationType.REMINDER: marked("%(where)s: still %(state)s"),
    NotificationType.UPDATE: marked("%(where)s: now %(state)s"),
}
_TITLE = marked("%(where)s: %(state)s")


def phrase(
    outgoing: OutboxMessage, incident: Incident | None, context: Context, *, news: bool = False
) -> Message:
    """Put one message into words. `incident` is None for a notice, which brings its own text.

    `news`: nobody heard of it yet.
    """
    if incident is None:
        return _notice(outgoing, context)
    words = _words(outgoing, incident, context, news=news)
    return replace(
        words,
        what=_meaning(outgoing, incident),
        severity=incident.severity,
        event=event_key(incident, context),
        incidents=(incident.id,),
        link=link_to(incident, context),
        short=_short(words.title, incident, context),
    )


def _short(title: str, incident: Incident, context: Context) -> str:
    """Return the title with what to use instead, or what is known of that; "" where it is over."""
    use = [] if incident.closed else instead(incident, context)[:1]
    return context.say(". ").join([title, *use]) if use else ""


def _notice(outgoing: OutboxMessage, context: Context) -> Message:
    title, _, body = outgoing.text.partition("\n")
    lines = [*body.splitlines(), f"[n{outgoing.id}]", *closing(None, context)]
    return replace(
        message(title or context.say("Notice from monitor"), lines),
        what=outgoing.what,
        event=f"{context.vantage}/{outgoing.event or f'n{outgoing.id}'}",
        link=context.page_url,
    )


def _meaning(outgoing: OutboxMessage, incident: Incident) -> NotificationType:
    """Return its end where it is over by the time when it is told, whatever was to be told."""
    if not incident.closed or outgoing.what in {NotificationType.FLAPPING, NotificationType.CALM}:
        return outgoing.what
    return NotificationType.UNWATCHED if incident.is_unwatched else NotificationType.RESOLVED


def event_key(incident: Incident, context: Context) -> str:
    """Return the key of an incident, or of the series that it belongs to, for channels that hold events."""
    return f"{context.vantage}/{incident.service or 'monitor'}/{incident.event}"


def _words(outgoing: OutboxMessage, incident: Incident, context: Context, *, news: bool) -> Message:
    if outgoing.what is NotificationType.CALM:
        return _calm(incident, context)
    if outgoing.what is NotificationType.ACKNOWLEDGED and not incident.closed:
        return _acknowledged(incident, context)
    if outgoing.what is NotificationType.FLAPPING:
        return _flapping(incident, context)
    if incident.is_unwatched:
        return _unwatched(incident, context)
    if outgoing.what is NotificationType.RESOLVED or incident.closed:
        return _ended(outgoing, incident, context, news=news)
    if is_unmeasured(incident, context):
        return _not_measured(incident, context)
    return _going_on(outgoing, incident, context)


def facts_of(incident: Incident, context: Context) -> dict[str, str]:
    """Return what sentences about an incident fill in."""
    why = reasons(incident, context)
    return {
        "where": where(incident, context),
        "state": state(incident, context),
        "why": why,
        "Why": why[:1].upper() + why[1:],
        "whose": whose(incident.kinds, context),
        "begin": moment(incident.opened, context),
        "number": str(incident.id),
    }


def _going_on(outgoing: OutboxMessage, incident: Incident, context: Context) -> Message:
    facts = facts_of(incident, context)
    title = f"{MARK[incident.severity]} {context.say(_TITLES.get(outgoing.what, _TITLE), **facts)}"
    why = context.say(
        "%(Why)s since %(begin)s, %(lasted)s. Fault: %(whose)s. [#%(number)s]",
        lasted=lasted(context.now - incident.opened, context),
        **facts,
    )
    lines = [*instead(incident, context), why, *concerned(incident, context)]
    end = closing(incident, context)
    return message(title, [*lines, *evidence(incident, [title, *lines, *end], context), *end])


def _not_measured(incident: Incident, context: Context) -> Message:
    """Say since when nothing is known of an incident, why, and what was known before."""
    facts = facts_of(incident, context)
    gap = all_of(context.unmeasured[check] for check in incident.active)
    since = ""
    if gap.since:
        length = lasted(context.now - gap.since, context)
        since = context.say(
            "%(moment)s (%(lasted)s)", moment=moment(gap.since, context), lasted=length
        )
    line = context.language.unmeasured(gap.kinds, since)
    before = context.say("Before: %(state)s since %(begin)s, %(why)s. [#%(number)s]", **facts)
    title = "👁 " + context.say("%(where)s: was %(state)s, not measured now", **facts)
    lines = [*instead(incident, context), line, before, *concerned(incident, context)]
    return message(title, [*lines, *closing(incident, context)])


def _ended(outgoing: OutboxMessage, incident: Incident, context: Context, *, news: bool) -> Message:
    """Tell the end of an incident; `news`: nobody heard of it while it went on."""
    assert incident.closed is not None
    facts = facts_of(incident, context)
    title = recovered(incident, context)
    end = moment(incident.closed, context)
    span = context.say("From %(begin)s to %(end)s. [#%(number)s]", end=end, **facts)
    if end == facts["begin"]:  # within the minute
        span = context.say("At %(begin)s. [#%(number)s]", **facts)
    lines = [
        span,
        *(counted(incident.failed_runs, context) or [facts["Why"]]),
        *_removed(incident, context),
        *downtime(context),
        *closing(incident, context),
    ]
    if news and is_late(outgoing, context):
        lines.insert(1, context.say("Told late: it could not be delivered before."))
    return message(f"✅ {title}", lines)


def _unwatched(incident: Incident, context: Context) -> Message:
    """Tell that all of it left the configuration, or is not heard of: whether it works again, nobody knows."""
    assert incident.closed is not None
    facts, end = facts_of(incident, context), moment(incident.closed, context)
    why = marked(
        "It was %(state)s from %(begin)s on: %(why)s. It left the configuration at %(end)s. [#%(number)s]"
    )
    title = marked("%(where)s: no longer watched")
    if incident.timeline[-1].text == NOT_HEARD:
        title = marked("%(where)s: not known any more")
        why = marked(
            "It was %(state)s from %(begin)s on: %(why)s. Nothing is heard from there any more. [#%(number)s]"
        )
    lines = [
        context.say("Whether it works again is not known."),
        context.say(why, end=end, **facts),
        *counted(incident.failed_runs, context),
        *closing(incident, context),
    ]
    return message("👁 " + context.say(title, **facts), lines)


def _removed(incident: Incident, context: Context) -> list[str]:
    """Return what left the configuration while it was bad, of an incident whose others recovered."""
    paths = sorted({endpoint_of(check) for check in incident.unwatched})
    if not paths:
        return []
    names = listed([name(path, context) for path in paths], context)
    return [context.say("No longer watched, so not known: %(names)s", names=names)]


def is_late(outgoing: OutboxMessage, context: Context) -> bool:
    """Say whether something else than our own wait for other news has held it back."""
    return outgoing.attempts > 0 or context.now - outgoing.created > _LATE


def _calm(incident: Incident, context: Context) -> Message:
    """Say that what came and went has stopped, and is well."""
    facts = facts_of(incident, context)
    series = incident.series
    lines = [
        context.say("Nothing has begun or ended for 30 minutes. [#%(number)s]", **facts),
        *([_summed(series, context)] if series else []),
        *(counted(series.failed_runs, context) if series else []),
        *downtime(context),
        *closing(incident, context),
    ]
    return message("✅ " + context.say("%(where)s: calm again", **facts), lines)


def _acknowledged(incident: Incident, context: Context) -> Message:
    """Say that somebody knows of it, and in whose words; that it goes on is known from before."""
    facts = facts_of(incident, context)
    notes = [entry.text for entry in incident.timeline if entry.what is EntryKind.ACKED]
    begun = context.say("Since %(begin)s. [#%(number)s]", **facts)
    lines = [*(text for text in notes[-1:] if text), begun, *closing(incident, context)]
    return message(context.say("%(where)s: acknowledged", **facts), lines)


def _flapping(incident: Incident, context: Context) -> Message:
    facts = facts_of(incident, context)
    now = context.say("it works") if incident.closed else facts["state"]
    lines = [
        *instead(incident, context),
        context.say(
            "It comes and goes. Now: %(now)s. %(Why)s. Fault: %(whose)s. [#%(number)s]",
            now=now,
            **facts,
        ),
        *([_summed(incident.series, context)] if incident.series else []),
        context.say("Told again when calm for 30 minutes."),
        *closing(incident, context),
    ]
    return message("🟠 " + context.say("%(where)s: flapping", **facts), lines)


def _summed(series: FlapSeries, context: Context) -> str:
    return context.say(
        "%(num)s incidents since %(moment)s, bad for %(bad)s.",
        num=series.incidents,
        moment=moment(series.since, context),
        bad=lasted(series.downtime, context),
    )


def latest(rows: Sequence[OutboxMessage], incident: Incident | None, context: Context) -> Message:
    """Return one message for all that waits of one incident, as its last news; the first may be its begin."""
    news = any(row.what is NotificationType.OPENED for row in rows)
    what = rows[-1].what
    if news and what is NotificationType.REMINDER:  # of what nobody heard of
        what = NotificationType.OPENED
    elif what is NotificationType.REMINDER and rows[0].what is NotificationType.UPDATE:
        what = NotificationType.UPDATE
    oldest = replace(rows[-1], what=what, created=rows[0].created, attempts=rows[0].attempts)
    return phrase(oldest, incident, context, news=news)
