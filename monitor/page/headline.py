"""The sentence of the page, and whose it is: the service, the network, your connection. Pure."""

from collections.abc import Callable, Iterator, Sequence

from monitor.language import Language, marked
from monitor.model import Incident, Severity
from monitor.page.published import Triage
from monitor.page.states import SERVING, WORKING, State, worst
from monitor.page.view_models import EndpointView, ServiceView

_UP = SERVING | {State.PARTIAL}


def overall(services: Sequence[ServiceView]) -> State:
    states = [service.state for service in services]
    found = worst(states) if states else State.UNKNOWN
    some_left = found is State.MAJOR and any(state in _UP for state in states)
    return State.PARTIAL if some_left else found


def headline(
    services: Sequence[ServiceView], state: State, whence: str, language: Language, *, fresh: bool
) -> tuple[str, ...]:
    """The sentence of the page: whether the service is up, then what is wrong with its base URLs."""
    say = language.gettext
    if state is State.UNKNOWN:
        return (
            say("Nothing has been measured yet.") if fresh else say("We cannot measure right now."),
        )
    endpoints = [endpoint for service in services for endpoint in service.endpoints]
    if all(endpoint.state is State.OPERATIONAL for endpoint in endpoints):
        return (say("All base URLs work."),)
    if all(service.state is State.MAINTENANCE for service in services):
        return (
            language.ngettext(
                "The service is in maintenance.", "All services are in maintenance.", len(services)
            ),
        )
    if all(service.state is State.MAJOR for service in services):
        return (_all_down(services, whence, language),)
    up = [each for service in services if service.state in _UP for each in service.endpoints]
    rest = _wrong(up, whence, language)
    return (*_which(services, language), *([rest] if rest else []))


def _all_down(services: Sequence[ServiceView], whence: str, language: Language) -> str:
    """Down, unless all that is known is that no way leads there from here."""
    endpoints = [endpoint for service in services for endpoint in service.endpoints]
    if endpoints and all(endpoint.blocked for endpoint in endpoints):
        return language.ngettext(
            "The service cannot be reached %(whence)s.",
            "No service can be reached %(whence)s.",
            len(services),
            whence=whence,
        )
    return language.ngettext("The service is down.", "All services are down.", len(services))


def _which(services: Sequence[ServiceView], language: Language) -> Iterator[str]:
    """Whether they are up: by name as soon as they are not all alike."""
    if all(service.state in _UP for service in services):
        yield language.ngettext("The service is up.", "The services are up.", len(services))
        return
    for one, many, states in (
        (marked("%(names)s is down."), marked("%(names)s are down."), {State.MAJOR}),
        (marked("%(names)s is up."), marked("%(names)s are up."), _UP),
        (
            marked("%(names)s cannot be measured."),
            marked("%(names)s cannot be measured."),
            {State.UNKNOWN},
        ),
    ):
        names = [service.name for service in services if service.state in states]
        if names:
            said = one if len(names) == 1 else many
            yield language.gettext(said, names=language.listed(names))


def _wrong(endpoints: Sequence[EndpointView], whence: str, language: Language) -> str:
    """What is worst, and how many base URLs it concerns; the rest is in the triage."""
    states = [endpoint.state for endpoint in endpoints]
    blocked = sum(each.state is State.MAJOR and each.blocked for each in endpoints)
    said: tuple[tuple[int, Callable[[int], str]], ...] = (
        (
            states.count(State.MAJOR) - blocked,
            lambda n: language.ngettext("One base URL is down.", "%(num)s base URLs are down.", n),
        ),
        (
            blocked,
            lambda n: language.ngettext(
                "One base URL is not reachable %(whence)s.",
                "%(num)s base URLs are not reachable %(whence)s.",
                n,
                whence=whence,
            ),
        ),
        (
            states.count(State.PARTIAL),
            lambda n: language.ngettext(
                "One base URL fails in part.", "%(num)s base URLs fail in part.", n
            ),
        ),
        (
            states.count(State.DEGRADED),
            lambda n: language.ngettext(
                "One base URL is degraded.", "%(num)s base URLs are degraded.", n
            ),
        ),
        (
            states.count(State.MAINTENANCE),
            lambda n: language.ngettext(
                "One base URL is in maintenance.", "%(num)s base URLs are in maintenance.", n
            ),
        ),
        (
            states.count(State.UNKNOWN),
            lambda n: language.ngettext(
                "One base URL cannot be measured.", "%(num)s base URLs cannot be measured.", n
            ),
        ),
    )
    return next((sentence(count) for count, sentence in said if count), "")


def text(
    endpoints: Sequence[EndpointView],
    incidents: Sequence[Incident],
    language: Language,
    *,
    fresh: bool,
) -> str:
    if fresh:
        return language.gettext(
            "The first results are on their way. What was not measured is not called good."
        )
    said = [
        *_serving(endpoints, language),
        *_path(endpoints, language),
        *_ours(incidents, language),
    ]
    return language.space.join(said) or language.gettext("There are no results from which to tell.")


def _serving(endpoints: Sequence[EndpointView], language: Language) -> Iterator[str]:
    serving = sum(endpoint.state in WORKING | {State.PARTIAL} for endpoint in endpoints)
    if all(endpoint.state is State.UNKNOWN for endpoint in endpoints):
        return
    if not serving:
        yield language.gettext("No request succeeds through any base URL.")
    elif serving == len(endpoints):
        yield language.ngettext(
            "Requests succeed through its base URL.",
            "Requests succeed through all %(num)s base URLs.",
            serving,
        )
    else:
        yield language.ngettext(
            "Requests succeed through %(serving)s of %(num)s base URL.",
            "Requests succeed through %(serving)s of %(num)s base URLs.",
            len(endpoints),
            serving=serving,
        )


