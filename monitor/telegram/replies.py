"""Words what the bot answers, from the state at this moment, in the reader's language. Pure.

The facts are those of the page's view, so that bot and page never contradict each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from monitor.language import Language
from monitor.model import (
    Check,
    EntryKind,
    Failure,
    Incident,
    NotificationType,
    Outcome,
    Result,
    Severity,
)
from monitor.model.mentions import break_mentions
from monitor.page.formatting import label, no_pick
from monitor.page.view_models import IncidentView, PageView, ServiceView
from monitor.telegram.commands import HELP, HELP_OF_READERS, BotCommand

_LISTED = 15
_NEWS = 5
"""Incidents in one message for readers; the others are counted, and the page has them."""
_ENTRIES = 8
"""The newest entries of a timeline that are shown."""
_MARKS = {Severity.DOWN: "🔴", Severity.PARTIAL: "🟠", Severity.DEGRADED: "🟡"}
_LIMIT = 4000
"""UTF-16 units of a message; Telegram takes 4096."""


def fitted(text: str) -> str:
    """Cut a text to what Telegram takes."""
    if len(text.encode("utf-16-le")) <= 2 * _LIMIT:
        return text
    cut = text.encode("utf-16-le")[: 2 * _LIMIT - 2].decode("utf-16-le", "ignore")
    return cut.rstrip() + "…"


def help_text(language: Language, *, subscribers: bool = False) -> str:
    say = language.gettext
    commands = {**HELP, **(HELP_OF_READERS if subscribers else {})}
    lines = [f"{verb.usage}: {say(what)}" for verb, what in commands.items()]
    target = say("TARGET is `all`, SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE.")
    return "\n".join([*lines, target])


def help_of_readers(page: PageView) -> str:
    """Say what anybody may ask of the bot."""
    say = page.language.gettext
    lines = [f"{verb.usage}: {say(what)}" for verb, what in HELP_OF_READERS.items()]
    names = _short_list([service.id for service in page.services])
    services = say("SERVICE is one of: %(names)s", names=names)
    return "\n".join([page.title, *lines, services, *([page.url] if page.url else [])])


def subscribed(service: str, page: PageView) -> str:
    say, name = page.language.gettext, _name(service, page)
    if not service:
        return say("You will hear of every service of this page. /unsubscribe ends it.")
    return say("You will hear of %(service)s. /unsubscribe ends it.", service=name)


def unsubscribed(service: str, language: Language) -> str:
    if not service:
        return language.gettext("You will hear no more; your number is forgotten.")
    return language.gettext("You will hear no more of %(service)s.", service=service)


def not_subscribed(language: Language) -> str:
    return language.gettext("You have not subscribed to that.")


def no_room(language: Language) -> str:
    return language.gettext("There are too many subscriptions already.")


def news(what: NotificationType, incidents: Sequence[Incident], page: PageView) -> str:
    """Say what the page says of these incidents, for readers; empty where it shows none of them."""
    views = {view.id: view for view in page.incidents}
    shown = [
        incident
        for incident in incidents
        if incident.id in views and incident.severity.is_of_base_urls
    ]
    paragraphs = [
        "\n".join(_news_of(what, incident, views[incident.id], page)) for incident in shown[:_NEWS]
    ]
    if left := len(shown) - len(paragraphs):
        more = page.language.gettext("And %(num)s more.", num=left)
        paragraphs.append("\n".join([more, *([page.url] if page.url else [])]))
    return fitted("\n\n".join(paragraphs))


def _news_of(
    what: NotificationType, incident: Incident, view: IncidentView, page: PageView
) -> Iterator[str]:
    """Word one incident, with times of UTC, as on the page: nobody knows where a reader is."""
    say, title = page.language.gettext, _title(view, page)
    if what is NotificationType.FLAPPING and incident.series:
        yield "🟠 " + say("It comes and goes: %(title)s", title=title)
    elif incident.is_unwatched:
        yield "👁 " + say("No longer watched, so not known: %(title)s", title=title)
    elif view.closed:
        yield "✅ " + say("Recovered: %(title)s", title=title)
    else:
        yield f"{_MARKS[view.severity] if view.measured else '👁'} {title}"
    if view.closed:
        yield _span(view, page.language, UTC)
    else:
        if view.instead:
            yield say("Use instead: %(url)s", url=view.instead)
        yield _span(view, page.language, UTC)
        yield view.what
    if page.url:
        yield f"{page.url}/incidents/{view.id}/"


def _span(view: IncidentView, language: Language, zone: tzinfo) -> str:
    """Say from when to when it lasts, and how long; what began and ended within a minute names it once."""
    begin = language.moment(view.opened, zone)
    if not view.closed and not view.measured:
        return language.gettext("Began %(moment)s.", moment=begin)
    if not view.closed:
        return language.gettext(
            "Since %(moment)s, for %(lasted)s.", moment=begin, lasted=view.lasted
        )
    end = language.moment(view.closed, zone)
    if begin == end:
        return language.gettext("At %(moment)s, for %(lasted)s.", moment=end, lasted=view.lasted)
    return language.gettext(
        "From %(begin)s to %(end)s, for %(lasted)s.", begin=begin, end=end, lasted=view.lasted
    )


def _name(service: str, page: PageView) -> str:
    return next((shown.name for shown in page.services if shown.id == service), service)


def usage(command: BotCommand, language: Language) -> str:
    return language.gettext("Please write: %(usage)s", usage=command.verb.usage)


def status(view: PageView, waiting: int, zone: tzinfo) -> str:
    """Return the page's headline, each service with its base URLs, and what goes on."""
    language = view.language
    lines = [view.headline, *(_service_line(service, language) for service in view.services)]
    lines += _open_incidents(view, zone)
    if waiting:
        lines.append(
            language.ngettext(
                "%(num)s message waits to be delivered.",
                "%(num)s messages wait to be delivered.",
                waiting,
            )
        )
    return "\n".join(lines)


