"""The page where several places probe: what it says of each, and that it never says more than is known."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from page_cast import (
    CHECKS,
    NOW,
    SITE,
    SITE_WITH_MORE,
    WEB_CHECKS,
    ago,
    fail,
    history,
    incident,
    key,
)
from page_text import page_text
from places_cast import (
    CN,
    HK,
    LAPTOP,
    SITE_OF_PLACES,
    VANTAGES,
    all_of_shanghai,
    blocked_from_shanghai,
    failing,
    heard,
    partly,
    places,
    seen,
)
from rendering import rendered

from monitor.model import (
    AgentState,
    CheckHistory,
    EntryKind,
    FailureKind,
    Incident,
    Outcome,
    Severity,
    Snapshot,
    TimelineEntry,
)
from monitor.page import PageView, RenderCache, Renderer, Site, view
from monitor.page.states import WORKING, State
from monitor.page.vantage_looks import seen_from
from monitor.page.view_models import EndpointView, VantageView
from monitor.telegram import replies


def page(snapshot: Snapshot, site: Site = SITE_OF_PLACES) -> PageView:
    return view(site, snapshot, {})[0]


def at(place: str, snapshot: Snapshot) -> PageView:
    """The home page of one place."""
    return next(view for view in page(snapshot).by_vantage if view.vantage == place)


# --- the sentences ----------------------------------------------------------------------------------


def test_what_is_blocked_on_the_way_from_one_place_is_not_down() -> None:
    shown = page(blocked_from_shanghai())
    assert shown.state is State.PARTIAL
    assert shown.headline == "The service is up. 2 base URLs are not reachable from Shanghai."
    assert shown.text == (
        "From Shanghai requests succeed through 4 of 6 base URLs."
        " From Frankfurt and Hong Kong requests succeed through all 6 base URLs."
        " Laptop is not heard since 23 Nov, 10:42 UTC."
    )
    assert (shown.service.state, shown.service.what) == (State.OPERATIONAL, "Up")
    assert (shown.network.what, shown.network.note) == ("2\u00a0blocked", "from Shanghai")
    first, second = shown.current
    assert first.title == "Direct to the US origin: DNS pollution suspected, from Shanghai"
    assert second.what == (
        "The server does not answer. It is blocked on the way from Shanghai: it works from Frankfurt and Hong Kong."
    )
    assert {(card.instead_from, card.instead) for card in shown.current} == {
        ("Shanghai", "https://www.aigptx.top")
    }


def test_places_that_see_the_same_share_one_sentence() -> None:
    two_down = failing(seen(CN), 9, FailureKind.CONNECT_TIMEOUT, "us-direct", "cf-cdn")
    agents = (heard(CN, seconds=8), heard(HK, seconds=3), heard(LAPTOP, seconds=5))
    shown = page(
        places({CN: two_down, HK: two_down, LAPTOP: seen(LAPTOP)}, own=two_down, agents=agents)
    )
    assert shown.text == (
        "From Frankfurt, Shanghai and Hong Kong requests succeed through 4 of 6 base URLs."
        " From Laptop requests succeed through all 6 base URLs."
    )


def test_how_we_measure_names_every_place_that_measures() -> None:
    files = rendered(page(blocked_from_shanghai()))
    text = page_text(files["method.html"].decode())
    assert "every base URL from Frankfurt, Shanghai and Hong Kong, up to once every" in text


def test_a_service_that_one_place_cannot_reach_is_up() -> None:
    shown = page(all_of_shanghai())
    assert shown.headline == "The service is up, but not reachable from Shanghai."
    assert shown.state is State.PARTIAL
    assert (shown.service.what, shown.service.note) == ("Up", "Not reachable from Shanghai")
    assert at(CN, all_of_shanghai()).headline == "The service cannot be reached from Shanghai."
    assert at(HK, all_of_shanghai()).headline == "All base URLs work."


def test_a_service_that_fails_everywhere_is_down_and_one_that_the_others_cannot_see_is_down_from_there() -> (
    None
):
    names = tuple(dict.fromkeys(check.endpoint.id for check in CHECKS))

    def bad(place: str) -> Mapping[str, CheckHistory]:
        return failing(seen(place), 9, FailureKind.BAD_GATEWAY, *names)

    keys = tuple(check.key for check in CHECKS)
    whole = incident(9, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=9), None, *keys)
    whole = replace(whole, bad_from=dict.fromkeys(keys, (CN, "fra", HK)))
    elsewhere = {CN: bad(CN), HK: bad(HK), LAPTOP: bad(LAPTOP)}
    awake = (heard(CN, seconds=1), heard(HK, seconds=1), heard(LAPTOP, seconds=1))
    everywhere = page(places(elsewhere, whole, own=bad("fra"), agents=awake))
    assert (everywhere.headline, everywhere.state) == ("The service is down.", State.MAJOR)
    assert everywhere.current[
        0
    ].title == "6 base URLs: bad gateway, from cn, Frankfurt and Hong Kong".replace(
        "cn", "Shanghai"
    )
    asleep = page(places(elsewhere, whole, own=bad("fra")))
    assert asleep.headline == "The service is down from Frankfurt, Shanghai and Hong Kong."
    assert asleep.state is State.MAJOR


def test_good_news_names_the_places_that_it_comes_from_where_another_is_silent() -> None:
    elsewhere = {CN: seen(CN), HK: seen(HK), LAPTOP: seen(LAPTOP)}
    assert page(places(elsewhere)).headline == (
        "All base URLs work from Frankfurt, Shanghai and Hong Kong."
    )
    awake = (heard(CN, seconds=1), heard(HK, seconds=1), heard(LAPTOP, seconds=1))
    assert page(places(elsewhere, agents=awake)).headline == "All base URLs work."
    blind = (*awake[:2], replace(awake[2], blind=True))
    shown = page(places(elsewhere, agents=blind))
    assert shown.text.endswith("Laptop cannot see now: its own network or machine fails.")
    new = page(places({CN: seen(CN), HK: seen(HK)}, agents=awake[:2]))
    assert new.text.endswith("Laptop has not been heard yet.")


def test_a_place_that_is_heard_and_has_measured_nothing_yet_says_nothing_of_all() -> None:
    awake = (heard(CN, seconds=1), heard(HK, seconds=1), heard(LAPTOP, seconds=1))
    shown = page(places({CN: seen(CN), HK: seen(HK)}, agents=awake))
    assert shown.headline == "All base URLs work from Frankfurt, Shanghai and Hong Kong."
    assert shown.measured_whence == "from Frankfurt, Shanghai and Hong Kong"


def test_what_most_places_cannot_reach_is_blocked_on_the_way_for_its_card_too() -> None:
    """The card, the table and the text are of one fact."""
    kind = FailureKind.CONNECT_TIMEOUT
    most = replace(partly(9, kind, (CN, "fra"), "us-direct"), severity=Severity.DOWN)
    shown = page(
        places(
            {CN: failing(seen(CN), 9, kind, "us-direct"), HK: seen(HK)},
            replace(most, partial=frozenset()),
            own=failing(seen("fra"), 9, kind, "us-direct"),
            agents=(heard(CN, seconds=1), heard(HK, seconds=1)),
        )
    )
    way = "blocked on the way from Frankfurt and Shanghai: it works from Hong Kong."
    assert f"api.ohmygpt.com is {way}" in shown.text
    (card,) = shown.current
    assert card.what == (
        "The server does not answer. It is blocked on the way from Shanghai and Frankfurt: it works from Hong Kong."
    )


def test_where_not_all_places_know_of_a_service_it_is_said_who_sees_it_down() -> None:
    """The triage says no more than the headline does."""
    unknown = Snapshot(at=NOW, checks=seen("fra"), incidents=())
    for check in CHECKS:
        unknown = fail(unknown, check.key, FailureKind.NO_KEY, None)
    for kind, note in (
        (FailureKind.BAD_GATEWAY, "Fails from Shanghai"),
        (FailureKind.DNS_POISONED, "Not reachable from Shanghai"),
    ):
        cn = failing(seen(CN), 9, kind, *_NAMES)
        shown = page(places({CN: cn, HK: seen(HK)}, own=unknown.checks, agents=(heard(CN),)))
        assert (shown.service.what, shown.service.note) == ("Down", note)


def test_what_to_use_is_for_the_place_that_has_measured_it() -> None:
    """Users sit in Shanghai, which does not probe the service that is in trouble."""
    dice = Random(1)
    web = {check.key: history(check, dice, days=4) for check in WEB_CHECKS}
    cn, hk, _ = VANTAGES
    site = replace(
        SITE_OF_PLACES,
        services=SITE_WITH_MORE.services,
        checks=SITE_WITH_MORE.checks,
        vantages=(replace(cn, services=frozenset({"sites"})), hk),
    )
    own = failing(seen("fra"), 9, FailureKind.BAD_GATEWAY, "us-direct")
    agents = (heard(CN, seconds=1), heard(HK, seconds=1))
    snapshot = places({CN: web, HK: {**seen(HK), **web}}, own={**own, **web}, agents=agents)
    lines = page_text(rendered(page(snapshot, site))["index.html"].decode()).splitlines()
    assert "From Frankfurt use OhMyGPT https://www.aigptx.top" in lines
    assert [line for line in lines if "From Shanghai use OhMyGPT" in line] == []


def test_what_a_place_has_measured_too_little_of_to_choose_is_not_called_unknown() -> None:
    """It works there, and says so; only which is the best is not known yet."""
    few = {name: replace(known, recent=known.recent[-1:]) for name, known in seen(CN).items()}
    html = rendered(page(places({CN: few, HK: seen(HK)})))["index.html"].decode()
    text = page_text(html)
    assert "From Shanghai there are not enough recent good results to choose by." in text
    assert "From Shanghai no base URL is known to work well" not in text
    assert "From Hong Kong use" in text


def test_a_card_names_what_works_from_there_though_it_is_too_early_to_rank() -> None:
    cn = failing(seen(CN), 9, FailureKind.DNS_POISONED, "us-direct")
    few = {name: replace(known, recent=known.recent[-1:]) for name, known in cn.items()}
    whole = partly(9, FailureKind.DNS_POISONED, (CN,), "us-direct")
    (story,) = page(places({CN: few, HK: seen(HK)}, whole)).current
    assert story.instead_from == "Shanghai"
    assert story.instead not in {None, "https://us-direct.example"}
    everything = failing(seen(CN), 9, FailureKind.DNS_POISONED, *_NAMES)
    (story,) = page(places({CN: everything, HK: seen(HK)}, whole)).current
    assert story.instead is None


_NAMES = tuple(dict.fromkeys(check.endpoint.id for check in CHECKS))


def test_a_place_that_is_not_heard_says_nothing_of_now() -> None:
    gone = at(LAPTOP, blocked_from_shanghai())
    assert gone.headline == "Laptop is not heard since 23 Nov, 10:42 UTC."
    assert {endpoint.state for endpoint in gone.endpoints} == {State.UNKNOWN}
    assert gone.picks == ()
    assert gone.endpoints[0].availability_90d == 1.0


def test_a_monitor_without_a_name_of_its_own_is_spoken_of_in_words() -> None:
    site = replace(SITE_OF_PLACES, vantage="local", vantage_names=())
    english = page(all_of_shanghai(), site)
    assert "the monitor's location" in english.current[0].what
    assert english.vantages[0].title == "The monitor's location"
    assert english.whence == "from the monitor's location"
    assert "监控所在地" in english.others[0].current[0].what


def test_a_place_without_a_key_is_judged_by_what_needs_none() -> None:
    checks = dict(seen(CN))
    for check in CHECKS:
        if check.probe.id != "models":
            checks = dict(
                fail(
                    Snapshot(at=NOW, checks=checks, incidents=()), check.key, FailureKind.NO_KEY
                ).checks
            )
    shown = page(places({CN: checks, HK: seen(HK), LAPTOP: seen(LAPTOP)}))
    cn = next(vantage for vantage in shown.vantages if vantage.id == CN)
    assert {(endpoint.state, endpoint.main) for endpoint in cn.endpoints} == {
        (State.OPERATIONAL, "models")
    }
    assert "Shanghai Models" in page_text(rendered(shown)["index.html"].decode())


# --- incidents as one place sees them ---------------------------------------------------------------


def test_an_incident_is_each_places_own_from_when_it_saw_it_until_it_was_well_there() -> None:
    check = key("us-direct")
    turns = (
        TimelineEntry(at=ago(minutes=50), what=EntryKind.JOINED, check=check, vantage=HK),
        TimelineEntry(at=ago(minutes=20), what=EntryKind.LEFT, check=check, vantage=CN),
    )
    whole = replace(
        incident(9, Severity.PARTIAL, FailureKind.DNS_POISONED, ago(hours=1), None, check),
        partial=frozenset({check}),
        bad_from={check: (HK,)},
        timeline=turns,
    )
    cn, hk = seen_from(whole, CN, "fra"), seen_from(whole, HK, "fra")
    assert cn is not None
    assert hk is not None
    assert (cn.opened, cn.closed, cn.active) == (ago(hours=1), ago(minutes=20), frozenset())
    assert (hk.opened, hk.closed, hk.active) == (ago(minutes=50), None, frozenset({check}))
    assert {cn.severity, hk.severity} == {Severity.DOWN}
    assert seen_from(whole, "fra", "fra") is None
    alone = incident(8, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(days=9), 20, check)
    assert seen_from(alone, "fra", "fra") == alone
    assert seen_from(alone, CN, "fra") is None


def test_of_each_place_is_told_what_spread_there_and_of_no_other() -> None:
    models, chat = key("us-direct", "models"), key("us-direct", "chat")
    joined = [(chat, ""), (models, HK), (chat, HK), (models, CN)]
    whole = incident(9, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=9), None, models, chat)
    entries = (
        TimelineEntry(
            at=ago(minutes=9),
            what=EntryKind.JOINED,
            check=check,
            kind=whole.failure.kind,
            vantage=place,
        )
        for check, place in joined
    )
    snapshot = places({HK: seen(HK), CN: seen(CN)}, replace(whole, timeline=tuple(entries)))
    (story,) = page(snapshot).current
    assert [update.text for update in reversed(story.shown)] == [
        "Direct to the US origin (chat) failed as well.",
        "Direct to the US origin (models and chat) failed from Hong Kong as well.",
        "Direct to the US origin (models) failed from Shanghai as well.",
    ]


def test_from_where_each_of_two_base_urls_fails_is_said_where_that_is_not_the_same() -> None:
    names = {"us-direct": (CN, HK), "cf-worker": (CN,), "cf-cdn": (CN,)}
    checks = {key(name): seeing for name, seeing in names.items()}
    whole = incident(9, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=9), None, *checks)
    snapshot = places({HK: seen(HK), CN: seen(CN)}, replace(whole, bad_from=checks))
    (story,) = page(snapshot).current
    assert story.title == "3 base URLs: bad gateway"
    assert story.what.endswith(
        "Direct to the US origin fails from Shanghai and Hong Kong. Cloudflare Worker and Cloudflare CDN fail from"
        " Shanghai."
    )


def test_what_was_heard_later_is_told_of_its_place_and_moves_no_begin_and_no_end_there() -> None:
    check = key("us-direct")
    whole = incident(9, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(hours=3), 60, check)
    late = TimelineEntry(
        at=ago(hours=2.5),
        what=EntryKind.HEARD_LATE,
        check=check,
        kind=FailureKind.DNS_POISONED,
        vantage=CN,
    )
    begin, *rest = whole.timeline
    whole = replace(whole, timeline=(begin, late, *rest), bad_from={check: ("fra", HK)})
    snapshot = places({HK: seen(HK), CN: seen(CN)}, whole)
    (told,) = [
        update
        for day in page(snapshot).past
        for story in day.incidents
        for update in story.updates
        if update.what is EntryKind.HEARD_LATE
    ]
    assert (told.label, told.at) == ("Heard later", ago(hours=2.5))
    assert told.text.startswith("Direct to the US origin (chat) failed from Shanghai as well. ")
    assert seen_from(whole, CN, "fra") is None


def test_the_bars_of_one_place_hold_no_trouble_of_another() -> None:
    shown = page(blocked_from_shanghai())
    bars = {
        vantage.id: vantage.by_path["ohmygpt/us-direct"].history.days[-1].state
        for vantage in shown.vantages
    }
    assert bars == {
        "fra": State.OPERATIONAL,
        CN: State.MAJOR,
        HK: State.OPERATIONAL,
        LAPTOP: State.OPERATIONAL,
    }


# --- files ------------------------------------------------------------------------------------------


def test_programs_read_what_each_place_sees() -> None:
    files = rendered(page(blocked_from_shanghai()))
    status = json.loads(files["status.json"])
    assert [(each["id"], each["name"], each["state"]) for each in status["vantages"]] == [
        ("fra", "Frankfurt", "operational"),
        (CN, "Shanghai", "partial_outage"),
        (HK, "Hong Kong", "degraded_performance"),
        (LAPTOP, "Laptop", "unknown"),
    ]
    assert status["vantages"][1]["heard_at"] == "2026-11-23T13:41:57Z"
    assert status["vantages"][1]["offset_ms"] == 12
    first = status["services"][0]["endpoints"][0]
    assert first["state"] == "operational"
    assert {place: (each["state"], each["fault"]) for place, each in first["from"].items()} == {
        "fra": ("operational", None),
        CN: ("major_outage", "path"),
        HK: ("operational", None),
        LAPTOP: ("unknown", None),
    }
    assert files["best/cn.txt"] == b"https://www.aigptx.top\n"
    assert files["best/fra.txt"] == b"https://api.ohmygpt.com\n"
    assert files["best/laptop.txt"] == b"\n"
    assert json.loads(files["best/laptop.json"])["services"] == {"ohmygpt": None}
    assert json.loads(files["badge/cn.json"])["message"] == "partial outage"
    assert json.loads(files["badge/cn/ohmygpt/us-direct.json"])["message"] == "major outage"
    assert json.loads(files["badge/ohmygpt/us-direct.json"])["message"] == "operational"


def test_a_bot_that_is_asked_for_the_best_base_url_says_it_of_each_place() -> None:
    assert replies.best(page(blocked_from_shanghai()), "").splitlines() == [
        "Frankfurt: OhMyGPT: use https://api.ohmygpt.com (median 640 ms).",
        "Shanghai: OhMyGPT: use https://www.aigptx.top (median 1504 ms).",
        "Hong Kong: OhMyGPT: use https://api.ohmygpt.com (median 512 ms).",
        "Laptop: OhMyGPT: no base URL is known to work well now.",
    ]


@pytest.mark.parametrize(("is_main", "best"), [(True, "best/cn.txt"), (False, "best/fra.txt")])
def test_best_txt_is_that_of_the_place_where_users_sit(is_main: bool, best: str) -> None:
    cn, *others = VANTAGES
    site = replace(SITE_OF_PLACES, vantages=(replace(cn, main=is_main), *others))
    files = rendered(page(blocked_from_shanghai(), site))
    assert files["best.txt"] == files[best]
    assert (
        json.loads(files["best.json"])["services"]
        == (json.loads(files[best.replace("txt", "json")])["services"])
    )


def test_what_a_place_does_not_probe_leaves_its_line_empty() -> None:
    cn, *others = VANTAGES
    site = replace(SITE_OF_PLACES, vantages=(replace(cn, services=frozenset({"none"})), *others))
    shown = page(blocked_from_shanghai(), site)
    assert [vantage.id for vantage in shown.vantages] == ["fra", HK, LAPTOP]
    assert "best/cn.txt" not in rendered(shown)
    assert "Shanghai" not in replies.best(shown, "")


def test_with_one_place_the_page_is_as_if_nobody_had_ever_pushed() -> None:
    alone = Snapshot(at=NOW, checks=seen("fra"), incidents=())
    once = places({CN: seen(CN)}, own=seen("fra"))
    assert dict(rendered(page(once, SITE))) == dict(rendered(page(alone, SITE)))


def test_a_round_without_news_makes_little_anew() -> None:
    cache = RenderCache()
    renderer, picks = Renderer(cache), {}
    rounds = []
    for second in range(2):
        snapshot = replace(blocked_from_shanghai(), at=NOW + timedelta(seconds=second))
        shown, picks = view(SITE_OF_PLACES, snapshot, picks, cache)
        rounds.append(dict(renderer.files(shown)))
    before, after = rounds
    changed = {name for name in after if after[name] != before[name]}
    assert not [name for name in changed if name.endswith((".txt", ".svg", ".atom"))]
    assert not [name for name in changed if name.startswith(("endpoints/", "incidents/"))]


# --- laws -------------------------------------------------------------------------------------------

NAMES = ("us-direct", "cf-cdn")
PLACES = ("fra", CN, HK)
KINDS: Mapping[str, FailureKind | None] = {
    "good": None,
    "slow": FailureKind.SLOW,
    "cut": FailureKind.TRUNCATED,
    "down": FailureKind.BAD_GATEWAY,
    "poisoned": FailureKind.DNS_POISONED,
    "timeout": FailureKind.CONNECT_TIMEOUT,
    "refused": FailureKind.TCP_REFUSED,
    "no key": FailureKind.NO_KEY,
    "never": None,
}
HEARD: Mapping[str, AgentState | None] = {
    "heard": heard(CN, seconds=5),
    "silent": heard(CN, hours=1),
    "blind": replace(heard(CN, seconds=5), blind=True),
    "never": None,
}
Cells = tuple[tuple[str, ...], ...]
"""What each place sees of each base URL."""


@dataclass(frozen=True)
class World:
    cells: Cells
    agents: tuple[str, str]

    def sees(self, place: str) -> bool:
        return place == "fra" or self.agents[PLACES.index(place) - 1] == "heard"

    @property
    def snapshot(self) -> Snapshot:
        checks: dict[str, Mapping[str, CheckHistory]] = {}
        bad: dict[tuple[str, FailureKind], list[str]] = {}
        for place, cells in zip(PLACES, self.cells, strict=True):
            measured = Snapshot(at=NOW, checks=seen(place), incidents=())
            measured = replace(
                measured,
                checks={
                    name: history
                    for name, history in measured.checks.items()
                    if name.split("/")[1] in NAMES and name.endswith("chat")
                },
            )
            for name, cell in zip(NAMES, cells, strict=True):
                kind = KINDS[cell]
                if cell == "never":
                    measured = replace(
                        measured,
                        checks={
                            check: history
                            for check, history in measured.checks.items()
                            if check != key(name)
                        },
                    )
                elif kind:
                    is_believed = kind.outcome is not Outcome.UNKNOWN
                    measured = fail(measured, key(name), kind, 1 if is_believed else None)
                    if is_believed:
                        bad.setdefault((key(name), kind), []).append(place)
            checks[place] = measured.checks
        agents = tuple(
            replace(state, vantage=place)
            for place, word in zip(PLACES[1:], self.agents, strict=True)
            if (state := HEARD[word])
        )
        return places(
            {CN: checks[CN], HK: checks[HK]},
            *(
                self._incident(n, check, kind, who)
                for n, ((check, kind), who) in enumerate(bad.items(), 1)
            ),
            own=checks["fra"],
            agents=agents,
        )

    def _incident(self, number: int, check: str, kind: FailureKind, who: list[str]) -> Incident:
        degraded = kind.outcome is Outcome.DEGRADED
        name = check.split("/")[1]
        whole = partly(number, kind, tuple(who), name)
        whole = replace(
            whole, checks=(check,), active=frozenset({check}), bad_from={check: tuple(who)}
        )
        if degraded or len(who) > 1:
            severity = Severity.DEGRADED if degraded else Severity.DOWN
            return replace(whole, severity=severity, partial=frozenset())
        return replace(whole, partial=frozenset({check}))


SITE_OF_LAWS = replace(
    SITE_OF_PLACES,
    vantages=VANTAGES[:2],
    checks=tuple(
        check for check in CHECKS if check.endpoint.id in NAMES and check.probe.id == "chat"
    ),
    settings=replace(SITE_OF_PLACES.settings, languages=("en",)),
)


def broken(world: World) -> Iterator[str]:
    shown = page(world.snapshot, SITE_OF_LAWS)
    for vantage in shown.vantages:
        yield from said_of_a_place(shown, vantage, sees=world.sees(vantage.id))
    known = [vantage for vantage in shown.vantages if world.sees(vantage.id)]
    yield from said_of_all(shown, [each for place in known for each in place.by_path.values()])
    yield from blamed_on_the_way(known)
    for card in shown.current:
        of_place = [each for each in shown.vantages if each.name == card.instead_from]
        seen_there = [e for each in of_place for e in each.by_path.values()]
        works = {endpoint.url for endpoint in seen_there if endpoint.main_state in WORKING}
        if card.instead and card.instead not in works:
            yield f"{card.title}: {card.instead} from {card.instead_from or 'nowhere'}"


def said_of_a_place(shown: PageView, vantage: VantageView, *, sees: bool) -> Iterator[str]:
    """A place that is not heard says and recommends nothing, and none recommends what it does not see work."""
    states = {endpoint.state for endpoint in vantage.by_path.values()}
    if not sees and (vantage.picks or states - {State.UNKNOWN}):
        yield f"{vantage.id} is not heard, and says {states}"
    for pick in vantage.picks:
        if vantage.by_path[pick.endpoint].main_state not in WORKING:
            yield f"{pick.endpoint} is recommended from {vantage.id}"
    blocked = [view for view in vantage.by_path.values() if view.blocked]
    if f"not reachable from {vantage.name}" in shown.headline and not (sees and blocked):
        yield f"not reachable from {vantage.id}, which does not say so"


def said_of_all(shown: PageView, endpoints: list[EndpointView]) -> Iterator[str]:
    """What the top of the page says is what those see that are heard."""
    mains = {endpoint.main_state for endpoint in endpoints}
    works, states = bool(mains & WORKING), {endpoint.state for endpoint in endpoints}
    unnamed = set() if shown.network.note.startswith("from") else {State.UNKNOWN}
    for says, is_so in (
        (shown.headline == "The service is down.", mains == {State.MAJOR}),
        (shown.headline.startswith("The service is down from"), not works),
        ("The service is up" in shown.headline, works),
        (shown.state is State.MAJOR, not works),
        (shown.headline.startswith("All base URLs work"), states == {State.OPERATIONAL}),
        (shown.service.what == "Up", works),
        (shown.service.what == "Down", not works),
        (shown.network.what == "All paths work", not states & ({State.MAJOR} | unnamed)),
    ):
        if says and not is_so:
            yield f"{shown.headline} {shown.service} {shown.network}, but {states}"


def blamed_on_the_way(known: list[VantageView]) -> Iterator[str]:
    """A connection that nothing answers is blocked on the way only where somebody else gets through."""
    for vantage in known:
        for path, endpoint in vantage.by_path.items():
            others = [place.by_path[path] for place in known if path in place.by_path]
            is_reached = any(other.main_state in WORKING for other in others)
            if endpoint.trouble is FailureKind.CONNECT_TIMEOUT and endpoint.blocked != is_reached:
                yield f"{path} from {vantage.id}: {endpoint.fault}, reached: {is_reached}"


@example((("good", "good"), ("good", "good"), ("good", "down")), ("heard", "heard"))
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from([*KINDS])] * len(NAMES)),
        min_size=len(PLACES),
        max_size=len(PLACES),
    ).map(tuple),
    st.tuples(*[st.sampled_from([*HEARD])] * 2),
)
def test_no_place_says_more_than_it_measured(cells: Cells, agents: tuple[str, str]) -> None:
    assert [*broken(World(cells, agents))] == []
