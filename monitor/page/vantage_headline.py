"""The sentences of the page where several places probe: what works, and from where. Pure.

What is bad from some places only is never called down. A place that is not heard, or that cannot see, is
neither for nor against.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from monitor.language import Language, marked, plural
from monitor.model import Incident
from monitor.page import formatting
from monitor.page.headline import (
    NOT_REACHABLE,
    OF_BASE_URLS,
    OF_NAMED,
    is_all_measured,
    not_known_to_work,
    not_measured,
    nothing_known,
    own_trouble,
    paragraph,
    triage_network,
    triage_service,
)
from monitor.page.published import Triage
from monitor.page.states import WORKING, State, overall_state, worst
from monitor.page.view_models import EndpointView, ServiceView, VantageView

_NAMED = 3
"""Places that a paragraph has a sentence for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVerdict:
    """Holds all that stands on top of a page."""

    state: State
    sentences: tuple[str, ...]
    text: str
    service: Triage
    network: Triage


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServiceSights:
    """Says from where one service works, and from where not."""

    name: str
    up: tuple[VantageView, ...]
    down: tuple[VantageView, ...]
    paused: tuple[VantageView, ...]
    others: tuple[VantageView, ...]
    """From where nothing is known now."""
    is_blocked: bool
    """Whether no way leads there from those that see it down."""