def _path(endpoints: Sequence[EndpointView], language: Language) -> Iterator[str]:
    """What a reader may conclude who has the same trouble."""
    blocked = [each for each in endpoints if each.state is State.MAJOR and each.blocked]
    if len(blocked) == 1 and any(each.state in WORKING for each in endpoints):
        yield language.gettext(
            "If %(host)s fails for you too, the network path is at fault, not your key: use another base URL.",
            host=blocked[0].shown,
        )


_OURS = {
    Severity.ACCOUNT: marked("This concerns the account of the monitor, not the service."),
    Severity.MONITOR: marked("This concerns the monitor itself, not the service."),
}


def _ours(incidents: Sequence[Incident], language: Language) -> Iterator[str]:
    """The first of them."""
    found = [each for each in incidents if each.severity in _OURS and not each.closed]
    for each in found[:1]:
        yield language.words(each.failure.kind).what
        yield language.gettext(_OURS[each.severity])


def triage_service(services: Sequence[ServiceView], language: Language) -> Triage:
    say = language.gettext
    known = [service for service in services if service.state is not State.UNKNOWN]
    down = sum(service.state is State.MAJOR for service in known)
    calls, answered = _calls(known)
    if not known:
        return Triage(
            state=State.UNKNOWN, what=say("Not known"), note=say("No recent result tells")
        )
    if down:
        every = all(e.state is State.MAJOR for service in known for e in service.endpoints)
        note = (
            say("Every base URL fails")
            if every
            else say("A kind of call fails through every base URL")
        )
        if len(services) > 1:
            note = language.ngettext(
                "%(down)s of %(num)s service",
                "%(down)s of %(num)s services",
                len(services),
                down=down,
            )
        return Triage(state=State.MAJOR, what=say("Down"), note=note)
    if answered < calls:
        note = say("%(n)s of %(all)s kinds of calls are answered", n=answered, all=calls)
    else:
        note = (
            say("Calls are answered")
            if calls < 2
            else say("All %(n)s kinds of calls are answered", n=calls)
        )
    if len(known) < len(services):
        note = say(
            "%(unknown)s of %(all)s services not measured",
            unknown=len(services) - len(known),
            all=len(services),
        )
    if all(service.state is State.MAINTENANCE for service in known):
        return Triage(state=State.MAINTENANCE, what=say("In maintenance"), note=note)
    return Triage(state=State.OPERATIONAL, what=say("Up"), note=note)


def _calls(services: Sequence[ServiceView]) -> tuple[int, int]:
    """Kinds of calls, and how many of them are answered through any base URL."""
    fine = WORKING | {State.MAINTENANCE}
    calls = {probe for service in services for probe in service.probes}
    answered = {
        probe
        for service in services
        for endpoint in service.endpoints
        for probe, cell in endpoint.checks.items()
        if cell.state in fine
    }
    return len(calls), len(answered & calls)


_ILL = {State.MAJOR, State.PARTIAL, State.DEGRADED}


def triage_network(endpoints: Sequence[EndpointView], language: Language) -> Triage:
    """Paths to the service: what fails on the way there while others work."""
    say, comma = language.gettext, language.pgettext("between items of a list", ", ")
    states = [endpoint.state for endpoint in endpoints]
    ill = [each for each in endpoints if each.state in _ILL]
    astray, some_up = [each for each in ill if each.astray], any(state in _UP for state in states)
    unknown, paused = states.count(State.UNKNOWN), states.count(State.MAINTENANCE)
    notes = [say("%(n)s not measured", n=unknown)] * bool(unknown)
    notes += [say("%(n)s in maintenance", n=paused)] * bool(paused)
    if ill and (not astray or not (some_up or any(each.blocked for each in ill))):
        note = comma.join([*_counted(ill, language), *notes])
        return Triage(state=State.OPERATIONAL, what=say("No blocking seen"), note=note)
    if astray and len(astray) < len(ill):
        notes.insert(
            0,
            language.ngettext(
                "%(num)s fails for another reason",
                "%(num)s fail for other reasons",
                len(ill) - len(astray),
            ),
        )
    note = comma.join(notes) or language.ngettext(
        "%(num)s base URL", "%(num)s base URLs", len(endpoints)
    )
    if unknown == len(states):
        return Triage(state=State.UNKNOWN, what=say("Not known"), note=note)
    found = worst(each.state for each in endpoints if each.state not in _ILL or each.astray)
    return Triage(
        state=State.PARTIAL if found is State.MAJOR and some_up else found,
        what=comma.join(_counted(astray, language)) or say("All paths work"),
        note=note,
    )


def _counted(endpoints: Sequence[EndpointView], language: Language) -> Iterator[str]:
    """How many are how bad, the worst first."""
    states = [endpoint.state for endpoint in endpoints]
    blocked = sum(each.state is State.MAJOR and each.blocked for each in endpoints)
    for count, said in (
        (blocked, marked("%(n)s\u00a0blocked")),
        (states.count(State.MAJOR) - blocked, marked("%(n)s\u00a0down")),
        (states.count(State.PARTIAL), marked("%(n)s\u00a0partly down")),
        (states.count(State.DEGRADED), marked("%(n)s\u00a0degraded")),
    ):
        if count:
            yield language.gettext(said, n=count)
