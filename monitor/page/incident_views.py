"""Incidents as the page tells them: plain words only, no text from an endpoint. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from monitor.language import Language, marked
from monitor.model import (
    NOT_HEARD,
    UNWATCHED,
    EntryKind,
    Fault,
    Gap,
    Incident,
    Severity,
    TimelineEntry,
    clean_text,
)
from monitor.model.failure import FailureKind, in_sentence
from monitor.page import formatting
from monitor.page.render_cache import RenderCache
from monitor.page.states import WORKING, State
from monitor.page.view_models import IncidentView, UpdateView, VantageView

STATES = {
    Severity.DOWN: State.MAJOR,
    Severity.PARTIAL: State.PARTIAL,
    Severity.DEGRADED: State.DEGRADED,
    Severity.ACCOUNT: State.UNKNOWN,
    Severity.MONITOR: State.UNKNOWN,
}
_VOTES = re.compile(r"(\d+) of (\d+)")
_NOTE = 1000
_WITH_REASON = {EntryKind.OPENED, EntryKind.JOINED, EntryKind.CAUSE, EntryKind.HEARD_LATE}
"""Characters of an operator's note."""


def reader_of(incident: Incident, vantages: Sequence[VantageView]) -> VantageView | None:
    """Return the place whose people are told what to use instead; None where only one looks.

    It is one that sees it bad: the monitor's own, else one where users sit, as in messages.
    """
    bad = [vantage for vantage in vantages if vantage.id in incident.places]
    own = vantages[0].id if vantages else ""
    order = [(vantage.id != own, not vantage.is_main, vantage.id) for vantage in bad]
    return bad[order.index(min(order))] if bad else None


def well_from(incident: Incident, vantages: Sequence[VantageView]) -> list[VantageView]:
    """Return the places from which all works now that is down from others."""
    if not incident.is_of_path:
        return []
    active = [check.rpartition("/") for check in sorted(incident.active)]
    return [
        vantage
        for vantage in vantages
        if vantage.id not in incident.places
        and all(
            path in vantage.by_path
            and probe in vantage.by_path[path].checks
            and vantage.by_path[path].checks[probe].state in WORKING
            for path, _, probe in active
        )
    ]


