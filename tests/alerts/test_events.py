"""What webhooks hear of incidents and recommendations: each event by itself, as a document of its own."""

import json
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alerts_cast import BEGUN, START, Watch, histories
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from monitor.alerts.alternatives import Alternative, Alternatives
from monitor.alerts.best_changes import STAYS_S, BestChange, BestChanges
from monitor.alerts.event_document import BestFacts, Names, best_document, incident_document
from monitor.alerts.event_json import document_json, schema_json
from monitor.alerts.incident_events import event_rows
from monitor.model import (
    AlertSettings,
    Endpoint,
    FailureKind,
    Incident,
    Maintenance,
    MaintenanceWindow,
    Mute,
    NotificationType,
    OutboxMessage,
    Secret,
    Service,
    Severity,
    Webhook,
    WebhookEvent,
)

SCHEMA = Path(__file__).parents[2] / "docs" / "webhook.schema.json"
VALIDATOR = Draft202012Validator(
    json.loads(SCHEMA.read_text()), format_checker=Draft202012Validator.FORMAT_CHECKER
)
A = Endpoint(id="a", service="s", name="A", url="https://a.example")
NAMES = Names(
    vantage="tokyo",
    vantages={"tokyo": "Tokyo", "cn": "Shanghai", "fra": "Frankfurt"},
    services={"s": Service(id="s", name="The service", endpoints=(A,))},
    endpoints={"s/a": A},
    page_url="https://status.example",
)
B = Alternatives((Alternative("B", "https://b.example", 420.04, endpoint="s/b"),))
GATEWAY = Webhook(id="gateway", url=Secret("http://127.0.0.1"), secret=Secret("whsec_"))


def describe(event: WebhookEvent, incident: Incident, at: datetime) -> str:
    return document_json(incident_document(event, incident, at, NAMES, B))


class Programs(Watch):
    """A watch with webhooks, whose events are documents that the published schema holds for."""

    def __init__(self, *webhooks: Webhook, settings: AlertSettings | None = None) -> None:
        super().__init__(settings=settings)
        self.webhooks = webhooks
        self.alerts.use_webhooks(webhooks, describe)

    def restart(self) -> None:
        super().restart()
        self.alerts.use_webhooks(self.webhooks, describe)

    def documents(self, webhook: Webhook = GATEWAY) -> list[dict[str, object]]:
        texts = [row.text for row in self.rows if row.channel == webhook.target]
        documents = [json.loads(text) for text in texts]
        for document in documents:
            VALIDATOR.validate(document)
        return documents

    def heard(self, webhook: Webhook = GATEWAY) -> list[str]:
        return [
            f"{document['event']} #{document['incident']['number']}"  # type: ignore[index]
            for document in self.documents(webhook)
        ]


def test_the_published_schema_is_made_of_the_documents_own_definition(
    pytestconfig: pytest.Config,
) -> None:
    if pytestconfig.getoption("--golden"):
        SCHEMA.write_text(schema_json())
    assert SCHEMA.read_text() == schema_json(), (
        "to rewrite it: pytest --golden, then look at the diff"
    )


def test_an_event_says_what_was_known_when_it_was_decided() -> None:
    watch = Programs(GATEWAY)
    watch.bad("a")
    (document,) = watch.documents()
    assert document == {
        "version": 1,
        "event": "opened",
        "id": document["id"],
        "at": "2026-11-24T12:00:00Z",
        "vantage": "tokyo",
        "bad_from": [{"id": "tokyo", "name": "Tokyo"}],
        "incident": {
            "number": 1,
            "opened": "2026-11-24T12:00:00Z",
            "closed": None,
            "acknowledged": None,
            "muted": None,
            "checks": ["s/a/chat"],
        },
        "service": {"id": "s", "name": "The service"},
        "endpoints": [
            {
                "id": "s/a",
                "name": "A",
                "base_url": "https://a.example",
                "failing": True,
                "kind": "bad_gateway",
                "fault": "endpoint",
                "bad_from": ["tokyo"],
            }
        ],
        "severity": "down",
        "kind": "bad_gateway",
        "fault": "endpoint",
        "message": "got bad_gateway",
        "since": "2026-11-24T12:00:00Z",
        "best": {
            "endpoint": "s/b",
            "name": "B",
            "base_url": "https://b.example",
            "median_ms": 420.0,
            "flaw": False,
        },
        "previous": None,
        "page": "https://status.example/incidents/1/",
    }


