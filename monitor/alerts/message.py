"""Words for people, found when a message is sent, from the state at that moment. Pure.

In this order: what and where, what to use instead, since when, why and whose fault, a link. What was
not measured of late is neither called bad nor well.
Everything is plain text; the channel escapes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from monitor.alerts.alternatives import Alternative, Alternatives, Others
from monitor.alerts.incidents import Unmeasured, endpoint_of
from monitor.alerts.message_split import message
from monitor.language import ENGLISH, Language, marked
from monitor.model import (
    EntryKind,
    FlapSeries,
    Incident,
    Message,
    NotificationType,
    OutboxMessage,
    Severity,
)
from monitor.model.failure import FailureKind, in_sentence

_LISTED = 40
"""Lines of a digest; the page has the rest."""
_LATE = timedelta(minutes=5)
"""What waited longer was not held back by us."""
_SHOWN = 6
MARK = {
    Severity.DOWN: "🔴",
    Severity.DEGRADED: "🟡",
    Severity.ACCOUNT: "🔑",
    Severity.MONITOR: "👁",
}
_STATE = {
    Severity.DOWN: marked("down"),
    Severity.DEGRADED: marked("degraded"),
    Severity.ACCOUNT: marked("key or account trouble"),
    Severity.MONITOR: marked("the monitor cannot see"),
}
_OTHERS = {
    Others.NONE: marked("This service has no other base URL."),
    Others.DOWN: marked("No other base URL of this service works from here right now."),
    Others.FAULTY: marked("Every other base URL of this service has a fault right now."),
    Others.UNKNOWN: marked("No other base URL of this service is known to work right now."),
}
_UNITS = (
    (86_400, marked("%(num)sd")),
    (3600, marked("%(num)sh")),
    (60, marked("%(num)sm")),
    (1, marked("%(num)ss")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Holds what a message needs to know beyond its incident."""

    now: datetime
    services: Mapping[str, str] = field(default_factory=dict)
    """Id -> name."""
    endpoints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """`service/endpoint` -> (name, base URL)."""
    alternatives: Alternatives = field(default_factory=Alternatives)
    """What else the incident's service has."""
    unmeasured: Mapping[str, Unmeasured] = field(default_factory=dict)
    """By check: those of the incident that are still taken for bad, and are not measured now."""
    page_url: str | None = None
    downtime: timedelta | None = None
    """Of the incident's base URLs, this month."""
    durable: bool = True
    """False while nothing can be stored: a restart would forget what is being told."""
    vantage: str = "local"
    language: Language = ENGLISH

    def say(self, sentence: str, /, **values: object) -> str:
        return self.language.gettext(sentence, **values)


def phrase(
    outgoing: OutboxMessage, incident: Incident | None, context: Context, *, news: bool = False
) -> Message:
    """`incident` is None for a notice, which brings its own text; `news`: nobody heard of it yet."""
    if incident is None:
        return _notice(outgoing, context)
    return replace(
        _words(outgoing, incident, context, news=news),
        what=_meaning(outgoing, incident),
        severity=incident.severity,
        event=event_key(incident, context),
        incidents=(incident.id,),
        link=link_to(incident, context),
    )


def _notice(outgoing: OutboxMessage, context: Context) -> Message:
    title, _, body = outgoing.text.partition("\n")
    lines = [*body.splitlines(), f"[n{outgoing.id}]", *durable(context)]
    return replace(
        message(title or context.say("Notice from monitor"), lines),
        what=outgoing.what,
        event=f"{context.vantage}/{outgoing.event or f'n{outgoing.id}'}",
        link=context.page_url,
    )


def _meaning(outgoing: OutboxMessage, incident: Incident) -> NotificationType:
    """Returns its end where it is over by the time when it is told, whatever was to be told."""
    is_over = incident.closed and outgoing.what is not NotificationType.FLAPPING
    return NotificationType.RESOLVED if is_over and not outgoing.what.is_end else outgoing.what


def event_key(incident: Incident, context: Context) -> str:
    """The key of an incident, or of the series that it belongs to, for channels that hold events."""
    return f"{context.vantage}/{incident.service or 'monitor'}/{incident.event}"


def _words(outgoing: OutboxMessage, incident: Incident, context: Context, *, news: bool) -> Message:
    if outgoing.what is NotificationType.CALM:
        return _calm(incident, context)
    if outgoing.what is NotificationType.ACKNOWLEDGED and not incident.closed:
        return _acknowledged(incident, context)
    if outgoing.what is NotificationType.FLAPPING:
        return _flapping(incident, context)
    if outgoing.what is NotificationType.RESOLVED or incident.closed:
        return _ended(outgoing, incident, context, news=news)
    return _going_on(outgoing, incident, context)


