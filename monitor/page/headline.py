"""The sentences of the page: whether the service is up, and whose fault the trouble is. Pure.

Every sentence follows from the same facts: `EndpointView.state` and `main_state`, `ServiceView.state`
and `calls`, and the incidents that are open. No other look is taken at what was measured, so that no
two sentences can contradict each other; `tests/page/test_laws.py` holds the laws.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from monitor.language import Language, marked, plural
from monitor.model import Incident, Severity
from monitor.page import formatting
from monitor.page.published import Triage
from monitor.page.states import ANSWERED, WORKING, State, worst
from monitor.page.view_models import EndpointView, ServiceView


def headline(
    services: Sequence[ServiceView],
    incidents: Sequence[Incident],
    whence: str,
    language: Language,
    *,
    fresh: bool,
) -> tuple[str, ...]:
    """Return the sentences on top: whether the service is up, then what is wrong with its base URLs."""
    say = language.gettext
    states = {service.state for service in services}
    if states <= {State.UNKNOWN}:
        return (not_measured(services, language, fresh=fresh),)
    if states == {State.MAINTENANCE} and all(
        service.main_call is State.MAINTENANCE for service in services
    ):
        text = language.ngettext(
            "The service is in maintenance.", "All services are in maintenance.", len(services)
        )
        return (text,)
    if states == {State.MAJOR}:
        return (_all_down(services, whence, language),)
    endpoints = _endpoints(services)
    all_fine = all(endpoint.state is State.OPERATIONAL for endpoint in endpoints)
    if all_fine and not any(incident.closed is None for incident in incidents):
        return (say("All base URLs work."),)
    wrong = _wrong(services, whence, language)
    return (*_which(services, language), *([wrong] if wrong else []))


def _endpoints(services: Sequence[ServiceView]) -> list[EndpointView]:
    return [endpoint for service in services for endpoint in service.endpoints]


def not_measured(services: Sequence[ServiceView], language: Language, *, fresh: bool) -> str:
    if fresh:
        return language.gettext("Nothing has been measured yet.")
    states = {state for service in services for state in service.calls.values()}
    call = _main_call_name(services, language)
    if states <= {State.UNKNOWN} or call is None:
        return language.gettext("We cannot measure right now.")
    return language.gettext("Requests for %(call)s are not measured right now.", call=call)


def _main_call_name(services: Sequence[ServiceView], language: Language) -> str | None:
    """Return the kind of call that speaks for every base URL, if it is one."""
    names = {
        formatting.call(
            endpoint.main, endpoint.main_check.kind, endpoint.main_check.title, language
        )
        for endpoint in _endpoints(services)
    }
    return names.pop() if len(names) == 1 else None


def _all_down(services: Sequence[ServiceView], whence: str, language: Language) -> str:
    """Say that all is down, unless all that is known is that no way leads there from here."""
    if all(endpoint.blocked for endpoint in _endpoints(services)):
        return language.ngettext(
            "The service cannot be reached %(whence)s.",
            "No service can be reached %(whence)s.",
            len(services),
            whence=whence,
        )
    return language.ngettext("The service is down.", "All services are down.", len(services))


def _which(services: Sequence[ServiceView], language: Language) -> Iterator[str]:
    """Say whether the services are up: by name as soon as they are not all alike."""
    if all(service.is_up for service in services):
        yield language.ngettext("The service is up.", "The services are up.", len(services))
        return
    if all(service.main_call is State.UNKNOWN for service in services):
        yield language.ngettext(
            "Whether the service is up is not known.",
            "Whether the services are up is not known.",
            len(services),
        )
        return
    down = [service.name for service in services if service.state is State.MAJOR]
    up = [service.name for service in services if service.is_up]
    paused = [service.name for service in services if service.main_call is State.MAINTENANCE]
    unknown = [service.name for service in services if service.main_call is State.UNKNOWN]
    for case, names in (("down", down), ("up", up), ("paused", paused), ("unknown", unknown)):
        if names:
            listed = language.listed(names)
            yield language.ngettext(*OF_NAMED[case], len(names), names=listed)


OF_NAMED = {
    "down": plural("%(names)s is down.", "%(names)s are down."),
    "up": plural("%(names)s is up.", "%(names)s are up."),
    "paused": plural("%(names)s is in maintenance.", "%(names)s are in maintenance."),
    "unknown": plural("%(names)s cannot be measured.", "%(names)s cannot be measured."),
}
"""The sentence about services that are alike."""
OF_BASE_URLS = {
    State.MAJOR: plural("One base URL is down.", "%(num)s base URLs are down."),
    State.PARTIAL: plural("One base URL fails in part.", "%(num)s base URLs fail in part."),
    State.DEGRADED: plural("One base URL is degraded.", "%(num)s base URLs are degraded."),
    State.MAINTENANCE: plural(
        "One base URL is in maintenance.", "%(num)s base URLs are in maintenance."
    ),
    State.UNKNOWN: plural(
        "One base URL cannot be measured.", "%(num)s base URLs cannot be measured."
    ),
}
"""The sentence about base URLs in a state, the worst first."""
NOT_REACHABLE = plural(
    "One base URL is not reachable %(whence)s.", "%(num)s base URLs are not reachable %(whence)s."
)


def _wrong(services: Sequence[ServiceView], whence: str, language: Language) -> str:
    """Say what is worst in services that are neither down nor unknown as a whole, and how many base URLs it concerns; the rows and
    the triage have the rest.
    """
    alike = {State.MAJOR, State.UNKNOWN}
    endpoints = _endpoints([service for service in services if service.state not in alike])
    states = [endpoint.state for endpoint in endpoints]
    blocked = sum(endpoint.state is State.MAJOR and endpoint.blocked for endpoint in endpoints)
    for state, sentence in OF_BASE_URLS.items():
        count = states.count(state)
        if state is State.MAJOR and count == blocked:
            if blocked:
                return language.ngettext(*NOT_REACHABLE, blocked, whence=whence)
        elif state is State.MAJOR:
            return language.ngettext(*sentence, count - blocked)
        elif state is State.PARTIAL and count and (calls := _failing_calls(services, language)):
            return calls
        elif count:
            return language.ngettext(*sentence, count)
    return ""


def _failing_calls(services: Sequence[ServiceView], language: Language) -> str:
    """Return the kinds of calls that fail through every base URL of a service which is not down."""
    names = [
        formatting.call(probe, check.kind, check.title, language)
        for service in services
        if service.state is not State.MAJOR
        for probe, state in service.calls.items()
        if state is State.MAJOR and (check := service.check_of(probe))
    ]
    if not names:
        return ""
    calls = language.listed(list(dict.fromkeys(names)))
    if len(services) > 1:
        return language.gettext(
            "Requests for %(call)s fail through every base URL of a service.", call=calls
        )
    return language.gettext("Requests for %(call)s fail through every base URL.", call=calls)


def paragraph(
    services: Sequence[ServiceView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
    *,
    fresh: bool,
) -> str:
    """Return the paragraph below the headline; of the incidents that are `unmeasured` nothing is known now."""
    if fresh:
        return language.gettext(
            "The first results are on their way. What was not measured is not called good."
        )
    endpoints = _endpoints(services)
    sentences = [
        *_serving(services, incidents, unmeasured, language),
        *_on_path(endpoints, language),
        *_open_incidents(endpoints, incidents, unmeasured, language),
        *own_trouble(endpoints, incidents, unmeasured, language),
    ]
    return language.space.join(sentences) or nothing_known(endpoints, language)


def nothing_known(endpoints: Iterable[EndpointView], language: Language) -> str:
    """Say what there is to say where no main call is measured and no trouble is known."""
    if any(endpoint.is_reached for endpoint in endpoints):
        return language.gettext("Other calls than the main one are answered.")
    return language.gettext("There are no results to judge by.")


def _serving(
    services: Sequence[ServiceView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
) -> Iterator[str]:
    """Say through how many base URLs the main call is answered, and through how many it is answered well."""
    endpoints = _endpoints(services)
    mains = [endpoint.main_state for endpoint in endpoints]
    unknown = mains.count(State.UNKNOWN)
    if unknown == len(mains):
        return
    spoiled = sum(endpoint.spoils_answers for endpoint in endpoints)
    serving = sum(state in WORKING for state in mains) - spoiled
    side = [state for service in services for state in service.calls.values()]
    name = _main_call_name(services, language)
    is_part = State.MAJOR in side or not is_all_measured(incidents, unmeasured)
    call = name if is_part else None
    if not serving and set(mains) == {State.MAJOR}:
        yield language.gettext("No request succeeds through any base URL.")
    elif not serving and not spoiled and name and any(view.is_reached for view in endpoints):
        yield language.gettext("No base URL is known to answer requests for %(call)s.", call=name)
    elif not serving and not spoiled:
        yield language.gettext("No base URL is known to answer.")
    elif call and serving == len(mains):
        yield language.gettext("Requests for %(call)s succeed through every base URL.", call=call)
    elif serving == len(mains):
        yield language.ngettext(
            "Requests succeed through its base URL.",
            "Requests succeed through all %(num)s base URLs.",
            serving,
        )
    elif serving:
        yield language.ngettext(
            "Requests succeed through %(serving)s of %(num)s base URL.",
            "Requests succeed through %(serving)s of %(num)s base URLs.",
            len(mains),
            serving=serving,
        )
    if spoiled:
        yield language.ngettext(
            "Through %(num)s base URL answers come cut off, held back or wrong.",
            "Through %(num)s base URLs answers come cut off, held back or wrong.",
            spoiled,
        )
    if unknown:
        yield language.ngettext(
            "%(num)s base URL is not measured.", "%(num)s base URLs are not measured.", unknown
        )


def _on_path(endpoints: Sequence[EndpointView], language: Language) -> Iterator[str]:
    """Say what a reader may conclude who has the same trouble."""
    blocked = [
        endpoint for endpoint in endpoints if endpoint.state is State.MAJOR and endpoint.blocked
    ]
    if len(blocked) == 1 and any(endpoint.main_state in WORKING for endpoint in endpoints):
        yield language.gettext(
            "If %(host)s fails for you too, the network path is at fault, not your key: use another base URL.",
            host=blocked[0].shown,
        )


_OURS = {
    Severity.ACCOUNT: marked("This concerns the account of the monitor, not the service."),
    Severity.MONITOR: marked("This concerns the monitor itself, not the service."),
}


def _unmeasured_of_base_urls(
    incidents: Sequence[Incident], unmeasured: Collection[int]
) -> Iterator[Incident]:
    """Yield those of base URLs of which nothing is measured now."""
    for incident in incidents:
        if incident.id in unmeasured and incident.severity.is_of_base_urls:
            yield incident


def is_all_measured(incidents: Sequence[Incident], unmeasured: Collection[int]) -> bool:
    """Say whether nothing that failed of base URLs is out of sight now."""
    return not any(_unmeasured_of_base_urls(incidents, unmeasured))


def not_known_to_work(
    endpoints: Iterable[EndpointView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
) -> Iterator[str]:
    """Name the base URLs whose row shows no trouble because what failed there is not measured now."""
    known = {endpoint.path: endpoint for endpoint in endpoints if endpoint.main_state in WORKING}
    names = {
        known[path].name: None
        for incident in _unmeasured_of_base_urls(incidents, unmeasured)
        for path in incident.bad_endpoints
        if path in known
    }
    if names:
        yield language.gettext(
            "What failed at %(names)s is not measured now: whether it works again is not known.",
            names=language.listed([*names]),
        )


def _open_incidents(
    endpoints: Sequence[EndpointView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
) -> Iterator[str]:
    """Say that there are some where no row shows any."""
    yield from not_known_to_work(endpoints, incidents, unmeasured, language)
    count = sum(
        incident.closed is None and incident.severity not in _OURS and incident.id not in unmeasured
        for incident in incidents
    )
    if count and all(endpoint.state is State.OPERATIONAL for endpoint in endpoints):
        yield language.ngettext("One incident is open.", "%(num)s incidents are open.", count)


def own_trouble(
    endpoints: Iterable[EndpointView],
    incidents: Sequence[Incident],
    unmeasured: Collection[int],
    language: Language,
) -> Iterator[str]:
    """Say what is wrong in the first open incident that is the account's or our own, and that is measured now.

    Where every call is answered already, and only its end is not believed yet, it is said as past.
    """
    states = {check.state for endpoint in endpoints for check in endpoint.checks.values()}
    is_answered = bool(states) and states <= WORKING
    for incident in incidents:
        if incident.severity in _OURS and not incident.closed and incident.id not in unmeasured:
            yield from dict.fromkeys(
                language.was(kind) if is_answered else language.words(kind).what
                for kind in incident.kinds
            )
            yield language.gettext(_OURS[incident.severity])
            return


def triage_service(services: Sequence[ServiceView], language: Language) -> Triage:
    say = language.gettext
    mains = [service.main_call for service in services]
    calls = [state for service in services for state in service.calls.values()]
    answered = sum(state in ANSWERED for state in calls)
    if State.MAJOR in mains:
        down = mains.count(State.MAJOR)
        if len(services) > 1:
            note = language.ngettext(
                "%(down)s of %(num)s service",
                "%(down)s of %(num)s services",
                len(services),
                down=down,
            )
            state = State.MAJOR if down == len(services) else State.PARTIAL
            return Triage(state=state, what=say("Down"), note=note)
        return Triage(state=State.MAJOR, what=say("Down"), note=say("Every base URL fails"))
    if set(mains) <= {State.UNKNOWN}:
        return Triage(
            state=State.UNKNOWN, what=say("Not known"), note=_why_unknown(calls, language)
        )
    if set(mains) == {State.MAINTENANCE}:
        note = _answered(answered, len(calls), language)
        return Triage(state=State.MAINTENANCE, what=say("In maintenance"), note=note)
    if State.UNKNOWN in mains:
        note = say(
            "%(unknown)s of %(all)s services not measured",
            unknown=mains.count(State.UNKNOWN),
            all=len(services),
        )
    else:
        note = _answered(answered, len(calls), language)
    state = State.PARTIAL if State.MAJOR in calls else State.OPERATIONAL
    return Triage(state=state, what=say("Up"), note=note)


def _why_unknown(calls: Sequence[State], language: Language) -> str:
    if set(calls) <= {State.UNKNOWN}:
        return language.gettext("No recent results")
    return language.gettext("Its main call is not measured")


def _answered(answered: int, calls: int, language: Language) -> str:
    """Say how many kinds of calls are answered through any base URL."""
    if not answered and calls:
        return language.gettext("Results are not counted meanwhile")
    if answered < calls:
        return language.gettext(
            "%(n)s of %(all)s kinds of calls are answered", n=answered, all=calls
        )
    if calls < 2:
        return language.gettext("Calls are answered")
    return language.gettext("All %(n)s kinds of calls are answered", n=calls)


_ILL = {State.MAJOR, State.PARTIAL, State.DEGRADED}


def triage_network(
    endpoints: Sequence[EndpointView],
    language: Language,
    *,
    answers_elsewhere: bool = False,
    all_measured: bool = True,
) -> Triage:
    """Judge the paths to the service: what fails on the way there while others work, here or elsewhere.

    It never shows good news beside a number of failures: those that are not on the way are no sign
    against the network, and are counted in the rows. A path is measured by any call that gets through.
    `all_measured`: nothing that failed is out of sight now.
    """
    say, comma = language.gettext, language.pgettext("between items of a list", ", ")
    states = [endpoint.state for endpoint in endpoints]
    ill = [endpoint for endpoint in endpoints if endpoint.state in _ILL]
    astray = [endpoint for endpoint in ill if endpoint.astray]
    some_answer = answers_elsewhere or any(endpoint.is_reached for endpoint in endpoints)
    paused = states.count(State.MAINTENANCE)
    unknown = sum(
        endpoint.state is State.UNKNOWN and (endpoint.astray or not endpoint.is_reached)
        for endpoint in endpoints
    )
    notes = [say("%(n)s not measured", n=unknown)] * bool(unknown)
    notes += [say("%(n)s in maintenance", n=paused)] * bool(paused)
    if unknown == len(states):
        note = say("No recent results")
        return Triage(state=State.UNKNOWN, what=say("Not known"), note=note)
    if paused == len(states):
        return Triage(state=State.MAINTENANCE, what=say("In maintenance"), note=comma.join(notes))
    if astray and not some_answer and not any(endpoint.blocked for endpoint in astray):
        notes.insert(0, say("No base URL answers to compare with"))
        return Triage(state=State.UNKNOWN, what=say("Not known"), note=comma.join(notes))
    if astray:
        if len(astray) < len(ill):
            others = len(ill) - len(astray)
            text = language.ngettext(
                "%(num)s fails for another reason", "%(num)s fail for other reasons", others
            )
            notes.insert(0, text)
        state = worst(endpoint.state for endpoint in astray)
        return Triage(
            state=State.PARTIAL if state is State.MAJOR and some_answer else state,
            what=comma.join(_counted(astray, language)),
            note=comma.join(notes) or _number(endpoints, language),
        )
    if ill:
        notes.insert(0, say("The failures have other causes"))
    all_known = all_measured and not (ill or unknown)
    return Triage(
        state=State.OPERATIONAL,
        what=say("All paths work") if all_known else say("No blocking seen"),
        note=comma.join(notes) or _number(endpoints, language),
    )


def _number(endpoints: Sequence[EndpointView], language: Language) -> str:
    return language.ngettext("%(num)s base URL", "%(num)s base URLs", len(endpoints))


def _counted(endpoints: Sequence[EndpointView], language: Language) -> Iterator[str]:
    """Count how many are how bad, the worst first."""
    states = [endpoint.state for endpoint in endpoints]
    blocked = sum(endpoint.state is State.MAJOR and endpoint.blocked for endpoint in endpoints)
    for count, text in (
        (blocked, marked("%(n)s\u00a0blocked")),
        (states.count(State.MAJOR) - blocked, marked("%(n)s\u00a0down")),
        (states.count(State.PARTIAL), marked("%(n)s\u00a0partly down")),
        (states.count(State.DEGRADED), marked("%(n)s\u00a0degraded")),
    ):
        if count:
            yield language.gettext(text, n=count)