def test_it_names_the_vantages_that_see_it_bad_now_and_none_that_fell_silent() -> None:
    both = replace(
        BEGUN,
        checks=("s/a/chat", "s/b/chat"),
        active=frozenset({"s/a/chat", "s/b/chat"}),
        bad_from={"s/a/chat": ("cn", "fra"), "s/b/chat": ("cn",)},
        told_to=frozenset({GATEWAY.target}),
    )
    document = incident_document(WebhookEvent.CHANGED, both, START, NAMES, B, {"fra"})
    assert [(each.id, each.name) for each in document.bad_from] == [("cn", "Shanghai")]
    assert [endpoint.bad_from for endpoint in document.endpoints] == [("cn",), ("cn",)]
    heard = incident_document(WebhookEvent.CHANGED, both, START, NAMES, B)
    assert [endpoint.bad_from for endpoint in heard.endpoints] == [("cn", "fra"), ("cn",)]
    over = incident_document(
        WebhookEvent.ENDED, replace(both, active=frozenset(), closed=START), START, NAMES, B
    )
    assert (over.bad_from, [endpoint.bad_from for endpoint in over.endpoints]) == ((), [(), ()])
    wider = replace(both, bad_from={"s/a/chat": ("cn", "fra"), "s/b/chat": ("cn", "fra")})
    (event,) = event_rows([GATEWAY], both, wider, START, describe)
    assert json.loads(event.text)["event"] == "changed"


def test_every_change_that_a_program_acts_on_is_an_event_and_no_other_is() -> None:
    watch = Programs(GATEWAY)
    watch.bad("a")
    watch.bad("a")  # one more bad run
    watch.see("s/a/models", FailureKind.BAD_GATEWAY, times=2)  # one more check of the same base URL
    assert watch.heard() == ["opened #1"]
    watch.bad("b")
    watch.see("s/b/chat", FailureKind.CONNECT_TIMEOUT)
    watch.ack(1)
    watch.ack(1)
    watch.silence(30)
    watch.good("b")
    watch.see("s/a/models", times=2)
    watch.good("a")
    changes = [f"{name} #1" for name in ("changed", "changed", "acknowledged", "changed", "ended")]
    assert watch.heard() == ["opened #1", *changes]
    last = watch.documents()[-1]
    assert [each["failing"] for each in last["endpoints"]] == [False, False]  # type: ignore[attr-defined]
    assert last["incident"]["closed"] is not None  # type: ignore[index]


def test_a_base_url_that_comes_to_be_down_from_everywhere_is_a_change() -> None:
    partial = replace(BEGUN, severity=Severity.PARTIAL, told_to=frozenset({GATEWAY.target}))
    down = replace(partial, severity=Severity.DOWN)
    (row,) = event_rows((GATEWAY,), partial, down, START, describe)
    document = json.loads(row.text)
    assert (document["event"], document["severity"]) == ("changed", "down")
    assert event_rows((GATEWAY,), down, down, START, describe) == ()


