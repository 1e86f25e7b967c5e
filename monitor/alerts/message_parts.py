"""Words for the parts of a message, in the reader's language. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.language import ENGLISH, Language, marked
from monitor.model import Incident, Severity
from monitor.model.failure import FailureKind, in_sentence

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
_UNITS = (
    (86_400, marked("%(num)sd")),
    (3600, marked("%(num)sh")),
    (60, marked("%(num)sm")),
    (1, marked("%(num)ss")),
)


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
    language: Language = ENGLISH

    def say(self, sentence: str, /, **values: object) -> str:
        return self.language.gettext(sentence, **values)


def state(severity: Severity, context: Context) -> str:
    return context.language.gettext(_STATE[severity])


def where(incident: Incident, context: Context) -> str:
    """`OhMyGPT, Cloudflare CDN`, or `OhMyGPT, 3 base URLs`."""
    say = context.language
    if incident.service is None:
        return say.gettext("monitor")
    service = context.services.get(incident.service, incident.service)
    if incident.severity is Severity.ACCOUNT:
        return service
    paths = incident.endpoints
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
    """The message of a failure stays as it is: it is evidence."""
    failure, say = incident.failure, context.language
    words = say.words(failure.kind)
    fault = say.gettext("At fault: %(whose)s.", whose=say.whose(failure.fault))
    return [
        say.gettext("Why: %(what)s", what=f"{words.what}{say.space}{fault}"),
        say.gettext("Seen: %(seen)s", seen=f"{failure.message} ({failure.kind.value})"),
        say.gettext("To do: %(remedy)s", remedy=words.remedy),
    ]


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
    return [
        context.language.gettext(
            "Concerned: %(names)s (checks: %(kinds)s)",
            names=listed(names, context),
            kinds=listed(kinds, context),
        )
    ]


def instead(incident: Incident, context: Context) -> list[str]:
    say = context.language.gettext
    if incident.severity in {Severity.ACCOUNT, Severity.MONITOR}:
        return []
    if not context.working:
        return [say("No other base URL of this service works from here right now.")]
    return [say("Use instead: %(urls)s", urls=listed(context.working, context))]


def counted(failed_runs: Mapping[str, int], context: Context) -> list[str]:
    pairs = sorted(failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
    if not pairs:
        return []
    kinds = [f"{runs} {label(FailureKind(kind), context)}" for kind, runs in pairs]
    total = sum(failed_runs.values())
    say = context.language.gettext
    return [say("Failed probes: %(num)s (%(kinds)s)", num=total, kinds=listed(kinds, context))]


def downtime(context: Context) -> list[str]:
    if not context.downtime:
        return []
    say = context.language.gettext
    return [say("Down this month: %(lasted)s.", lasted=lasted(context.downtime, context))]


def link(incident: Incident, context: Context) -> list[str]:
    return [f"{context.page_url}/incidents/{incident.id}/"] if context.page_url else []


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
