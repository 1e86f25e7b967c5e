"""The parts of a message in the reader's language: names, times, reasons, what to use instead. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from unicodedata import east_asian_width

from monitor.alerts.alternatives import Alternative, Alternatives, Others
from monitor.alerts.downtime import bad_for
from monitor.alerts.incidents import TOGETHER, endpoint_of
from monitor.language import ENGLISH, MOST_REASONS, Language, marked
from monitor.model import Incident, Message, Severity, Unmeasured
from monitor.model.failure import FailureKind, Fault, Group, in_sentence

_COLUMNS = 42
"""Letters of a line on a phone; a Chinese character is as wide as two."""
_ROWS = 6
"""Lines of a phone that one incident should take."""
_WORDS = re.compile(r"[!-~\xa0]+ ?| |.")
_TITLE = 200
_NAMED = 2
"""Base URLs that a title names; of more it says how many."""
_LISTED = 6
MARK = {
    Severity.DOWN: "🔴",
    Severity.PARTIAL: "🟠",
    Severity.DEGRADED: "🟡",
    Severity.ACCOUNT: "🔑",
    Severity.MONITOR: "👁",
}
_STATE = {
    Severity.DOWN: marked("down"),
    Severity.PARTIAL: marked("down from some places"),
    Severity.DEGRADED: marked("degraded"),
    Severity.ACCOUNT: marked("refused over key or account"),
    Severity.MONITOR: marked("out of sight"),
}
_STATE_FROM = {
    Severity.DOWN: marked("down from %(places)s"),
    Severity.PARTIAL: marked("down from %(places)s"),
    Severity.DEGRADED: marked("degraded from %(places)s"),
}
_STATE_FROM_ALL = {
    Severity.DOWN: marked("down from all places"),
    Severity.DEGRADED: marked("degraded from all places"),
}
_WHOSE = {
    Fault.ENDPOINT: marked("base URL"),
    Fault.PATH: marked("network path"),
    Fault.ACCOUNT: marked("account or key"),
    Fault.MONITOR: marked("monitor itself"),
}
_OTHERS = {
    Others.NONE: marked("This service has no other base URL."),
    Others.DOWN: marked("No other base URL works from here now."),
    Others.FAULTY: marked("Every other base URL has a fault now."),
    Others.UNKNOWN: marked("No other base URL is known to work now."),
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
    places: Mapping[str, str] = field(default_factory=dict)
    """Vantage -> name, of those that have one."""
    well_from: tuple[str, ...] = ()
    """The vantages from which all works that the incident says is bad from others."""
    silent: Mapping[str, datetime | None] = field(default_factory=dict)
    """Vantages that saw it bad and say nothing of it now -> when each saw it bad last, where that is known."""
    use_from: str | None = None
    """The vantage that the alternatives were measured from, where it is not the daemon's own."""
    language: Language = ENGLISH
    timezone: tzinfo = UTC
    """Of the times that people read; UTC stands beside them where it differs."""

    def say(self, sentence: str, /, **values: object) -> str:
        return self.language.gettext(sentence, **values)