def _going_on(outgoing: OutboxMessage, incident: Incident, context: Context) -> Message:
    if is_unmeasured(incident, context):
        known = _not_measured(incident, context)
    else:
        since = context.say(
            "Since %(moment)s (%(lasted)s). [#%(number)s]",
            moment=moment(incident.opened, context),
            lasted=lasted(context.now - incident.opened, context),
            number=incident.id,
        )
        known = [since, *why(incident, context)]
    lines = [
        *instead(incident, context),
        *known,
        *affected(incident, context),
        *link(incident, context),
        *durable(context),
    ]
    return message(_title(outgoing.what, incident, context), lines)


def _title(what: NotificationType, incident: Incident, context: Context) -> str:
    parts = {
        "where": where(incident, context),
        "state": state(incident.severity, context),
    }
    if is_unmeasured(incident, context):
        return "👁 " + context.say("%(where)s: was %(state)s, not measured now", **parts)
    if what is NotificationType.REMINDER:
        title = context.say("%(where)s: still %(state)s", **parts)
    elif what is NotificationType.UPDATE:
        title = context.say("%(where)s: now %(state)s", **parts)
    else:
        title = context.say("%(where)s: %(state)s", **parts)
    return f"{MARK[incident.severity]} {title}"


def _not_measured(incident: Incident, context: Context) -> list[str]:
    """Since when nothing is known of an incident, why, and what was known before."""
    gaps = [context.unmeasured[check] for check in sorted(incident.active)]
    starts = [gap.since for gap in gaps if gap.since]
    kinds = tuple(dict.fromkeys(gap.kind for gap in gaps if gap.kind))
    reasons = context.language.reasons(kinds)
    if len(starts) == len(gaps):
        begin = max(starts)
        gap = context.say(
            "Not measured since %(moment)s (%(lasted)s), because: %(why)s.",
            moment=moment(begin, context),
            lasted=lasted(context.now - begin, context),
            why=reasons,
        )
    else:
        gap = context.say("Not measured at the moment, because: %(why)s.", why=reasons)
    before = context.say(
        "Before that: %(state)s since %(moment)s. [#%(number)s]",
        state=state(incident.severity, context),
        moment=moment(incident.opened, context),
        number=incident.id,
    )
    lines = [gap, before, context.say("Last seen: %(seen)s", seen=_seen(incident, context))]
    remedies = dict.fromkeys(context.language.words(kind).remedy for kind in kinds)
    return [*lines, *(context.say("To do: %(remedy)s", remedy=remedy) for remedy in remedies)]


def _ended(outgoing: OutboxMessage, incident: Incident, context: Context, *, news: bool) -> Message:
    """The end of an incident; `news`: nobody heard of it while it went on, so its begin is told too."""
    assert incident.closed is not None
    if _is_unwatched(incident):
        return _unwatched(incident, context)
    span = context.say(
        "From %(begin)s to %(end)s, %(lasted)s. [#%(number)s]",
        begin=moment(incident.opened, context),
        end=moment(incident.closed, context),
        lasted=lasted(incident.closed - incident.opened, context),
        number=incident.id,
    )
    late = context.say("Told late: it could not be delivered while it went on.")
    lines = [
        span,
        *([late] if news and _is_late(outgoing, context) else []),
        context.say("It was: %(why)s.", why=context.language.reasons(incident.kinds)),
        *counted(incident.failed_runs, context),
        *_removed(incident, context),
        *downtime(context),
        *link(incident, context),
    ]
    parts = {"where": where(incident, context), "state": state(incident.severity, context)}
    title = context.say("%(where)s: recovered", **parts)
    if news:
        title = context.say("%(where)s: was %(state)s, and recovered", **parts)
    return message(f"✅ {title}", lines)


def _is_unwatched(incident: Incident) -> bool:
    """Says whether it is over only because nothing of it is watched any more."""
    return incident.closed is not None and incident.unwatched == {*incident.checks}