def test_blindness_has_events_of_its_own_and_a_webhook_hears_only_what_it_wants() -> None:
    wants_blind = replace(GATEWAY, id="b", events=frozenset({WebhookEvent.BLIND}))
    elsewhere = replace(GATEWAY, id="e", services=frozenset({"t"}))
    only_down = replace(GATEWAY, id="d", only=frozenset({Severity.DOWN}))
    ends = replace(GATEWAY, id="n", events=frozenset({WebhookEvent.ENDED}))
    watch = Programs(GATEWAY, wants_blind, elsewhere, only_down, ends)
    watch.see("s/a/chat", FailureKind.OFFLINE, times=2)
    watch.see("t/a/chat", FailureKind.OFFLINE, times=2)
    watch.see("s/a/chat", times=2)
    watch.see("t/a/chat", times=2)
    watch.bad("a")
    watch.good("a")
    whole = ["blind #1", "blind_ended #1", "opened #2", "ended #2"]
    assert watch.heard() == whole
    assert watch.heard(wants_blind) == whole[:1]
    assert watch.heard(elsewhere) == whole[:2]
    assert watch.heard(only_down) == whole[2:]
    assert watch.heard(ends) == whole[3:]
    ids = {document["id"] for document in watch.documents()}
    assert len(ids) == 4
    assert {document["id"] for document in watch.documents(only_down)} < ids  # one event has one id


def test_what_people_hear_of_only_once_it_has_come_to_stay_a_program_hears_each_time() -> None:
    watch = Programs(GATEWAY)
    for _ in range(6):
        watch.bad("a")
        watch.good("a")
        watch.wait(5)
    assert watch.heard() == [
        f"{what} #{number}" for number in range(1, 7) for what in ("opened", "ended")
    ]
    muted = [document["incident"]["muted"] for document in watch.documents()]  # type: ignore[index]
    assert muted[:6] == [None] * 6
    assert set(muted[6:]) == {Mute.FLAPPING.value}
    assert len(watch.to("phone")) < 10


def test_a_webhook_that_is_new_hears_of_what_is_open_and_one_that_waits_of_what_lasts() -> None:
    late = replace(GATEWAY, id="late", escalate_after=timedelta(minutes=15))
    watch = Programs()
    watch.bad("a")
    watch.alerts.use_webhooks((GATEWAY, late), describe)
    watch.wait(1)
    assert (watch.heard(), watch.heard(late)) == (["opened #1"], [])
    watch.wait(15)
    watch.bad("b")
    watch.ack(2)
    watch.good("a")
    watch.wait(30)
    watch.good("b")
    assert watch.heard(late) == ["opened #1", "ended #1"]


PLANNED = Maintenance(
    id="m",
    title="Maintenance",
    endpoints=frozenset({"s/b"}),
    once=MaintenanceWindow(START + timedelta(hours=1), START + timedelta(hours=2)),
)


@given(histories)
def test_what_a_webhook_hears_of_an_incident_begins_once_ends_once_and_comes_in_order(
    history: list[tuple[str, object]],
) -> None:
    """And at the end nothing that it heard of is open."""
    watch = Programs(GATEWAY, settings=AlertSettings(after=1, maintenance=(PLANNED,)))
    watch.live([("bad", "a"), *history, ("good", "a"), ("good", "b")])
    heard = defaultdict(list)
    for document in watch.documents():
        number, event = document["incident"]["number"], document["event"]  # type: ignore[index]
        assert (document["incident"]["closed"] is not None) is (event == "ended")  # type: ignore[index]
        heard[number].append(event)
    for number, events in heard.items():
        assert (events[0], events[-1]) == ("opened", "ended")
        assert (events.count("opened"), events.count("ended")) == (1, 1)
        assert events.count("acknowledged") <= int(number in watch.acked)
    told = {row.incident for row in watch.to("phone") if row.what is NotificationType.OPENED}
    assert told <= set(heard)  # a program hears of all that people hear of


def test_a_row_of_an_event_is_one_document_for_one_webhook() -> None:
    watch = Programs(GATEWAY)
    watch.bad("a")
    row = next(each for each in watch.rows if each.channel == "webhook.gateway")
    assert row == OutboxMessage(
        channel="webhook.gateway",
        what=NotificationType.EVENT,
        severity=Severity.DOWN,
        incident=1,
        created=START,
        not_before=START,
        text=describe(WebhookEvent.OPENED, watch.incidents[1], START),
    )