def message(title: str, lines: Sequence[str]) -> Message:
    """Make a message of a title, which becomes one line of at most 200 characters, and lines."""
    line = " ".join(title.split())
    return Message(line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…", "\n".join(lines))


# --- which and what --------------------------------------------------------------------------------


def where(incident: Incident, context: Context) -> str:
    """Return `OhMyGPT, Cloudflare CDN`, or `OhMyGPT, 3 base URLs`: those that are bad, or that recovered."""
    if incident.service is None:
        return context.say("monitor")
    service = context.services.get(incident.service, incident.service)
    gone = {endpoint_of(check) for check in incident.unwatched}
    recovered = tuple(path for path in incident.endpoints if path not in gone)
    paths = incident.bad_endpoints or recovered or incident.endpoints
    if incident.severity is Severity.ACCOUNT and not incident.is_unwatched:
        return service
    return context.say("%(service)s, %(place)s", service=service, place=place_of(paths, context))


def place_of(paths: Sequence[str], context: Context) -> str:
    """Return `CDN and Worker`, or of more how many they are."""
    if len(paths) <= _NAMED:
        return context.language.listed([name(path, context) for path in paths])
    return context.language.ngettext("%(num)s base URL", "%(num)s base URLs", len(paths))


def name(path: str, context: Context) -> str:
    return context.endpoints.get(path, (path.rsplit("/", 1)[-1], ""))[0]


def state(incident: Incident, context: Context) -> str:
    """Say how bad it is, or was: the vantages of its end need not be those that saw it bad all the time."""
    if incident.closed and any(entry.vantage for entry in incident.timeline):
        return context.say(_STATE[incident.severity])
    if incident.severity in _STATE_FROM_ALL and _is_seen_by_all(incident, context):
        return context.say(_STATE_FROM_ALL[incident.severity])
    if incident.places and incident.severity in _STATE_FROM:
        if incident.differs_by_place:  # `concerned` says of each from where
            return context.say(_STATE[incident.severity])
        heard = [place for place in incident.places if place not in context.silent]
        places = places_named(heard or incident.places, context)
        return context.say(_STATE_FROM[incident.severity], places=places)
    return context.say(marked("blind") if incident.service is None else _STATE[incident.severity])


def recovered(incident: Incident, context: Context) -> str:
    """Say of one that is over how bad it was and for how long: of an outage, how long it was down, and how long from some places only."""
    bad, partial = bad_for(incident)
    facts = {"where": where(incident, context), "state": state(incident, context)}
    if partial <= TOGETHER:  # not all places look at the same moment
        sentence = marked("%(where)s: recovered, was %(state)s for %(lasted)s")
        return context.say(sentence, lasted=lasted(bad, context), **facts)
    return context.say(
        "%(where)s: recovered, was %(state)s for %(lasted)s, and from some places only for %(partial)s",
        lasted=lasted(bad, context),
        partial=lasted(partial, context),
        **facts,
    )


def _whence(incident: Incident, context: Context) -> list[str]:
    """Return from where each base URL is bad where that is not the same of all, in one line those that are alike."""
    if not incident.differs_by_place or incident.severity not in _STATE_FROM:
        return []
    alike: dict[tuple[str, ...], list[str]] = {}
    for path, places in incident.bad_from_by_endpoint.items():
        heard = tuple(place for place in places if place not in context.silent)
        alike.setdefault(heard or places, []).append(path)
    lines = []
    for places, paths in alike.items():
        is_of_all = {*places} - {*context.silent} == {
            *context.places
        } and incident.severity in _STATE_FROM_ALL
        sentence = (_STATE_FROM_ALL if is_of_all else _STATE_FROM)[incident.severity]
        why = context.say(sentence, places=places_named(places, context))
        lines.append(context.say("%(where)s: %(why)s", where=place_of(paths, context), why=why))
    return lines


def _is_seen_by_all(incident: Incident, context: Context) -> bool:
    """Say whether several look, and each sees all of it bad now."""
    if context.silent:
        return False
    bad_from = [{*incident.bad_from.get(check, ())} for check in incident.active]
    return any(bad_from) and all(places == {*context.places} for places in bad_from)


def is_unmeasured(incident: Incident, context: Context) -> bool:
    """Say whether nothing is known now of any check that the incident takes for bad."""
    return bool(incident.active) and incident.active <= context.unmeasured.keys()


def concerned(incident: Incident, context: Context) -> list[str]:
    """Return the base URLs that the title only counts, and those of all that are not measured now."""
    paths = incident.bad_endpoints
    if incident.severity is Severity.ACCOUNT or incident.service is None:
        return []
    unseen = [
        path
        for path in paths
        if all(
            check in context.unmeasured for check in incident.active if endpoint_of(check) == path
        )
    ]
    lines = _whence(incident, context)
    if context.well_from:
        places = places_named(context.well_from, context)
        lines.append(context.say("Works from %(places)s.", places=places))
    for vantage, at in context.silent.items():
        place = places_named([vantage], context)
        last = context.say("Last heard bad from %(place)s.", place=place)
        if at is not None:
            last = context.say(
                "Last heard bad from %(place)s at %(moment)s.",
                place=place,
                moment=moment(at, context),
            )
        lines.append(last)
    if len(paths) > _NAMED:
        names = listed([name(path, context) for path in paths], context)
        lines.append(context.say("Concerned: %(names)s", names=names))
    if unseen and not is_unmeasured(incident, context):
        names = listed([name(path, context) for path in unseen], context)
        lines.append(context.say("Not measured now: %(names)s", names=names))
    return lines


def places_named(vantages: Sequence[str], context: Context) -> str:
    return listed([context.places.get(vantage, vantage) for vantage in vantages], context)


# --- what to use -----------------------------------------------------------------------------------


def instead(incident: Incident, context: Context) -> list[str]:
    """Return the base URL to use, or what is known of the others, or what to do where no other helps.

    A certificate that is not trusted brings the warning not to send a key there.
    """
    language = context.language
    if incident.severity in {Severity.ACCOUNT, Severity.MONITOR} or incident.cause == "certificate":
        remedies = {kind: language.words(kind).remedy for kind in incident.kinds}
        return _of_which(incident, remedies, context)
    named = context.alternatives.named
    use = _use(named[0], context) if named else _no_other(context)
    certificates = [kind for kind in incident.kinds if kind.row.group is Group.CERTIFICATE]
    warnings = {kind: language.advice(kind) for kind in certificates}
    return [use, *_of_which(incident, warnings, context)]


def _of_which(incident: Incident, said: Mapping[FailureKind, str], context: Context) -> list[str]:
    """Return each sentence once, and before it the base URLs that it is about where it is not about all."""
    lines = []
    for sentence in dict.fromkeys(filter(None, said.values())):
        paths = [path for path, why in incident.reasons.items() if said.get(why.kind) == sentence]
        is_of_all = len(paths) == len(incident.reasons)
        place = place_of(paths, context)
        lines.append(
            sentence if is_of_all else context.say("%(where)s: %(why)s", where=place, why=sentence)
        )
    return lines


def _no_other(context: Context) -> str:
    others = context.alternatives.others
    if context.use_from is None or others is Others.NONE:
        return context.say(_OTHERS[others])
    place = context.places.get(context.use_from, context.use_from)
    return context.say("No other base URL is known to work from %(place)s now.", place=place)


def _use(alternative: Alternative, context: Context) -> str:
    """Return `Use https://direct.example (TTFT 420 ms)`."""
    time = (
        context.say("%(num)s ms", num=f"{alternative.milliseconds:.0f}")
        if alternative.milliseconds < 1000
        else context.say("%(num)s s", num=f"{alternative.milliseconds / 1000:.2g}")
    )
    sentence = marked("Use %(url)s (answers in %(time)s)")
    if alternative.is_first_token:
        sentence = marked("Use %(url)s (TTFT %(time)s)")
    use = context.say(sentence, url=alternative.url, time=time)
    if context.use_from is None:
        return use
    place = context.places.get(context.use_from, context.use_from)
    return context.say("From %(place)s: %(use)s", place=place, use=use)


# --- why, whose fault, evidence --------------------------------------------------------------------


def label(kind: FailureKind, context: Context) -> str:
    return in_sentence(context.language.words(kind).label)


def whose(kinds: Sequence[FailureKind], context: Context) -> str:
    """Say whose fault it is: the path's where nothing comes back and others get their answers meanwhile."""
    faults = dict.fromkeys(
        Fault.PATH
        if context.well_from and kind.row.is_of_path_if_others_get_through
        else kind.fault
        for kind in kinds
    )
    return context.language.listed([context.say(_WHOSE[fault]) for fault in faults])


def reasons(incident: Incident, context: Context) -> str:
    """Return why it is bad as it stands within a sentence, of each base URL where it is not the same of all."""
    kinds, language = incident.kinds, context.language
    if not 1 < len(kinds) <= MOST_REASONS:
        return language.reasons(kinds)
    labels = {kind: label(kind, context) for kind in kinds}
    return language.listed(_of_which(incident, labels, context))


def evidence(incident: Incident, beside: Sequence[str], context: Context) -> list[str]:
    """Return what was observed, where that is more than the reason, cut to the lines of a phone that are left.

    One line is always left. Where base URLs fail for different reasons, it would be true of one of them only.
    """
    seen = context.language.observed(incident.failure.message)
    is_of_all = len(incident.kinds) == 1
    if not is_of_all or seen == context.language.words(incident.failure.kind).label:
        return []
    line, room = (
        context.say("Seen: %(seen)s", seen=seen.removeprefix("got ")),
        max(1, _ROWS - sum(map(rows, beside))),
    )
    if rows(line) > room:
        line = line.rpartition(context.say(", want "))[0] or line
    if rows(line) <= room:
        return [line]
    end = next(end for end in range(len(line), 0, -1) if rows(f"{line[:end]}…") <= room)
    return [f"{line[:end].rstrip()}…"]


def rows(text: str) -> int:
    """Return how many lines of a phone a line takes: words stay whole where they fit, and Chinese breaks anywhere."""
    taken, column = 1, 0
    for word in _WORDS.findall(text):
        width = columns(word.rstrip(" "))
        if column and column + width > _COLUMNS:
            taken, column = taken + 1, 0
        wrapped = max(0, width - 1) // _COLUMNS
        taken += wrapped
        column += columns(word) - wrapped * _COLUMNS
    return taken


def columns(text: str) -> int:
    return sum(2 if east_asian_width(char) in {"W", "F"} else 1 for char in text)


def counted(failed_runs: Mapping[str, int], context: Context) -> list[str]:
    """Return `12 failed runs: 7 bad gateway, 5 reset during TLS`."""
    pairs = sorted(failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
    if not pairs:
        return []
    kinds = [
        context.say("%(num)s %(kind)s", num=runs, kind=label(FailureKind(kind), context))
        for kind, runs in pairs
    ]
    return [context.say("Failed runs: %(kinds)s", kinds=listed(kinds, context))]


def downtime(context: Context) -> list[str]:
    if not context.downtime:
        return []
    return [context.say("Down this month: %(lasted)s.", lasted=lasted(context.downtime, context))]


def link_to(incident: Incident, context: Context) -> str | None:
    return f"{context.page_url}/incidents/{incident.id}/" if context.page_url else None


def closing(incident: Incident | None, context: Context) -> list[str]:
    """Return what ends a message: the page of the incident, and that a restart would forget it."""
    address = link_to(incident, context) if incident else None
    lines = [address] if address else []
    if not context.durable:
        lines.append(context.say("Not durable: nothing can be stored at the moment."))
    return lines


# --- lists and times -------------------------------------------------------------------------------


def listed(items: Sequence[str], context: Context) -> str:
    comma = context.language.pgettext("between items of a list", ", ")
    more = len(items) - _LISTED
    shown = comma.join(items[:_LISTED])
    return context.say("%(shown)s and %(num)s more", shown=shown, num=more) if more > 0 else shown


def moment(at: datetime, context: Context) -> str:
    return context.language.moment(at, context.timezone)


def lasted(duration: timedelta, context: Context) -> str:
    """Return a duration in two units at most: `2h18m`, `45s`."""
    left = max(0, round(duration.total_seconds()))
    shown: list[str] = []
    for seconds, unit in _UNITS:
        number, rest = divmod(left, seconds)
        if number and len(shown) < 2:
            shown.append(context.say(unit, num=number))
            left = rest
        elif shown:
            break
    return "".join(shown) or context.say("%(num)ss", num=0)