def _service_line(service: ServiceView, language: Language) -> str:
    by_state: dict[str, list[str]] = {}
    for endpoint in service.endpoints:
        by_state.setdefault(label(endpoint.state, language), []).append(endpoint.name)
    lines = [f"  {state}: {language.listed(names)}" for state, names in by_state.items()]
    return "\n".join([service.name, *lines])


def best(view: PageView, name: str) -> str:
    """Say which base URL to use now, of one service or of all; with several places, from each of them."""
    services = [shown for shown in view.services if name in ("", shown.id)]
    if not services:
        return unknown(name, (shown.id for shown in view.services), view.language)
    if len(view.vantages) < 2:
        return "\n".join(_best_line(service, view.language) for service in services)
    return "\n".join(
        view.language.gettext(
            "%(where)s: %(why)s", where=vantage.title, why=_best_line(seen, view.language)
        )
        for service in services
        for vantage in view.vantages
        for seen in vantage.services
        if seen.id == service.id
    )


def _best_line(service: ServiceView, language: Language) -> str:
    say = language.gettext
    if not service.picks:
        return no_pick(service.name, language, is_answered=service.is_up)
    pick, *more = service.picks
    where = pick.url or pick.name
    if pick.flaw:
        return say(
            "%(service)s: use %(url)s for want of a better one; its answers are spoiled, or an incident"
            " covers it.",
            service=service.name,
            url=where,
        )
    line = say(
        "%(service)s: use %(url)s (median %(num)s ms).",
        service=service.name,
        url=where,
        num=round(pick.median_ms),
    )
    longer = [say("For long calls: %(url)s", url=each.url or each.name) for each in more]
    return "\n".join([line, *longer])


def incidents(view: PageView, zone: tzinfo) -> str:
    return "\n".join(_open_incidents(view, zone)) or view.language.gettext("No incident is open.")


def _open_incidents(view: PageView, zone: tzinfo) -> list[str]:
    going_on = [incident for incident in view.incidents if incident.closed is None]
    lines = [_incident_line(each, view, zone) for each in going_on[:_LISTED]]
    if left := len(going_on) - len(lines):
        lines.append(view.language.gettext("%(num)s more incidents are open.", num=left))
    return lines


def _incident_line(incident: IncidentView, view: PageView, zone: tzinfo) -> str:
    say = view.language.gettext
    moment = view.language.moment(incident.opened, zone)
    since = say("since %(moment)s, for %(lasted)s", moment=moment, lasted=incident.lasted)
    if not incident.measured:
        since = say("began %(moment)s, not measured now", moment=moment)
    line = f"[#{incident.id}] {_title(incident, view)} ({since})"
    is_known = any(update.what is EntryKind.ACKED for update in incident.updates)
    return f"{line} ✔ {say('Acknowledged')}" if is_known else line


def _title(incident: IncidentView, view: PageView) -> str:
    """Name the service as well: on the page the base URL stands below its own."""
    services = {endpoint.split("/", 1)[0] for endpoint in incident.endpoints}
    names = [service.name for service in view.services if service.id in services]
    if not incident.severity.is_of_base_urls or len(names) != 1:
        return incident.title
    return view.language.gettext("%(service)s, %(place)s", service=names[0], place=incident.title)


def details(incident: Incident, page: PageView, zone: tzinfo) -> str:
    """Return all that is known of an incident, for an operator: with evidence, and with who did what."""
    say, moment = page.language.gettext, page.language.moment
    view = next((shown for shown in page.incidents if shown.id == incident.id), None)
    if view is None:
        return no_incident(incident.id, page.language)
    lines = [
        f"[#{incident.id}] {_title(view, page)}",
        _span(view, page.language, zone),
        view.what,
        *_observed(incident, page),
        *([say("To do: %(remedy)s", remedy=view.do)] if view.do else []),
        "",
    ]
    pairs = zip(incident.account[-_ENTRIES:], view.updates[:_ENTRIES][::-1], strict=False)
    for entry, update in pairs:
        by = f" ({entry.text})" if entry.what is EntryKind.ACKED and entry.text else ""
        lines.append(f"{moment(update.at, zone)} {update.label}: {update.text}{by}")
    return "\n".join(lines)