def test_each_base_url_has_its_own_reason_and_another_one_is_an_event() -> None:
    watch = Programs(GATEWAY)
    watch.bad("a")
    watch.see("s/b/chat", FailureKind.TCP_REFUSED, 3)
    watch.see("s/a/chat", FailureKind.DNS_NXDOMAIN, 3)
    reasons = [
        [(each["id"], each["kind"], each["fault"]) for each in document["endpoints"]]  # type: ignore[attr-defined]
        for document in watch.documents()
    ]
    refused = ("s/b", "tcp_refused", "endpoint")
    assert reasons == [
        [("s/a", "bad_gateway", "endpoint")],
        [("s/a", "bad_gateway", "endpoint"), refused],
        [("s/a", "dns_nxdomain", "endpoint"), refused],
    ]


def test_what_left_the_configuration_is_named_by_its_id_and_has_no_address() -> None:
    other = replace(BEGUN, service="t", checks=("t/x/chat",), active=frozenset())
    document = json.loads(
        document_json(incident_document(WebhookEvent.ENDED, other, START, NAMES, Alternatives()))
    )
    VALIDATOR.validate(document)
    assert document["service"] == {"id": "t", "name": "t"}
    assert document["endpoints"] == [
        {
            "id": "t/x",
            "name": "x",
            "base_url": None,
            "failing": False,
            "kind": None,
            "fault": None,
            "bad_from": [],
        }
    ]
    assert document["best"] is None


def test_a_recommendation_is_a_document_too() -> None:
    best = BestFacts(
        endpoint="s/a", name="A", base_url="https://a.example", median_ms=12.5, flaw=True
    )
    document = json.loads(document_json(best_document("s", best, "s/b", START, NAMES)))
    VALIDATOR.validate(document)
    facts = {name: document[name] for name in ("event", "incident", "endpoints", "previous")}
    assert facts == {
        "event": "best_changed",
        "incident": None,
        "endpoints": [],
        "previous": "s/b",
    }
    assert document["best"]["flaw"] is True


def test_another_best_base_url_is_told_once_it_has_stayed_for_a_minute() -> None:
    changes = BestChanges({})
    assert changes.see({"s": "s/a"}, 0) == ()
    assert changes.see({"s": "s/a"}, STAYS_S) == (BestChange("s", None, "s/a"),)
    assert changes.see({"s": "s/b"}, 100) == ()
    assert changes.see({"s": "s/a"}, 130) == ()  # and back
    assert changes.see({"s": "s/b"}, 150) == ()
    assert changes.see({"s": "s/c"}, 200) == ()
    assert changes.see({"s": "s/c"}, 259) == ()
    assert changes.see({"s": "s/c"}, 260) == (BestChange("s", "s/a", "s/c"),)
    assert changes.see({"s": None}, 300) == ()
    assert changes.see({"s": None}, 360) == (BestChange("s", "s/c", None),)
    again = BestChanges(changes.told)  # a restart
    assert again.see({"s": None}, 0) + again.see({"s": None}, 999) == ()
    assert again.see({}, 1000) == ()
    assert again.told == {}


bests = st.lists(st.tuples(st.sampled_from(["s/a", "s/b", None]), st.floats(1, 90)), max_size=30)


@given(bests)
def test_each_recommendation_that_is_told_differs_from_the_one_told_before(
    seen: list[tuple[str | None, float]],
) -> None:
    changes, now, last = BestChanges({}), 0.0, None
    for best, passed in seen:
        for change in changes.see({"s": best}, now):
            assert (change.before, change.after) == (last, best)
            assert change.before != change.after
            last = change.after
        now += passed
    now += STAYS_S
    if seen:
        changes.see({"s": seen[-1][0]}, now)
        changes.see({"s": seen[-1][0]}, now + STAYS_S)
        assert changes.told.get("s") == seen[-1][0]


@pytest.mark.parametrize("event", WebhookEvent)
def test_every_event_is_documented(event: WebhookEvent) -> None:
    pages = [SCHEMA.with_name(name).read_text() for name in ("webhooks.md", "configuration.md")]
    assert f"`{event.value}`" in pages[0]
    assert f'`"{event.value}"`' in pages[1]