def _unwatched(incident: Incident, context: Context) -> Message:
    """All that it concerned left the configuration: whether it works again, nobody knows."""
    assert incident.closed is not None
    parts = {"where": where(incident, context), "state": state(incident.severity, context)}
    span = context.say(
        "From %(begin)s on: %(state)s. It left the configuration at %(end)s. [#%(number)s]",
        begin=moment(incident.opened, context),
        end=moment(incident.closed, context),
        number=incident.id,
        **parts,
    )
    lines = [
        span,
        context.say("Whether it works again is not known."),
        context.say("It was: %(why)s.", why=context.language.reasons(incident.kinds)),
        *counted(incident.failed_runs, context),
        *link(incident, context),
    ]
    return message("👁 " + context.say("%(where)s: no longer watched", **parts), lines)


def _removed(incident: Incident, context: Context) -> list[str]:
    """Returns what left the configuration while it was bad, of an incident whose others recovered."""
    paths = sorted({endpoint_of(check) for check in incident.unwatched})
    if not paths:
        return []
    names = listed([name(path, context) for path in paths], context)
    return [context.say("No longer watched, so not known: %(names)s", names=names)]


def _is_late(outgoing: OutboxMessage, context: Context) -> bool:
    """Says whether something else than our own wait for other news has held it back."""
    return outgoing.attempts > 0 or context.now - outgoing.created > _LATE


def _calm(incident: Incident, context: Context) -> Message:
    """Says that what came and went has stopped, and is well."""
    calm = context.say("Nothing has begun or ended for 30 minutes.")
    lines = [
        f"{calm} [#{incident.id}]",
        *_series(incident.series, context),
        *downtime(context),
        *link(incident, context),
    ]
    title = context.say("%(where)s: calm again", where=where(incident, context))
    return message(f"✅ {title}", lines)


def _acknowledged(incident: Incident, context: Context) -> Message:
    """Says that somebody knows of it, and in whose words; that it goes on is known from before."""
    said = [entry.text for entry in incident.timeline if entry.what is EntryKind.ACKED]
    title = context.say("%(where)s: acknowledged", where=where(incident, context))
    begun = context.say(
        "Since %(moment)s. [#%(number)s]",
        moment=moment(incident.opened, context),
        number=incident.id,
    )
    lines = [*(text for text in said[-1:] if text), begun]
    return message(title, [*lines, *link(incident, context)])


def _flapping(incident: Incident, context: Context) -> Message:
    now = context.say("it works") if incident.closed else state(incident.severity, context)
    lines = [
        *instead(incident, context),
        context.say("It comes and goes. Now: %(state)s.", state=now) + f" [#{incident.id}]",
        *_series(incident.series, context),
        context.say("Single messages stop until it is calm for 30 minutes; the page has them all."),
        *why(incident, context),
        *link(incident, context),
        *durable(context),
    ]
    title = context.say("%(where)s: flapping", where=where(incident, context))
    return message(f"🟠 {title}", lines)


def _series(series: FlapSeries | None, context: Context) -> list[str]:
    if series is None:
        return []
    summary = context.say(
        "%(num)s incidents since %(moment)s (%(lasted)s), %(bad)s of it bad.",
        num=series.incidents,
        moment=moment(series.since, context),
        lasted=lasted(context.now - series.since, context),
        bad=lasted(series.downtime, context),
    )
    return [summary, *counted(series.failed_runs, context)]


def latest(rows: Sequence[OutboxMessage], incident: Incident | None, context: Context) -> Message:
    """One message for all that waits of one incident, as its last news; the first may be its begin."""
    news = any(row.what is NotificationType.OPENED for row in rows)
    oldest = replace(rows[-1], created=rows[0].created, attempts=rows[0].attempts)
    return phrase(oldest, incident, context, news=news)


def together(
    rows: Sequence[OutboxMessage], incidents: Sequence[Incident], contexts: Mapping[int, Context]
) -> Message:
    """Several incidents of one service: the worst that goes on in full, then the others."""
    first = min(incidents, key=_urgency)
    context = contexts[first.id]
    main = latest([row for row in rows if row.incident == first.id], first, context)
    others = [_line(other, contexts[other.id]) for other in incidents if other is not first]
    body = "\n".join([main.body, context.say("Also:"), *others])
    return replace(main, body=body, event="", incidents=tuple(each.id for each in incidents))


def _urgency(incident: Incident) -> tuple[bool, int, int]:
    return incident.closed is not None, list(Severity).index(incident.severity), incident.id