class IncidentViews:
    """Words incidents in one language. Those that are over do not change.

    `names` maps a service, each `service/endpoint` and each check to its name; `vantages` are the places
    that probe, where there are several.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        language: Language,
        cache: RenderCache,
        vantages: Sequence[VantageView] = (),
        shown: VantageView | None = None,
    ) -> None:
        """Word them for a page of one place, `shown`, or of all."""
        self.names, self.language, self._cache = names, language, cache
        self._vantages = vantages
        self._sights = (shown,) if shown else vantages
        self._places = {vantage.id: vantage.name for vantage in vantages}

    def views(
        self,
        incidents: Iterable[Incident],
        instead: Callable[[Incident], str | None],
        now: datetime,
        gaps: Mapping[int, Gap],
    ) -> tuple[IncidentView, ...]:
        """Return the views of all of them, in the same order.

        `instead` finds what to use while one lasts, `gaps` holds by number those of which nothing can be measured now.
        """
        return tuple(
            self._over(incident, now)
            if incident.closed
            else self.view(incident, instead(incident), now, gaps.get(incident.id))
            for incident in incidents
        )

    def _over(self, incident: Incident, now: datetime) -> IncidentView:
        key = "incident", self.language.code, incident.id
        inputs = incident, self.names, self._places
        return self._cache.keep(key, inputs, lambda: self.view(incident, None, now))

    def view(
        self, incident: Incident, instead: str | None, now: datetime, gap: Gap | None = None
    ) -> IncidentView:
        """View an incident; `gap` says since when and why nothing of it is measured, where it goes on and nothing is."""
        kind = incident.kinds[0]
        timeline = incident.account
        reader = reader_of(incident, self._sights)
        return IncidentView(
            id=incident.id,
            title=self._title(incident),
            state=STATES[incident.severity],
            severity=incident.severity,
            phase=self._phase(incident, gap),
            opened=formatting.whole_second(incident.opened),
            closed=incident.closed and formatting.whole_second(incident.closed),
            lasted=formatting.duration((incident.closed or now) - incident.opened, self.language),
            kinds=incident.kinds,
            measured=gap is None,
            what=self.language.space.join(self._what(incident, gap)),
            do="" if incident.closed else self._remedy(incident, other=bool(instead)),
            endpoints=incident.endpoints,
            instead=instead,
            places=incident.places if incident.closed is None else (),
            instead_from=reader.name if reader and incident.severity.is_of_base_urls else "",
            says_instead=incident.closed is None and incident.severity.is_of_base_urls,
            updates=tuple(self._update([entry], kind, incident) for entry in reversed(timeline)),
            shown=tuple(self._update(entries, kind, incident) for entries in _together(timeline))[
                ::-1
            ],
            failed_runs=self._failed_runs(incident),
        )

    def _what(self, incident: Incident, gap: Gap | None) -> Iterator[str]:
        """Say what it is and whose fault; of what is over or not measured now, what it was."""
        if gap is None:
            yield from self._reasons(incident, is_past=incident.closed is not None)
            yield from self._whose(incident)
            return
        silent = [
            vantage.why_unseen
            for vantage in self._sights
            if vantage.id in incident.places and not vantage.sees
        ]
        since = formatting.moment(gap.since, self.language) if gap.since else ""
        yield from silent or [self.language.unmeasured(gap.kinds, since)]
        for reason in self._reasons(incident, is_past=True):
            yield self.language.gettext("Before: %(what)s", what=in_sentence(reason))

    def _means(self, kind: FailureKind, *, is_past: bool) -> str:
        """Say what a failure means, or meant; where several places look, not as if it was seen from here."""
        if is_past:
            return self.language.was(kind)
        there = kind.row.what_there if self._vantages else ""
        return self.language.gettext(there) if there else self.language.words(kind).what

    def _reasons(self, incident: Incident, *, is_past: bool) -> Iterator[str]:
        """Say what the failures mean, and of which base URLs each where it is not the same of all."""
        if len(incident.kinds) == 1:
            yield self._means(incident.kinds[0], is_past=is_past)
            return
        paths: dict[FailureKind, list[str]] = {}
        for path, failure in incident.reasons.items():
            paths.setdefault(failure.kind, []).append(self.names.get(path, path))
        for kind, names in paths.items():
            sentence = marked("%(where)s: %(why)s")
            where = self.language.listed(names)
            why = self._means(kind, is_past=is_past)
            yield self.language.gettext(sentence, where=where, why=why)

    def _remedy(self, incident: Incident, *, other: bool) -> str:
        """Say what to do, once for all reasons that have the same remedy."""
        remedies = (formatting.remedy(kind, self.language, other=other) for kind in incident.kinds)
        return self.language.space.join(dict.fromkeys(remedies))

    def _whose(self, incident: Incident) -> Iterator[str]:
        """Say whose fault it is, from where all is well meanwhile, and who saw it bad and is not heard now."""
        say = self.language.gettext
        well = [] if incident.closed else well_from(incident, self._vantages)
        names, whence = (
            self._listed(vantage.id for vantage in well),
            self._whence(self._heard(incident)),
        )
        is_of_path = all(kind.row.is_of_path_if_others_get_through for kind in incident.kinds)
        faults = dict.fromkeys(kind.fault for kind in incident.kinds)
        if well and is_of_path:
            others = self._whence(vantage.id for vantage in well)
            sentence = marked("It is blocked on the way %(whence)s: it works %(others)s.")
            yield say(sentence, whence=whence, others=others)
        elif self._vantages and incident.places and [*faults] == [Fault.PATH]:
            yield say("At fault: the network path %(whence)s, not the service.", whence=whence)
        else:
            whose = self.language.listed([self.language.whose(fault) for fault in faults])
            yield say("At fault: %(whose)s.", whose=whose)
        if well and not is_of_path:
            yield say("Works from %(places)s.", places=names)
        for place in incident.places:
            if place not in self._heard(incident):
                yield say("Last heard bad from %(place)s.", place=self._listed([place]))
        if incident.closed is None and incident.differs_by_place:
            yield from self._of_each(incident)

    def _of_each(self, incident: Incident) -> Iterator[str]:
        """Say from where each base URL fails."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for path, places in incident.bad_from_by_endpoint.items():
            alike.setdefault(places, []).append(self.names.get(path, path))
        for places, names in alike.items():
            where, whence = self.language.listed(names), self._whence(places)
            yield self.language.ngettext(
                "%(where)s fails %(whence)s.",
                "%(where)s fail %(whence)s.",
                len(names),
                where=where,
                whence=whence,
            )

    def _heard(self, incident: Incident) -> tuple[str, ...]:
        """Return the places that see it bad now; once it is over, or while none is heard, those that did."""
        seeing = {vantage.id for vantage in self._vantages if vantage.sees}
        heard = tuple(place for place in incident.places if place in seeing)
        return heard if heard and incident.closed is None else incident.places

    def _listed(self, vantages: Iterable[str]) -> str:
        return self.language.listed([self._places.get(vantage, vantage) for vantage in vantages])

    def _whence(self, vantages: Iterable[str]) -> str:
        return formatting.whence(self._listed(vantages), self.language)

    def _phase(self, incident: Incident, gap: Gap | None) -> str:
        say = self.language.gettext
        if incident.closed:
            return say("Resolved")
        return say("Not measured now") if gap else say("Ongoing")

    def _failed_runs(self, incident: Incident) -> dict[str, int]:
        """Count failed runs by the kind's label, the most frequent first."""
        counts = sorted(incident.failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
        return {self.language.words(FailureKind(name)).label: runs for name, runs in counts}

    def _title(self, incident: Incident) -> str:
        say = self.language.gettext
        label = self.language.reasons(incident.kinds)
        if incident.service is None:
            if incident.closed:
                return say("We could not see: %(why)s", why=label)
            return say("We cannot see: %(why)s", why=label)
        paths = incident.bad_endpoints or incident.endpoints
        if incident.severity is Severity.ACCOUNT:
            where = self.names.get(incident.service, incident.service)
        elif len(paths) == 1:
            where = self.names.get(paths[0], paths[0])
        else:
            where = self.language.ngettext("%(num)s base URL", "%(num)s base URLs", len(paths))
        title = say("%(where)s: %(why)s", where=where, why=label)
        if not self._is_of_some_places(incident):
            return title
        return say("%(title)s, %(whence)s", title=title, whence=self._whence(self._heard(incident)))

    def _is_of_some_places(self, incident: Incident) -> bool:
        """Say whether it was bad from some places only, and all the time from these."""
        walked = incident.closed and any(entry.vantage for entry in incident.timeline)
        others = self._places.keys() - set(incident.places)
        return bool(incident.places and others and not walked and not incident.differs_by_place)

    def _update(
        self, entries: Sequence[TimelineEntry], cause: FailureKind, incident: Incident
    ) -> UpdateView:
        """View one entry, or those that spread together; with why where it is not the incident's cause."""
        entry = entries[0]
        label, text = self._words(entry, self._where(entries), incident)
        spread = entry.what is EntryKind.JOINED and entry.kind is cause
        gives_reason = entry.what in _WITH_REASON
        if entry.kind and gives_reason and not spread:
            text += self.language.space + self.language.was(entry.kind)
        at = formatting.whole_second(entry.at)
        return UpdateView(what=entry.what, label=label, at=at, text=text)

    def _words(self, entry: TimelineEntry, where: str, incident: Incident) -> tuple[str, str]:
        say = self.language.gettext
        if entry.text == UNWATCHED:
            text = say(
                "%(where)s left the configuration; whether it works again is not known.",
                where=where,
            )
            return say("No longer watched"), text
        if entry.text == NOT_HEARD:
            text = say(
                "Nothing is heard from where it failed; whether it works again is not known."
            )
            return say("Not heard any more"), text
        place = self._places.get(entry.vantage, entry.vantage)
        if entry.vantage and entry.what is EntryKind.JOINED:
            text = say("%(where)s failed from %(place)s as well.", where=where, place=place)
            return say("Spread"), text
        if entry.what is EntryKind.HEARD_LATE:
            text = say("%(where)s failed from %(place)s as well.", where=where, place=place)
            return say("Heard later"), text
        if entry.vantage:
            text = say("%(where)s worked again from %(place)s.", where=where, place=place)
            return say("Better"), text
        return {
            EntryKind.WIDENED: (say("Spread"), self._votes(entry, where)),
            EntryKind.NARROWED: (say("Better"), self._votes(entry, where)),
            EntryKind.OPENED: (say("Began"), say("%(where)s failed.", where=where)),
            EntryKind.JOINED: (say("Spread"), say("%(where)s failed as well.", where=where)),
            EntryKind.CAUSE: (say("Changed"), say("%(where)s then failed otherwise.", where=where)),
            EntryKind.LEFT: (say("Better"), say("%(where)s worked again.", where=where)),
            EntryKind.RESOLVED: (say("Resolved"), say("What failed worked again.")),
            EntryKind.REMINDED: (say("Still going on"), say("The operator was reminded.")),
            EntryKind.MUTED: (say("Muted"), self._muted(entry, incident)),
            EntryKind.ACKED: (say("Acknowledged"), say("The operator knows.")),
            EntryKind.NOTE: (say("Note"), clean_text(entry.text, _NOTE)),
        }[entry.what]

    def _votes(self, entry: TimelineEntry, where: str) -> str:
        """Say from how many of the places that measured it failed; of what was noted before these were counted, that it changed."""
        if votes := _VOTES.fullmatch(entry.text):
            sentence = marked(
                "%(where)s failed from %(bad)s of the %(all)s places that measured it."
            )
            return self.language.gettext(sentence, where=where, bad=votes[1], all=votes[2])
        more, fewer = (
            marked("%(where)s failed from more places."),
            marked("%(where)s failed from fewer places."),
        )
        sentence = more if entry.what is EntryKind.WIDENED else fewer
        return self.language.gettext(sentence, where=where)

    def _muted(self, entry: TimelineEntry, incident: Incident) -> str:
        """Say that nobody was told, and until when: as of now only where nobody is told now."""
        if incident.muted and not incident.closed:
            return self.language.gettext("Messages are muted.")
        if incident.told_at and incident.told_at > entry.at:
            if incident.told_at - entry.at < timedelta(minutes=1):
                return self.language.gettext("Messages were muted for less than a minute.")
            time = formatting.moment(incident.told_at, self.language)
            return self.language.gettext("Messages were muted until %(time)s.", time=time)
        return self.language.gettext("Messages were muted.")

    def _where(self, entries: Sequence[TimelineEntry]) -> str:
        """Return where it was: `Cloudflare CDN (models and chat)`."""
        say, listed = self.language.gettext, self.language.listed
        calls: dict[str, list[str]] = {}
        for entry in entries:
            if entry.check is None:
                return say("It")
            path, probe = entry.check.rsplit("/", 1)
            call = self.names.get(entry.check, probe)
            calls.setdefault(self.names.get(path, path), []).append(call)
        return listed(
            [
                say("%(where)s (%(call)s)", where=name, call=listed(probes))
                for name, probes in calls.items()
            ]
        )


def _together(timeline: Sequence[TimelineEntry]) -> Iterator[list[TimelineEntry]]:
    """Group entries that spread for one reason within one minute, place by place; every other one is alone."""

    def group_of(numbered: tuple[int, TimelineEntry]) -> tuple[object, ...]:
        number, entry = numbered
        joined = entry.what is EntryKind.JOINED
        return (entry.kind, entry.at.replace(second=0, microsecond=0)) if joined else (number,)

    for _, group in groupby(enumerate(timeline), key=group_of):
        by_place: dict[str, list[TimelineEntry]] = {}
        for _, entry in group:
            by_place.setdefault(entry.vantage, []).append(entry)
        yield from by_place.values()
