"""What the page says of a world: states, the sentence, days, and what to use instead."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import worlds
from page_cast import (
    CHECKS,
    NOW,
    PROBE_IDS,
    SERVICE,
    SITE,
    WEB_CHECKS,
    ago,
    fail,
    incident,
    key,
    result,
)
from worlds import SITES, WORLDS

from monitor.alerts import incidents
from monitor.model import (
    NOT_HEARD,
    UNWATCHED,
    Endpoint,
    EntryKind,
    FailureKind,
    Incident,
    Mute,
    Rollup,
    Severity,
    Snapshot,
    TimelineEntry,
)
from monitor.page import PageView, Pick, Site, view
from monitor.page import formatting as say
from monitor.page.day_bars import Day, last_days
from monitor.page.states import State, endpoint_state
from monitor.ranking import Candidate, choose


def page(snapshot: Snapshot, site: Site = SITE) -> PageView:
    return view(site, snapshot, {})[0]


def endpoint(snapshot: Snapshot, name: str) -> State:
    return next(view.state for view in page(snapshot).endpoints if view.path == f"ohmygpt/{name}")


@pytest.mark.parametrize(
    ("world", "state", "headline"),
    [
        ("all-good", State.OPERATIONAL, "All base URLs work."),
        ("mixed", State.PARTIAL, "The service is up. One base URL is not reachable from Shanghai."),
        ("everything-down", State.MAJOR, "The service is down."),
        ("rejected-key", State.UNKNOWN, "We cannot measure right now."),
        ("offline", State.UNKNOWN, "We cannot measure right now."),
        ("fresh", State.UNKNOWN, "Nothing has been measured yet."),
        ("crowded", State.PARTIAL, "The services are up. 2 base URLs are down."),
    ],
)
def test_the_sentence_of_each_world(world: str, state: State, headline: str) -> None:
    home = page(WORLDS[world](), SITES[world])
    assert (home.state, home.headline) == (state, headline)


def test_a_rejected_key_is_said_to_be_the_accounts_and_not_the_services_fault() -> None:
    assert (
        "This concerns the account of the monitor, not the service."
        in page(worlds.rejected_key()).text
    )


def test_what_was_never_measured_is_never_green() -> None:
    home = page(worlds.fresh())
    assert {shown_endpoint.state for shown_endpoint in home.endpoints} == {State.UNKNOWN}
    assert {
        day.letter for shown_endpoint in home.endpoints for day in shown_endpoint.history.days
    } == {"n"}
    assert {shown_endpoint.availability_90d for shown_endpoint in home.endpoints} == {None}
    assert home.picks == ()


def test_a_suspicion_is_not_shown_before_it_is_believed() -> None:
    assert (
        endpoint(fail(worlds.all_good(), key("cf-cdn"), FailureKind.BAD_GATEWAY), "cf-cdn")
        is State.OPERATIONAL
    )


def test_a_first_run_that_failed_is_not_green_either() -> None:
    snapshot = worlds.all_good()
    bare = {
        name: replace(history, last_24h=Rollup(), recent=())
        for name, history in snapshot.checks.items()
    }
    first = fail(replace(snapshot, checks=bare), key("cf-cdn"), FailureKind.BAD_GATEWAY)
    assert endpoint(first, "cf-cdn") is State.UNKNOWN


def test_an_old_result_is_no_result() -> None:
    later = replace(worlds.all_good(), at=NOW + timedelta(minutes=30))
    assert page(later).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("states", "main", "expected"),
    [
        ([State.OPERATIONAL, State.OPERATIONAL], State.OPERATIONAL, State.OPERATIONAL),
        ([State.MAJOR, State.OPERATIONAL], State.MAJOR, State.MAJOR),  # its main check
        ([State.MAJOR, State.OPERATIONAL], State.OPERATIONAL, State.PARTIAL),
        ([State.MAJOR, State.UNKNOWN], State.UNKNOWN, State.PARTIAL),
        ([State.DEGRADED, State.OPERATIONAL], State.OPERATIONAL, State.DEGRADED),
        ([State.UNKNOWN, State.OPERATIONAL], State.UNKNOWN, State.UNKNOWN),
        ([State.UNKNOWN, State.OPERATIONAL], State.OPERATIONAL, State.OPERATIONAL),
        ([State.UNKNOWN, State.UNKNOWN], State.UNKNOWN, State.UNKNOWN),
    ],
)
def test_the_state_of_an_endpoint(states: list[State], main: State, expected: State) -> None:
    assert endpoint_state(states, main) is expected


def test_a_kind_of_call_that_fails_everywhere_is_named_and_the_service_is_up_while_another_works() -> (
    None
):
    snapshot = worlds.all_good()
    for check in CHECKS:
        if check.probe.id == "embeddings":
            snapshot = fail(snapshot, check.key, FailureKind.NO_CHANNEL, 1)
    home = page(snapshot)
    assert home.headline == (
        "The service is up. Requests for embeddings fail through every base URL."
    )
    assert home.text == "Requests for chat succeed through every base URL."
    assert (home.state, home.service.state) == (State.PARTIAL, State.PARTIAL)
    assert (home.service.what, home.service.note) == ("Up", "2 of 3 kinds of calls are answered")


def test_fastest_now_and_where_that_one_cuts_long_calls_the_best_that_does_not() -> None:
    def shown(snapshot: Snapshot) -> list[tuple[str, float, bool, bool]]:
        return [
            (pick.host, pick.median_ms, pick.long_call, pick.cut_after is None)
            for pick in page(snapshot).picks
        ]

    assert shown(worlds.all_good()) == [("api.ohmygpt.com", 640.0, False, True)]
    assert shown(worlds.mixed()) == [("www.aigptx.top", 940.0, False, True)]
    snapshot = worlds.all_good()
    quick = key("cf-cdn")
    fast = tuple(result(quick, 99, run.at) for run in snapshot.checks[quick].recent)
    snapshot = replace(
        snapshot, checks={**snapshot.checks, quick: replace(snapshot.checks[quick], recent=fast)}
    )
    assert shown(snapshot) == [
        ("cfcus02.opapi.win", 99.0, False, False),
        ("api.ohmygpt.com", 640.0, True, True),
    ]


def test_a_kind_of_call_counts_as_answered_where_any_base_url_answers_it() -> None:
    assert page(worlds.all_good()).service.note == "All 3 kinds of calls are answered"
    snapshot, chats = worlds.all_good(), [c.key for c in CHECKS if c.key.endswith("/chat")]
    for check in chats[1:]:
        snapshot = fail(snapshot, check, FailureKind.AUTH_INVALID)
    assert page(snapshot).service.note == "All 3 kinds of calls are answered"
    snapshot = fail(snapshot, chats[0], FailureKind.AUTH_INVALID)
    triage = page(snapshot).service
    assert (triage.what, triage.note) == ("Not known", "Its main call is not measured")


@pytest.mark.parametrize(
    ("kinds", "title", "chinese"),
    [
        ([FailureKind.BAD_GATEWAY], "2 base URLs: bad gateway", "网关错误"),
        (
            [FailureKind.TLS_RESET],
            "2 base URLs: bad gateway and reset during TLS",
            "网关错误和\xa0TLS 握手被重置",
        ),
        (
            [FailureKind.TLS_RESET, FailureKind.SLOW, FailureKind.TRUNCATED],
            "4 base URLs: different reasons",
            "原因不一",
        ),
    ],
)
def test_a_title_names_the_reasons_of_all_base_urls_not_the_first_ones_alone(
    kinds: list[FailureKind], title: str, chinese: str
) -> None:
    where = [key(name) for name in ("proxy-1", "proxy-2", "cf-cdn", "us-direct")]
    some = where[: 1 + len(kinds)]
    storm = incident(9, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=5), None, *some)
    joined = zip(storm.timeline[1:], kinds, strict=True)
    timeline = (storm.timeline[0], *(replace(entry, kind=kind) for entry, kind in joined))
    home = page(replace(worlds.all_good(), incidents=(replace(storm, timeline=timeline),)))
    assert home.current[0].title == title
    assert home.others[0].current[0].title.endswith(chinese)


def test_an_incident_says_what_to_use_instead_but_never_a_base_url_that_it_covers() -> None:
    blocked, slow = page(worlds.mixed()).current
    assert (blocked.title, blocked.instead) == (
        "Direct to the US origin: DNS pollution suspected",
        "https://www.aigptx.top",
    )
    assert slow.title == "Cloudflare Worker: slow"
    assert page(worlds.everything_down()).current[0].instead is None


def test_an_incident_says_what_to_do_only_while_it_goes_on() -> None:
    world = worlds.mixed()
    closed = tuple(replace(each, closed=NOW, active=frozenset()) for each in world.incidents)
    shown = page(world).current[0], page(replace(world, incidents=closed)).incidents[0]
    assert [(each.id, bool(each.do)) for each in shown] == [
        (shown[0].id, True),
        (shown[0].id, False),
    ]


def test_another_base_url_of_the_same_host_may_be_used_instead() -> None:
    """A host may have several, by path: one that fails says nothing of the other."""

    def moved(endpoint: Endpoint) -> Endpoint:
        url = {"us-direct": "https://one.example/a", "proxy-1": "https://one.example/b"}
        return replace(endpoint, url=url.get(endpoint.id, endpoint.url))

    site = replace(
        SITE,
        services=(replace(SERVICE, endpoints=tuple(map(moved, SERVICE.endpoints))),),
        checks=tuple(replace(check, endpoint=moved(check.endpoint)) for check in CHECKS),
    )
    shown = page(worlds.mixed(), site)
    assert shown.current[0].title == "Direct to the US origin: DNS pollution suspected"
    assert shown.current[0].instead == "https://one.example/b" == shown.picks[0].url


def days_of(*incidents: Incident, main: str = key("cf-cdn")) -> dict[date, Day]:
    measured = {NOW.date() - timedelta(days=back): Rollup(outcomes={"up": 9}) for back in range(3)}
    checks = frozenset(key("cf-cdn", probe) for probe in PROBE_IDS)
    shown = last_days(NOW.date(), measured, incidents, main, checks, NOW, timedelta(minutes=5))
    assert len(shown) == 90
    return {day.day: day for day in shown}


def test_a_day_shows_its_worst_confirmed_state_and_for_how_long() -> None:
    midnight = datetime(2026, 11, 23, tzinfo=NOW.tzinfo)
    by_day = days_of(
        incident(
            1,
            Severity.DOWN,
            FailureKind.BAD_GATEWAY,
            midnight - timedelta(minutes=10),
            30,
            key("cf-cdn"),
        ),
        incident(2, Severity.DEGRADED, FailureKind.SLOW, ago(hours=3), 60, key("cf-cdn")),
    )
    assert [
        (
            by_day[NOW.date() - timedelta(days=back)].letter,
            by_day[NOW.date() - timedelta(days=back)].minutes,
        )
        for back in (0, 1, 2, 3)
    ] == [("x", 20), ("x", 10), ("o", 0), ("n", 0)]


def test_a_side_check_that_was_down_is_a_partial_day_and_the_accounts_trouble_none() -> None:
    side = days_of(
        incident(
            1, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(hours=2), 30, key("cf-cdn", "models")
        )
    )
    account = days_of(
        incident(1, Severity.ACCOUNT, FailureKind.AUTH_INVALID, ago(hours=2), 30, key("cf-cdn"))
    )
    other = days_of(
        incident(1, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(hours=2), 30, key("proxy-1"))
    )
    assert [days[NOW.date()].letter for days in (side, account, other)] == ["p", "o", "o"]


def test_a_failure_never_rounds_up_to_a_hundred_percent() -> None:
    assert say.percent(1.0) == "100\u00a0%"
    assert say.percent(0.999999) == "99.99\u00a0%"


def test_the_pick_changes_only_when_another_is_clearly_better_three_times_in_a_row() -> None:
    def ranked(first: float, second: float) -> list[Candidate]:
        return sorted(
            [Candidate("a", first), Candidate("b", second)],
            key=lambda candidate: candidate.milliseconds,
        )

    pick = choose(Pick(), ranked(100, 120))
    assert pick.endpoint == "a"
    picked = []
    for first, second in [
        (100, 95),
        (100, 80),
        (100, 80),
        (101, 80),
        (100, 95),
        (100, 80),
        (101, 81),
        (102, 80),
    ]:
        pick = choose(pick, ranked(first, second))
        picked.append(pick.endpoint)
    assert picked == ["a", "a", "a", "a", "a", "a", "a", "b"]
    assert choose(pick, [Candidate("a", 500)]).endpoint == "a"
    assert choose(pick, []).endpoint is None


def test_a_service_that_is_not_public_is_nowhere() -> None:
    hidden = replace(SITE, services=(replace(SERVICE, public=False),))
    home, _ = view(hidden, worlds.mixed(), {})
    assert (home.services, home.incidents, home.endpoints) == ((), (), ())


def test_a_stopped_page_is_valid_no_longer_than_it_was_written() -> None:
    home = page(worlds.stopped())
    assert (home.stopped_at, home.valid_until) == (NOW, NOW)


def test_no_text_of_an_endpoint_reaches_the_page() -> None:
    secret = "xyzzy from the endpoint"
    snapshot = worlds.mixed()
    loud = tuple(
        replace(incident, failure=replace(incident.failure, message=secret))
        for incident in snapshot.incidents
    )
    assert secret not in repr(page(replace(snapshot, incidents=loud)))


def test_an_incident_of_the_monitor_does_not_name_a_service_that_is_not_public() -> None:
    own = replace(worlds.offline().incidents[0], checks=(key("cf-cdn"), WEB_CHECKS[0].key))
    more = SITES["crowded"]
    half = replace(more, services=(SERVICE, replace(more.services[1], public=False)))
    home = page(replace(worlds.all_good(), incidents=(own,)), half)
    assert [story.endpoints for story in home.incidents] == [("ohmygpt/cf-cdn",)]


def test_the_accounts_trouble_of_a_service_that_is_not_public_is_not_told() -> None:
    account = replace(worlds.rejected_key().incidents[0], service="sites")
    home = page(replace(worlds.all_good(), incidents=(account,)))
    assert home.text == "Requests succeed through all 6 base URLs."


def test_a_base_url_that_fails_shows_no_figure_of_better_times() -> None:
    speaking = {
        shown_endpoint.path: shown_endpoint.speaks
        for shown_endpoint in page(worlds.mixed()).endpoints
    }
    assert [path for path, speaks in speaking.items() if not speaks] == ["ohmygpt/us-direct"]


def test_an_incident_that_goes_on_is_among_those_of_its_day_and_an_unseen_day_is_not_quiet() -> (
    None
):
    today = page(worlds.mixed()).past[0]
    assert [(story.id, story.phase) for story in today.incidents] == [
        (9, "Ongoing"),
        (8, "Ongoing"),
    ]
    assert {day.measured for day in page(worlds.all_good()).past} == {True}
    assert {day.measured for day in page(worlds.fresh()).past} == {False}


def test_of_a_day_that_was_imported_nobody_says_that_it_was_quiet() -> None:
    good = worlds.all_good()
    key = CHECKS[0].key
    until = replace(good, imported_until={key: NOW - timedelta(days=2)})
    days = page(until).past
    assert [day.imported for day in days] == [False, True]
    assert days[1].day == (NOW - timedelta(days=2)).date()
    elsewhere = replace(good, imported_until={"another/base/chat": NOW})
    assert not any(day.imported for day in page(elsewhere).past)


def test_a_chart_is_shaded_while_its_main_check_was_in_an_incident() -> None:
    shades = {
        shown_endpoint.path: shown_endpoint.shades
        for shown_endpoint in page(worlds.mixed()).endpoints
    }
    assert shades["ohmygpt/us-direct"] == ((State.MAJOR, 1 - 138 / 1440, 1.0),)
    assert shades["ohmygpt/cf-worker"] == ((State.DEGRADED, 1 - 44 / 1440, 1.0),)
    assert shades["ohmygpt/proxy-1"] == ()


def test_what_probes_cost_and_what_failing_calls_got_is_nobodys_business_unless_said() -> None:
    silent, telling = page(worlds.told()), page(worlds.told(), SITES["told"])
    assert [service.spend for service in silent.services] == [None]
    assert {shown_endpoint.errors for shown_endpoint in silent.endpoints} == {()}
    spend = telling.services[0].spend
    assert spend is not None
    assert say.amount(spend.month, spend.currency) == "4,000,000\u00a0tokens (1.2000\u00a0USD)"
    blocked = next(
        shown_endpoint
        for shown_endpoint in telling.endpoints
        if shown_endpoint.path == "ohmygpt/us-direct"
    )
    assert [(error.check, error.kind) for error in blocked.errors] == [
        (probe, FailureKind.DNS_POISONED) for probe in PROBE_IDS
    ]


def test_what_spreads_within_one_minute_is_one_update_for_people_and_all_of_them_for_programs() -> (
    None
):
    (story,) = page(worlds.everything_down()).current
    assert len(story.updates) == len(CHECKS)
    spread, began = story.shown
    assert began.text == (
        "Direct to the US origin (models) failed. The proxy could not reach the service behind it."
    )
    assert spread.label == "Spread"
    assert spread.text.startswith("Direct to the US origin (chat and embeddings), Cloudflare CDN (")
    assert spread.text.endswith(
        "Premium reverse proxy 2 (models, chat and embeddings) failed as well."
    )


def test_nobody_is_sent_to_another_base_url_where_all_of_them_fail() -> None:
    (story,) = page(worlds.everything_down()).current
    assert story.do == "Try again later."
    (blocked, *_) = page(worlds.mixed()).current
    assert blocked.do == "Use another base URL, or an encrypted resolver."


def test_the_network_is_not_blamed_for_a_service_that_is_down() -> None:
    home = page(worlds.everything_down())
    assert home.text == "No request succeeds through any base URL."
    assert (home.service.what, home.service.note) == ("Down", "Every base URL fails")
    assert (home.network.state, home.network.what, home.network.note) == (
        State.OPERATIONAL,
        "No blocking seen",
        "The failures have other causes",
    )


@pytest.mark.parametrize(
    ("vantage", "names", "english", "chinese"),
    [
        ("local", (), "from here", "从这里"),
        ("fra", (), "from fra", "从\u00a0fra"),
        ("fra", (("en", "Frankfurt"), ("zh-CN", "法兰克福")), "from Frankfurt", "从法兰克福"),
    ],
)
def test_the_page_says_where_it_was_measured_by_the_name_of_the_place(
    vantage: str, names: tuple[tuple[str, str], ...], english: str, chinese: str
) -> None:
    site = replace(SITE, vantage=vantage, vantage_names=names)
    shown, _ = view(site, worlds.mixed(), {})
    assert [home.whence for home in (shown, *shown.others)] == [english, chinese]


def test_what_left_the_configuration_while_it_was_bad_is_not_called_well() -> None:
    snapshot = worlds.mixed()
    incident = snapshot.incidents[0]
    end = TimelineEntry(at=NOW, what=EntryKind.RESOLVED, check=incident.checks[0], text=UNWATCHED)
    timeline = (*incident.timeline, end)
    gone = replace(incident, active=frozenset(), closed=NOW, timeline=timeline)
    shown = page(replace(snapshot, incidents=(gone,)))
    (story,) = [card for card in shown.incidents if card.id == gone.id]
    (last,) = [update for update in story.updates if update.what is EntryKind.RESOLVED]
    assert last.label == "No longer watched"
    assert last.text.endswith("left the configuration; whether it works again is not known.")


@pytest.mark.parametrize("severity", Severity)
def test_each_kind_of_entry_has_its_words_wherever_it_was_seen(severity: Severity) -> None:
    snapshot = worlds.mixed()
    check = snapshot.incidents[0].checks[0]
    entries = [
        TimelineEntry(at=NOW, what=what, check=check, vantage=vantage, text=text)
        for what in EntryKind
        for vantage in ("", "cn")
        for text in ("", UNWATCHED, NOT_HEARD)
    ]
    incident = replace(snapshot.incidents[0], severity=severity, timeline=tuple(entries))
    shown = page(replace(snapshot, incidents=(incident,)))
    (story,) = [card for card in shown.incidents if card.id == incident.id]
    silent = [update.what for update in story.updates if not update.label or not update.text]
    assert {*silent} <= {EntryKind.NOTE}


def test_a_card_over_several_base_urls_says_of_each_why_it_fails() -> None:
    first, second = (check.key for check in (CHECKS[0], CHECKS[-1]))
    opened = ago(minutes=9)
    both = incident(1, Severity.DOWN, FailureKind.TCP_REFUSED, opened, None, first)
    joined = TimelineEntry(
        at=opened, what=EntryKind.JOINED, check=second, kind=FailureKind.TLS_RESET
    )
    both = replace(
        both,
        checks=(first, second),
        active=frozenset({first, second}),
        timeline=(*both.timeline, joined),
    )
    (card,) = page(replace(worlds.all_good(), incidents=(both,))).incidents
    assert card.title == "2 base URLs: connection refused and reset during TLS"
    assert card.what.startswith(
        "Direct to the US origin: The server refuses connections. Premium reverse proxy 2: "
        "The connection is cut while encryption is set up; interference is suspected. At fault: "
    )
    assert card.do == "Use another base URL. Use a base URL with another name."

    left = incidents.leave(both, first, NOW)
    (card,) = page(replace(worlds.all_good(), incidents=(left,))).incidents
    assert card.title == "Premium reverse proxy 2: reset during TLS"
    assert "refuses" not in card.what


def test_a_card_says_that_nobody_is_told_only_while_nobody_is() -> None:
    began = incident(
        1, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=30), None, key("cf-cdn")
    )
    entry = TimelineEntry(
        at=ago(minutes=29), what=EntryKind.MUTED, text="only some vantages see it"
    )
    muted = replace(began, timeline=(*began.timeline, entry), muted=Mute.PARTIAL, announced=False)
    told = replace(muted, muted=None, announced=True, told_at=ago(minutes=19))
    snapshot = fail(worlds.all_good(), key("cf-cdn"), FailureKind.BAD_GATEWAY, 1)

    def words(known: Incident) -> str:
        (card,) = page(replace(snapshot, incidents=(known,))).current
        return next(update.text for update in card.updates if update.what is EntryKind.MUTED)

    assert words(muted) == "Messages are muted."
    assert words(told) == "Messages were muted until 23 Nov, 13:23 UTC."
    soon = replace(told, told_at=ago(minutes=29) + timedelta(seconds=20))
    assert words(soon) == "Messages were muted for less than a minute."
    assert words(replace(muted, muted=None)) == "Messages were muted."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2 of 5", "Cloudflare CDN (chat) failed from 2 of the 5 places that measured it."),
        ("", "Cloudflare CDN (chat) failed from more places."),
    ],
)
def test_a_turn_names_the_votes_that_were_counted_and_never_most(text: str, words: str) -> None:
    began = incident(
        1, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=30), None, key("cf-cdn")
    )
    turn = TimelineEntry(at=ago(minutes=9), what=EntryKind.WIDENED, check=key("cf-cdn"), text=text)
    snapshot = fail(worlds.all_good(), key("cf-cdn"), FailureKind.BAD_GATEWAY, 1)
    known = replace(began, timeline=(*began.timeline, turn))
    (card,) = page(replace(snapshot, incidents=(known,))).current
    assert card.updates[0].text == words


def test_a_base_url_is_named_by_its_host_only_where_that_is_all_of_it() -> None:
    shown = {
        "https://api.example.com": "api.example.com",
        "https://api.example.com/": "api.example.com",
        "https://api.example.com/v1": "https://api.example.com/v1",
        "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    }
    first = page(worlds.all_good()).endpoints[0]
    for url, name in shown.items():
        host = url.split("://")[1].split("/")[0]
        assert replace(first, url=url, host=host).shown == name
    assert replace(first, url=None, host="").shown == first.name