def _observed(incident: Incident, page: PageView) -> Iterator[str]:
    """Yield what was observed, of each base URL where they fail for different reasons."""
    if len(incident.kinds) == 1:
        yield page.language.gettext("Seen: %(seen)s", seen=_seen(incident.failure, page.language))
        return
    endpoints = [endpoint for service in page.services for endpoint in service.endpoints]
    names = {endpoint.path: endpoint.name for endpoint in endpoints}
    for path, failure in incident.reasons.items():
        yield page.language.gettext(
            "%(where)s: %(why)s", where=names.get(path, path), why=_seen(failure, page.language)
        )


def no_incident(number: int, language: Language) -> str:
    return language.gettext("There is no incident #%(number)s.", number=number)


def is_over(incident: Incident, language: Language, zone: tzinfo) -> str:
    assert incident.closed is not None
    return language.gettext(
        "Incident #%(number)s has been over since %(moment)s; nothing was done.",
        number=incident.id,
        moment=language.moment(incident.closed, zone),
    )


def is_known(incident: Incident, language: Language) -> str:
    by = next((each.text for each in incident.timeline if each.what is EntryKind.ACKED), "")
    return language.gettext(
        "Incident #%(number)s was acknowledged before: %(by)s", number=incident.id, by=by or "-"
    )


def acknowledged(number: int, who: str, language: Language) -> str:
    return language.gettext(
        "%(who)s acknowledged incident #%(number)s: no more reminders; you will be told when it is over.",
        number=number,
        who=who,
    )


def silenced(
    target: str, until: datetime | None, who: str, language: Language, zone: tzinfo
) -> str:
    """Say that a target is silenced; `until` is None where a silence was ended."""
    what = language.gettext("everything") if target == "*" else target
    if until is None:
        return language.gettext("%(who)s ended the silence of %(target)s.", target=what, who=who)
    return language.gettext(
        "%(target)s is silenced until %(moment)s by %(who)s.",
        target=what,
        moment=language.moment(until, zone),
        who=who,
    )


def is_silenced(incident: Incident, language: Language) -> str:
    return language.gettext(
        "Incident #%(number)s needs no silence: it has one, or is the monitor's own.",
        number=incident.id,
    )


def asked_for(check: Check, language: Language) -> str:
    return language.gettext("%(check)s is asked; the answer follows.", check=check.key)


def checked(check: Check, result: Result | None, language: Language) -> str:
    say = language.gettext
    if result is None:
        return say("No result of %(check)s has come; the log may say why.", check=check.key)
    word = {
        Outcome.UP: say("up"),
        Outcome.DEGRADED: say("degraded"),
        Outcome.DOWN: say("down"),
        Outcome.UNKNOWN: say("unknown"),
    }[result.outcome]
    line = f"{check.key}: {word}"
    if result.failure:
        kind = result.failure.kind
        line += f", {language.words(kind).what}\n" + say(
            "Seen: %(seen)s", seen=_seen(result.failure, language)
        )
    elif result.timings.total is not None:
        line += ", " + say("%(num)s ms", num=round(result.timings.total))
    return line


def unknown(name: str, known: Iterable[str], language: Language) -> str:
    names = list(dict.fromkeys(known))
    return language.gettext(
        'Nothing is called "%(name)s". There are: %(names)s',
        name=name[:80],
        names=_short_list(names),
    )


def _short_list(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "")


def too_old(text: str, minutes: int, language: Language) -> str:
    return language.gettext(
        "%(text)s: nothing was done, because it reached me more than %(num)s minutes after it was"
        " written. Write it again if it still holds.",
        text=text[:60],
        num=minutes,
    )


def stale_button(language: Language) -> str:
    return language.gettext(
        "Nothing was done: nobody listened for a while, so it is not known when this was pressed."
        " Press it again."
    )


def not_done(language: Language) -> str:
    return language.gettext("That could not be done now. The monitor's log says why.")


def not_for_you(language: Language) -> str:
    return language.gettext("This bot takes commands from its operators alone.")


def too_many(language: Language) -> str:
    return language.gettext("Too many commands; some are left out for a minute.")


def conflict(channel: str, language: Language) -> str:
    """Return the notice that another program listens to the bot; the first line is the title."""
    say = language.gettext
    title = say(
        "monitor: another program reads the messages of channel %(name)s's bot", name=channel
    )
    return "\n".join(
        [
            f"👁 {title}",
            say(
                "Until that ends, its commands and buttons may do nothing. Alerts go out all the same."
            ),
            say(
                "To do: %(remedy)s",
                remedy=say("Give this daemon a bot of its own, or end the other program."),
            ),
        ]
    )


def _seen(failure: Failure, language: Language) -> str:
    return f"{break_mentions(language.observed(failure.message))} ({failure.kind.value})"