def digest(
    rows: Sequence[OutboxMessage],
    incidents: Sequence[Incident],
    contexts: Mapping[int, Context],
    context: Context,
) -> Message:
    """Many messages for one channel as one: what still goes on first, the worst of it first."""
    urgent = sorted(incidents, key=_urgency)[:_LISTED]
    lines = [_line(incident, contexts[incident.id]) for incident in urgent]
    notices = [row for row in rows if row.incident is None and row.text]
    lines += [f"{row.text.splitlines()[0]} [n{row.id}]" for row in notices[:_LISTED]]
    left = len(incidents) + len(notices) - len(lines)
    if left:
        lines.append(context.say("%(num)s more are not listed here; the page has them.", num=left))
    first = urgent[0] if urgent else None
    return replace(
        message(_digest_title(rows, incidents, context), [*lines, *durable(context)]),
        what=_digest_meaning(first),
        severity=first.severity if first else Severity.MONITOR,
        incidents=tuple(incident.id for incident in incidents),
        link=context.page_url,
    )


def _digest_meaning(first: Incident | None) -> NotificationType:
    """`first` is the worst of those that go on, where any does."""
    if first is None:
        return NotificationType.NOTICE
    return NotificationType.RESOLVED if first.closed else NotificationType.OPENED


def _digest_title(
    rows: Sequence[OutboxMessage], incidents: Sequence[Incident], context: Context
) -> str:
    if any(row.attempts for row in rows) or _is_late(rows[0], context):
        return context.say(
            "%(num)s messages waited while this channel was out of reach", num=len(rows)
        )
    going_on = [incident for incident in incidents if not incident.closed]
    if not going_on:
        return "✅ " + context.say("%(num)s incidents: recovered", num=len(incidents))
    title = context.say(
        "%(num)s incidents at once, in %(services)s services",
        num=len(going_on),
        services=len({incident.service for incident in going_on}),
    )
    return f"{MARK[min(going_on, key=_urgency).severity]} {title}"


def _line(incident: Incident, context: Context) -> str:
    """`[#12] OhMyGPT, Cloudflare CDN: down, since …, bad gateway. Use instead: https://…`"""
    parts = {
        "where": where(incident, context),
        "state": state(incident.severity, context),
        "begin": moment(incident.opened, context),
        "why": label(incident.failure.kind, context),
    }
    if _is_unwatched(incident):
        sentence = context.say(
            "%(where)s: no longer watched, was %(state)s since %(begin)s, %(why)s", **parts
        )
        return f"[#{incident.id}] {sentence}"
    if incident.closed:
        end = moment(incident.closed, context)
        sentence = context.say(
            "%(where)s: recovered, was %(state)s from %(begin)s to %(end)s, %(why)s",
            end=end,
            **parts,
        )
        return f"[#{incident.id}] {sentence}"
    if is_unmeasured(incident, context):
        sentence = context.say("%(where)s: was %(state)s, not measured now", **parts)
    else:
        sentence = context.say("%(where)s: %(state)s, since %(begin)s, %(why)s", **parts)
    sentences = [sentence]
    if context.alternatives.named:
        sentences += instead(incident, context)
    return f"[#{incident.id}] " + context.say(". ").join(sentences)


# --- parts of a message, in the reader's language --------------------------------------------------


def state(severity: Severity, context: Context) -> str:
    return context.language.gettext(_STATE[severity])


def where(incident: Incident, context: Context) -> str:
    """`OhMyGPT, Cloudflare CDN`, or `OhMyGPT, 3 base URLs`."""
    say = context.language
    if incident.service is None:
        return say.gettext("monitor")
    service = context.services.get(incident.service, incident.service)
    paths = incident.endpoints
    if incident.severity is Severity.ACCOUNT and not _is_unwatched(incident):
        return service
    if len(paths) == 1:
        place = name(paths[0], context)
    else:
        place = say.ngettext("%(num)s base URL", "%(num)s base URLs", len(paths))
    return say.gettext("%(service)s, %(place)s", service=service, place=place)


def name(path: str, context: Context) -> str:
    return context.endpoints.get(path, (path.rsplit("/", 1)[-1], ""))[0]


def label(kind: FailureKind, context: Context) -> str:
    return in_sentence(context.language.words(kind).label)


def why(incident: Incident, context: Context) -> list[str]:
    failure, say = incident.failure, context.language
    words = say.words(failure.kind)
    fault = say.gettext("At fault: %(whose)s.", whose=say.whose(failure.fault))
    remedy = say.advice(failure.kind) if instead(incident, context) else words.remedy
    return [
        say.gettext("Why: %(what)s", what=f"{words.what}{say.space}{fault}"),
        say.gettext("Seen: %(seen)s", seen=_seen(incident, context)),
        *([say.gettext("To do: %(remedy)s", remedy=remedy)] if remedy else []),
    ]