def verdict_of_places(
    vantages: Sequence[VantageView],
    services: Sequence[ServiceView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
    *,
    fresh: bool,
) -> PageVerdict:
    """Return what all places together know; `services` are those of the page, `fresh` is before the first result.

    Of the incidents that are `unmeasured` nothing is known now.
    """
    sights = [_sights(service, vantages) for service in services]
    seeing = [vantage for vantage in vantages if vantage.sees]
    return PageVerdict(
        state=_state(vantages),
        sentences=_headline(sights, vantages, incidents, language, fresh=fresh),
        text=_text(vantages, services, incidents, unmeasured, language, fresh=fresh),
        service=_triage_service(sights, seeing, language),
        network=_triage_network(
            seeing, language, all_measured=is_all_measured(incidents, unmeasured)
        ),
    )


def verdict_unseen(vantage: VantageView, language: Language) -> PageVerdict:
    """Return what is known of now from a place that is not heard, or that cannot see: nothing."""
    return PageVerdict(
        state=State.UNKNOWN,
        sentences=(vantage.why_unseen,),
        text=language.gettext("What is shown was measured before; nothing is known of now."),
        service=triage_service(vantage.services, language),
        network=triage_network(vantage.endpoints, language),
    )


def whence_of(vantages: Sequence[VantageView], language: Language) -> str:
    """Return `from Frankfurt, Hong Kong and Shanghai`, `from 7 places`."""
    if len(vantages) > _NAMED:
        return language.gettext("from %(num)s places", num=len(vantages))
    names = language.listed([vantage.name for vantage in vantages])
    return formatting.whence(names, language)


def _state(vantages: Sequence[VantageView]) -> State:
    """Return the state over all places: a major outage only where every one that knows sees one."""
    known = [vantage.state for vantage in vantages if vantage.state is not State.UNKNOWN]
    return overall_state(known)


def _sights(service: ServiceView, vantages: Sequence[VantageView]) -> _ServiceSights:
    seen = [
        (vantage, view)
        for vantage in vantages
        if (view := vantage.service(service.id)) and _measures(vantage, view)
    ]
    down = [(vantage, view) for vantage, view in seen if view.state is State.MAJOR]
    return _ServiceSights(
        name=service.name,
        up=tuple(vantage for vantage, view in seen if view.is_up),
        down=tuple(vantage for vantage, _ in down),
        paused=tuple(vantage for vantage, view in seen if view.main_call is State.MAINTENANCE),
        others=tuple(vantage for vantage, view in seen if view.main_call is State.UNKNOWN),
        is_blocked=all(endpoint.blocked for _, view in down for endpoint in view.endpoints),
    )


def _measures(vantage: VantageView, service: ServiceView) -> bool:
    return any(endpoint.path in vantage.by_path for endpoint in service.endpoints)


# --- the headline ---------------------------------------------------------------------------------


def _headline(
    sights: Sequence[_ServiceSights],
    vantages: Sequence[VantageView],
    incidents: Sequence[Incident],
    language: Language,
    *,
    fresh: bool,
) -> tuple[str, ...]:
    if not any(sight.up or sight.down or sight.paused for sight in sights):
        return (
            not_measured(
                [s for vantage in vantages for s in vantage.services], language, fresh=fresh
            ),
        )
    if all(sight.paused and not (sight.up or sight.down) for sight in sights):
        text = language.ngettext(
            "The service is in maintenance.", "All services are in maintenance.", len(sights)
        )
        return (text,)
    states = {
        endpoint.state
        for vantage in vantages
        if vantage.sees
        for endpoint in vantage.by_path.values()
    }
    if states == {State.OPERATIONAL} and not any(incident.closed is None for incident in incidents):
        measuring = [vantage for vantage in vantages if vantage.measures]
        if len(measuring) == len(vantages):
            return (language.gettext("All base URLs work."),)
        whence = whence_of(measuring, language)
        return (language.gettext("All base URLs work %(whence)s.", whence=whence),)
    wrong = _wrong(vantages, language)
    return (*_which(sights, language), *([wrong] if wrong else []))


def _which(sights: Sequence[_ServiceSights], language: Language) -> Iterator[str]:
    """Say of each service whether it is up, and from where it is not: in one sentence where all are alike."""
    alike = {_case(sight, language) for sight in sights}
    if len(alike) == 1:
        [(case, whence)] = alike
        yield language.ngettext(*_OF_ALL[case], len(sights), whence=whence)
        return
    cases: dict[tuple[str, str], list[str]] = {}
    for sight in sights:
        cases.setdefault(_case(sight, language), []).append(sight.name)
    for (case, whence), names in sorted(
        cases.items(), key=lambda pair: [*_OF_ALL].index(pair[0][0])
    ):
        yield language.ngettext(
            *_OF_SOME[case], len(names), names=language.listed(names), whence=whence
        )


def _case(service: _ServiceSights, language: Language) -> tuple[str, str]:
    """Return what is the case with a service, and from where."""
    whence = whence_of(service.down, language)
    if service.up and service.down:
        return ("blocked" if service.is_blocked else "fails"), whence
    if service.up:
        return "up", ""
    if service.down and service.is_blocked:
        return "unreachable", whence
    if service.down:
        return ("down_from", whence) if service.others else ("down", "")
    return ("paused" if service.paused else "unknown"), ""


_OF_ALL = {
    "down": plural("The service is down.", "All services are down."),
    "unreachable": plural(
        "The service cannot be reached %(whence)s.", "No service can be reached %(whence)s."
    ),
    "down_from": plural("The service is down %(whence)s.", "All services are down %(whence)s."),
    "blocked": plural(
        "The service is up, but not reachable %(whence)s.",
        "The services are up, but not reachable %(whence)s.",
    ),
    "fails": plural(
        "The service is up, but fails %(whence)s.", "The services are up, but fail %(whence)s."
    ),
    "up": plural("The service is up.", "The services are up."),
    "paused": plural("The service is in maintenance.", "All services are in maintenance."),
    "unknown": plural(
        "Whether the service is up is not known.", "Whether the services are up is not known."
    ),
}
"""The sentence where all services are alike; the worst case first."""
_OF_SOME = OF_NAMED | {
    "unreachable": plural(
        "%(names)s cannot be reached %(whence)s.", "%(names)s cannot be reached %(whence)s."
    ),
    "down_from": plural("%(names)s is down %(whence)s.", "%(names)s are down %(whence)s."),
    "blocked": plural(
        "%(names)s is up, but not reachable %(whence)s.",
        "%(names)s are up, but not reachable %(whence)s.",
    ),
    "fails": plural(
        "%(names)s is up, but fails %(whence)s.", "%(names)s are up, but fail %(whence)s."
    ),
}


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Says how bad one base URL is, and from where."""

    state: State
    bad: tuple[VantageView, ...]
    is_everywhere: bool
    is_blocked: bool


def _troubles(vantages: Sequence[VantageView]) -> Iterator[_Trouble]:
    """Yield the trouble of each base URL, without that of places from where its whole service is down or unknown."""
    seen: dict[str, list[tuple[VantageView, EndpointView]]] = {}
    for vantage in vantages:
        for service in vantage.services:
            if vantage.sees and service.state not in {State.MAJOR, State.UNKNOWN}:
                for endpoint in service.endpoints:
                    if endpoint.path in vantage.by_path:
                        seen.setdefault(endpoint.path, []).append((vantage, endpoint))
    for views in seen.values():
        state = worst(endpoint.state for _, endpoint in views)
        if state is State.OPERATIONAL:
            continue
        bad = [(vantage, endpoint) for vantage, endpoint in views if endpoint.state is state]
        path = views[0][1].path
        silent = any(path in vantage.by_path and not vantage.sees for vantage in vantages)
        yield _Trouble(
            state,
            tuple(vantage for vantage, _ in bad),
            len(bad) == len(views) and not silent,
            state is State.MAJOR and all(endpoint.blocked for _, endpoint in bad),
        )


def _wrong(vantages: Sequence[VantageView], language: Language) -> str:
    """Say what is worst, of how many base URLs, and from where; the rows and the triage have the rest."""
    troubles = [*_troubles(vantages)]
    for state in (State.MAJOR, State.PARTIAL, State.DEGRADED, State.MAINTENANCE, State.UNKNOWN):
        of_state = [trouble for trouble in troubles if trouble.state is state]
        if not of_state:
            continue
        for key in ((True, False), (False, False), (False, True), (True, True)):
            alike = [
                trouble
                for trouble in of_state
                if (trouble.is_everywhere, trouble.is_blocked) == key
            ]
            if alike:
                return _trouble_sentence(state, alike, language)
    return ""


def _trouble_sentence(state: State, alike: Sequence[_Trouble], language: Language) -> str:
    first = alike[0]
    whence = language.gettext("from some places")
    if all(trouble.bad == first.bad for trouble in alike):
        whence = whence_of(first.bad, language)
    if first.is_blocked:
        return language.ngettext(*NOT_REACHABLE, len(alike), whence=whence)
    sentence = (OF_BASE_URLS if first.is_everywhere else _FROM_SOME)[state]
    return language.ngettext(*sentence, len(alike), whence=whence)


_FROM_SOME = OF_BASE_URLS | {
    State.MAJOR: plural(
        "One base URL is down %(whence)s.", "%(num)s base URLs are down %(whence)s."
    ),
    State.PARTIAL: plural(
        "One base URL fails in part %(whence)s.", "%(num)s base URLs fail in part %(whence)s."
    ),
    State.DEGRADED: plural(
        "One base URL is degraded %(whence)s.", "%(num)s base URLs are degraded %(whence)s."
    ),
    State.UNKNOWN: plural(
        "One base URL cannot be measured %(whence)s.",
        "%(num)s base URLs cannot be measured %(whence)s.",
    ),
}


# --- the paragraph below it -----------------------------------------------------------------------


def _text(
    vantages: Sequence[VantageView],
    services: Sequence[ServiceView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
    *,
    fresh: bool,
) -> str:
    if fresh:
        return paragraph(services, incidents, unmeasured, language, fresh=True)
    seeing = [vantage for vantage in vantages if vantage.sees and vantage.by_path]
    endpoints = [endpoint for vantage in seeing for endpoint in vantage.by_path.values()]
    sentences = [
        *_serving(seeing, language),
        *_spoiled(seeing, language),
        *_on_path(seeing, language),
        *_open_incidents(seeing, incidents, unmeasured, language),
        *own_trouble(endpoints, incidents, unmeasured, language),
        *[vantage.why_unseen for vantage in vantages if not vantage.sees][:_NAMED],
    ]
    return language.space.join(sentences) or nothing_known(endpoints, language)


def _serving(seeing: Sequence[VantageView], language: Language) -> Iterator[str]:
    """Say through how many base URLs the main call is answered well, once for the places where as many are; the worst first."""
    alike: dict[tuple[int, int, bool], list[VantageView]] = {}
    for vantage in seeing:
        states = [endpoint.main_state for endpoint in vantage.by_path.values()]
        if all(state is State.UNKNOWN for state in states):
            continue
        serving = sum(
            endpoint.main_state in WORKING and not endpoint.spoils_answers
            for endpoint in vantage.by_path.values()
        )
        none_known = serving == 0 and State.UNKNOWN in states
        alike.setdefault((serving, len(states), none_known), []).append(vantage)
    worst_first = sorted(alike, key=lambda count: count[0] / count[1])
    partly = [count for count in worst_first if count[0] < count[1]][:_NAMED]
    for serving, number, none_known in partly:
        whence = _capital(whence_of(alike[serving, number, none_known], language))
        if none_known:
            yield language.gettext("%(Whence)s no request is known to succeed.", Whence=whence)
        elif serving == 0:
            yield language.gettext("%(Whence)s no request succeeds.", Whence=whence)
        else:
            yield language.ngettext(
                "%(Whence)s requests succeed through %(serving)s of %(num)s base URL.",
                "%(Whence)s requests succeed through %(serving)s of %(num)s base URLs.",
                number,
                Whence=whence,
                serving=serving,
            )
    for count, places in alike.items():
        if count[0] == count[1]:
            yield language.ngettext(
                "%(Whence)s requests succeed through its base URL.",
                "%(Whence)s requests succeed through all %(num)s base URLs.",
                count[1],
                Whence=_capital(whence_of(places, language)),
            )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _spoiled(seeing: Sequence[VantageView], language: Language) -> Iterator[str]:
    spoiled = {
        path
        for vantage in seeing
        for path, endpoint in vantage.by_path.items()
        if endpoint.spoils_answers
    }
    if spoiled:
        yield language.ngettext(
            "Through %(num)s base URL answers come cut off, held back or wrong.",
            "Through %(num)s base URLs answers come cut off, held back or wrong.",
            len(spoiled),
        )


def _on_path(seeing: Sequence[VantageView], language: Language) -> Iterator[str]:
    """Say of a base URL that is blocked from some places that others reach it, if it is one."""
    blocked: dict[str, list[VantageView]] = {}
    for vantage in seeing:
        for path, endpoint in vantage.by_path.items():
            if endpoint.state is State.MAJOR and endpoint.blocked:
                blocked.setdefault(path, []).append(vantage)
    if len(blocked) != 1:
        return
    [(path, places)] = blocked.items()
    well = [
        vantage
        for vantage in seeing
        if path in vantage.by_path and vantage.by_path[path].main_state in WORKING
    ]
    if well:
        yield language.gettext(
            "%(host)s is blocked on the way %(whence)s: it works %(others)s.",
            host=places[0].by_path[path].shown,
            whence=whence_of(places, language),
            others=whence_of(well, language),
        )


def _open_incidents(
    seeing: Sequence[VantageView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
) -> Iterator[str]:
    """Say that there are some where no row of any place shows any."""
    endpoints = [endpoint for vantage in seeing for endpoint in vantage.by_path.values()]
    yield from not_known_to_work(endpoints, incidents, unmeasured, language)
    count = sum(
        incident.closed is None
        and incident.severity.is_of_base_urls
        and incident.id not in unmeasured
        for incident in incidents
    )
    states = {endpoint.state for vantage in seeing for endpoint in vantage.by_path.values()}
    if count and states == {State.OPERATIONAL}:
        yield language.ngettext("One incident is open.", "%(num)s incidents are open.", count)


# --- the triage -----------------------------------------------------------------------------------


def _triage_service(
    sights: Sequence[_ServiceSights], seeing: Sequence[VantageView], language: Language
) -> Triage:
    say = language.gettext
    if not any(sight.up or sight.down or sight.paused for sight in sights):
        return Triage(state=State.UNKNOWN, what=say("Not known"), note=say("No recent results"))
    down = sum(bool(sight.down) and not sight.up for sight in sights)
    if down == len(sights):
        note = say("Every base URL fails")
        if any(sight.others for sight in sights):
            note = _fails_from(sights, seeing, language)
        return Triage(state=State.MAJOR, what=say("Down"), note=note)
    if down:
        note = language.ngettext(
            "%(down)s of %(num)s service", "%(down)s of %(num)s services", len(sights), down=down
        )
        return Triage(state=State.PARTIAL, what=say("Down"), note=note)
    some = [sight for sight in sights if sight.down]
    if some:
        note = _fails_from(some, seeing, language)
        return Triage(state=State.PARTIAL, what=say("Up"), note=note)
    parts = [(vantage, triage_service(vantage.services, language)) for vantage in seeing]
    return _worst_part(parts, language)


def _fails_from(
    down: Sequence[_ServiceSights], seeing: Sequence[VantageView], language: Language
) -> str:
    """Say from where services that are down for some are."""
    places = [vantage for vantage in seeing if any(vantage in sight.down for sight in down)]
    note = marked("Not reachable %(whence)s") if down[0].is_blocked else marked("Fails %(whence)s")
    return language.gettext(note, whence=whence_of(places, language))


def _triage_network(
    seeing: Sequence[VantageView], language: Language, *, all_measured: bool
) -> Triage:
    answers = any(
        endpoint.is_reached for vantage in seeing for endpoint in vantage.by_path.values()
    )
    parts = [
        (
            vantage,
            triage_network(
                [*vantage.by_path.values()],
                language,
                answers_elsewhere=answers,
                all_measured=all_measured,
            ),
        )
        for vantage in seeing
        if vantage.by_path
    ]
    return _worst_part(parts, language, language.gettext("All paths work"))


def _worst_part(
    parts: Sequence[tuple[VantageView, Triage]], language: Language, best: str = ""
) -> Triage:
    """Return the word on one party from the place that has the worst, with where that is.

    `best` is what is said only where all places say so.
    """
    known = [(vantage, part) for vantage, part in parts if part.state is not State.UNKNOWN]
    if not known:
        say = language.gettext
        return Triage(state=State.UNKNOWN, what=say("Not known"), note=say("No recent results"))
    state = worst(part.state for _, part in known)
    of_it = [(vantage, part) for vantage, part in known if part.state is state]
    first = next((part for _, part in of_it if part.what != best), of_it[0][1])
    if len(of_it) == len(parts):
        return first
    return Triage(
        state=State.PARTIAL if state is State.MAJOR and len(of_it) < len(known) else state,
        what=first.what,
        note=whence_of([vantage for vantage, part in of_it if part.what == first.what], language),
    )
