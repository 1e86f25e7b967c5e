"""Incidents as the page tells them: plain words only, no text from an endpoint. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from monitor.language import Language
from monitor.model import EntryKind, Incident, Severity, TimelineEntry, clean_text
from monitor.model.failure import FailureKind
from monitor.page import formatting
from monitor.page.states import State

STATES = {
    Severity.DOWN: State.MAJOR,
    Severity.DEGRADED: State.DEGRADED,
    Severity.ACCOUNT: State.UNKNOWN,
    Severity.MONITOR: State.UNKNOWN,
}
_NOTE = 1000
"""Characters of an operator's note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateView:
    what: EntryKind
    label: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    id: int
    title: str
    state: State
    severity: Severity
    phase: str
    opened: datetime
    closed: datetime | None
    lasted: str
    kind: FailureKind
    label: str
    text: str
    remedy: str
    endpoints: tuple[str, ...]
    """`service/endpoint`."""
    instead: str | None
    updates: tuple[UpdateView, ...]
    """Newest first."""
    shown: tuple[UpdateView, ...]
    """The same for people: what spread within one minute is one entry."""
    failed: tuple[tuple[str, int], ...]

    @property
    def note(self) -> UpdateView | None:
        """What a person wrote last."""
        return next((each for each in self.updates if each.what is EntryKind.NOTE), None)


class IncidentViews:
    """Tells in one language, and remembers what is over: it is told the same way again.

    `names` maps a service, each `service/endpoint` and each check to its name.
    """

    def __init__(self, names: Mapping[str, str], language: Language) -> None:
        self.names, self.language = names, language
        self._all: dict[str, set[str]] = {}
        for path in names:
            self._all.setdefault(path.split("/")[0], set()).update(
                [path] if path.count("/") == 1 else []
            )
        self._over: dict[int, tuple[Incident, IncidentView]] = {}

    def stories(
        self,
        incidents: Iterable[Incident],
        instead: Callable[[Incident], str | None],
        now: datetime,
    ) -> tuple[IncidentView, ...]:
        """`instead` finds what to use while one lasts."""
        before, self._over = self._over, {}
        found = []
        for incident in incidents:
            kept = before.get(incident.id)
            if kept is None or kept[0] != incident:
                meanwhile = None if incident.closed else instead(incident)
                kept = incident, self.story(incident, meanwhile, now)
            if incident.closed:
                self._over[incident.id] = kept
            found.append(kept[1])
        return tuple(found)

    def story(self, incident: Incident, instead: str | None, now: datetime) -> IncidentView:
        kind, say = incident.failure.kind, self.language.gettext
        found = self.language.words(kind)
        counted = sorted(incident.failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
        fault = say("At fault: %(whose)s.", whose=self.language.whose(kind.fault))
        paths = incident.severity in {Severity.DOWN, Severity.DEGRADED}
        return IncidentView(
            id=incident.id,
            title=self._title(incident),
            state=STATES[incident.severity],
            severity=incident.severity,
            phase=say("Resolved") if incident.closed else say("Ongoing"),
            opened=incident.opened,
            closed=incident.closed,
            lasted=formatting.duration((incident.closed or now) - incident.opened, self.language),
            kind=kind,
            label=found.label,
            text=f"{found.what}{self.language.space}{fault}",
            remedy=self._remedy(incident),
            endpoints=incident.endpoints,
            instead=instead if paths and not incident.closed else None,
            updates=tuple(self._update([entry], kind) for entry in reversed(incident.timeline)),
            shown=tuple(self._update(entries, kind) for entries in _together(incident.timeline))[
                ::-1
            ],
            failed=tuple(
                (self.language.words(FailureKind(name)).label, runs) for name, runs in counted
            ),
        )

    def _title(self, incident: Incident) -> str:
        say = self.language.gettext
        label = self.language.reasons(incident.kinds)
        if incident.service is None:
            return (
                say("We could not see: %(why)s", why=label) if incident.closed
                else say("We cannot see: %(why)s", why=label)
            )  # fmt: skip
        paths = incident.endpoints
        where = self.names.get(incident.service, incident.service)
        if incident.severity is not Severity.ACCOUNT:
            where = (
                self.names.get(paths[0], paths[0]) if len(paths) == 1
                else self.language.ngettext("%(num)s base URL", "%(num)s base URLs", len(paths))
            )  # fmt: skip
        return say("%(where)s: %(why)s", where=where, why=label)

    def _remedy(self, incident: Incident) -> str:
        """Not another base URL where the incident covers all of them."""
        kind = incident.failure.kind
        all_of_it = self._all.get(incident.service or "", set())
        if "base URL" in kind.row.remedy and all_of_it <= set(incident.endpoints):
            return self.language.gettext("Try again later.")
        return self.language.words(kind).remedy

    def _update(self, entries: Sequence[TimelineEntry], cause: FailureKind) -> UpdateView:
        """Of one entry, or of those that spread together; why only where it is not the incident's cause."""
        say, where, entry = self.language.gettext, self._where(entries), entries[0]
        news = entry.kind and (entry.what is not EntryKind.JOINED or entry.kind is not cause)
        why = (
            f"{self.language.space}{self.language.words(entry.kind).what}"
            if entry.kind and news
            else ""
        )
        label, text = {
            EntryKind.OPENED: (say("Began"), say("%(where)s failed.", where=where) + why),
            EntryKind.JOINED: (say("Spread"), say("%(where)s failed as well.", where=where) + why),
            EntryKind.CAUSE: (say("Changed"), say("%(where)s now fails otherwise.", where=where) + why),
            EntryKind.LEFT: (say("Better"), say("%(where)s works again.", where=where)),
            EntryKind.RESOLVED: (say("Resolved"), say("Everything works again.")),
            EntryKind.REMINDED: (say("Still going on"), say("The operator was reminded.")),
            EntryKind.MUTED: (say("Muted"), say("Messages are muted.")),
            EntryKind.ACKED: (say("Acknowledged"), say("The operator knows.")),
            EntryKind.NOTE: (say("Note"), clean_text(entry.text, _NOTE)),
        }[entry.what]  # fmt: skip
        return UpdateView(what=entry.what, label=label, at=entry.at, text=text)

    def _where(self, entries: Sequence[TimelineEntry]) -> str:
        """`Cloudflare CDN (models and chat)`."""
        calls: dict[str, list[str]] = {}
        for entry in entries:
            if entry.check is None:
                return self.language.gettext("It")
            path, probe = entry.check.rsplit("/", 1)
            call = self.names.get(entry.check, probe)
            calls.setdefault(self.names.get(path, path), []).append(call)
        say, listed = self.language.gettext, self.language.listed
        return listed(
            [
                say("%(where)s (%(call)s)", where=where, call=listed(found))
                for where, found in calls.items()
            ]
        )


def _together(timeline: Sequence[TimelineEntry]) -> Iterator[list[TimelineEntry]]:
    """Entries that spread for one reason within one minute; every other one alone."""

    def same(numbered: tuple[int, TimelineEntry]) -> tuple[object, ...]:
        number, entry = numbered
        joined = entry.what is EntryKind.JOINED
        return (entry.kind, entry.at.replace(second=0, microsecond=0)) if joined else (number,)

    for _, group in groupby(enumerate(timeline), key=same):
        yield [entry for _, entry in group]