def _seen(incident: Incident, context: Context) -> str:
    seen = context.language.observed(incident.failure.message)
    return f"{seen} ({incident.failure.kind.value})"


def is_unmeasured(incident: Incident, context: Context) -> bool:
    """Says whether nothing is known now of any check that the incident takes for bad."""
    return bool(incident.active) and incident.active <= context.unmeasured.keys()


def affected(incident: Incident, context: Context) -> list[str]:
    bad = dict.fromkeys(
        check.rsplit("/", 1)[0] for check in incident.checks if check in incident.active
    )
    if incident.severity is Severity.ACCOUNT or incident.service is None or not bad:
        return []
    names = [
        f"{name(path, context)} {context.endpoints.get(path, ('', ''))[1]}".strip() for path in bad
    ]
    kinds = sorted({check.rsplit("/", 1)[1] for check in incident.active})
    lines = [
        context.say(
            "Concerned: %(names)s (checks: %(kinds)s)",
            names=listed(names, context),
            kinds=listed(kinds, context),
        )
    ]
    unseen = [
        path
        for path in bad
        if all(
            check in context.unmeasured for check in incident.active if endpoint_of(check) == path
        )
    ]
    if unseen and not is_unmeasured(incident, context):
        shown = listed([name(path, context) for path in unseen], context)
        lines.append(context.say("Not measured now: %(names)s", names=shown))
    return lines


def instead(incident: Incident, context: Context) -> list[str]:
    """Returns which base URLs to use, or what is known of the others; nothing where it is not their trouble."""
    if incident.severity in {Severity.ACCOUNT, Severity.MONITOR} or incident.cause == "certificate":
        return []
    if not context.alternatives.named:
        return [context.say(_OTHERS[context.alternatives.others])]
    shown = [_alternative(each, context) for each in context.alternatives.named]
    return [context.say("Use instead: %(urls)s", urls=listed(shown, context))]


def _alternative(alternative: Alternative, context: Context) -> str:
    """`Direct https://direct.example (first token 420 ms)`."""
    parts = {"name": alternative.name, "url": alternative.url}
    time = (
        context.say("%(num)s ms", num=f"{alternative.milliseconds:.0f}")
        if alternative.milliseconds < 1000
        else context.say("%(num)s s", num=f"{alternative.milliseconds / 1000:.2g}")
    )
    if alternative.is_first_token:
        return context.say("%(name)s %(url)s (first token %(time)s)", time=time, **parts)
    return context.say("%(name)s %(url)s (answers in %(time)s)", time=time, **parts)


def counted(failed_runs: Mapping[str, int], context: Context) -> list[str]:
    pairs = sorted(failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
    if not pairs:
        return []
    kinds = [f"{runs} {label(FailureKind(kind), context)}" for kind, runs in pairs]
    total = sum(failed_runs.values())
    say = context.language.gettext
    return [say("Failed runs: %(num)s (%(kinds)s)", num=total, kinds=listed(kinds, context))]


def downtime(context: Context) -> list[str]:
    if not context.downtime:
        return []
    say = context.language.gettext
    return [say("Down this month: %(lasted)s.", lasted=lasted(context.downtime, context))]


def link(incident: Incident, context: Context) -> list[str]:
    address = link_to(incident, context)
    return [address] if address else []


def link_to(incident: Incident, context: Context) -> str | None:
    return f"{context.page_url}/incidents/{incident.id}/" if context.page_url else None


def durable(context: Context) -> list[str]:
    if context.durable:
        return []
    return [context.language.gettext("Not durable: nothing can be stored at the moment.")]


def listed(items: Sequence[str], context: Context) -> str:
    comma = context.language.pgettext("between items of a list", ", ")
    more = len(items) - _SHOWN
    shown = comma.join(items[:_SHOWN])
    if more <= 0:
        return shown
    return context.language.gettext("%(shown)s and %(num)s more", shown=shown, num=more)


def moment(at: datetime, context: Context) -> str:
    return at.astimezone(UTC).strftime(context.language.gettext("%%d %%b %%H:%%M:%%S UTC"))


def lasted(duration: timedelta, context: Context) -> str:
    """Two units at most: `2h18m`, `45s`."""
    left = max(0, round(duration.total_seconds()))
    shown: list[str] = []
    for seconds, unit in _UNITS:
        number, rest = divmod(left, seconds)
        if number and len(shown) < 2:
            shown.append(context.language.gettext(unit, num=number))
            left = rest
        elif shown:
            break
    return "".join(shown) or context.language.gettext("%(num)ss", num=0)
