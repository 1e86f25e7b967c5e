"""The stubs of on-call services: state machines of events, by the key that deduplicates them."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from listening import listening
from requests.adapters import HTTPAdapter
from services import CHATS
from stubs import RefusedError, Reply, Sent, Stub, Way, answering, need

OPEN, ACKNOWLEDGED, RESOLVED = "open", "acknowledged", "resolved"


@dataclass
class Event:
    """One event, from its first trigger to its end; `texts` is what was said of it, `states` what it came to be."""

    key: str
    texts: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.states[-1]


class OnCall(Stub):
    """Opens, changes, acknowledges and resolves events; one that is resolved is not opened again."""

    takes_acknowledgement: ClassVar[bool] = False
    """Whether Apprise can say to it that somebody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        """Every event that was ever opened, oldest first."""
        self.lost: list[str] = []
        """What concerned an event that is not open: it is answered as a success, and does nothing."""

    def find(self, key: str) -> Event | None:
        return next((one for one in self.events if one.key == key and one.state != RESOLVED), None)

    def trigger(self, key: str, text: str) -> None:
        event = self.find(key)
        if event is None:
            self.events.append(event := Event(key))
        event.states.append(OPEN)
        event.texts.append(text)
        self.taken.append(text)

    def move(self, key: str, state: str) -> None:
        event = self.find(key)
        if event is None:
            self.lost.append(f"{state} {key}")
        else:
            event.states.append(state)

    @property
    def lives(self) -> dict[str, list[str]]:
        """What each event came to be, by its key; each has one life."""
        assert len({event.key for event in self.events}) == len(self.events)
        return {event.key: event.states for event in self.events}


class PagerDuty(OnCall):
    """developer.pagerduty.com, the Events API v2."""

    schema = "pagerduty"
    hosts = ("events.pagerduty.com",)
    routing_key = "e" * 32
    url = f"pagerduty://{routing_key}@{'t' * 20}/monitor/llm"
    ways = (
        Way(
            "an event that is none",
            Reply(
                400,
                {
                    "status": "invalid event",
                    "message": "Event object is invalid",
                    "errors": ["Length of 'routing_key' is incorrect"],
                },
            ),
            "Event object is invalid: Length of 'routing_key'",
            person=True,
        ),
        Way(
            "throttled",
            Reply(
                429,
                {
                    "status": "throttle exceeded",
                    "message": "Requests for this service are arriving too quickly.",
                },
            ),
            "arriving too quickly",
        ),
    )

    def _valid(self, condition: object, error: str) -> None:
        body = {"status": "invalid event", "message": "Event object is invalid", "errors": [error]}
        need(condition, 400, body)

    def take(self, sent: Sent) -> Reply:
        need(sent.path == "/v2/enqueue", 404, "not found")
        body = sent.json()
        self._valid(body.get("routing_key") == self.routing_key, "'routing_key' is unknown")
        action, key = body.get("event_action"), body.get("dedup_key")
        self._valid(key is None or 0 < len(key) <= 255, "Length of 'dedup_key' is incorrect")
        if action == "trigger":
            payload = body.get("payload", {})
            summary, severity = payload.get("summary", ""), payload.get("severity")
            self._valid(0 < len(summary) <= 1024, "Length of 'payload.summary' is incorrect")
            self._valid(payload.get("source"), "'payload.source' is missing or blank")
            known = severity in {"critical", "error", "warning", "info"}
            self._valid(known, "'payload.severity' is invalid")
            key = key or uuid.uuid4().hex
            self.trigger(key, summary)
        else:
            self._valid(action in {"acknowledge", "resolve"}, "'event_action' is invalid")
            self._valid(key, "'dedup_key' is missing")
            self.move(key, RESOLVED if action == "resolve" else ACKNOWLEDGED)
        return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})


class Opsgenie(OnCall):
    """docs.opsgenie.com/docs/alert-api: all is accepted first and done later, so that a wrong id is no error.

    A request has an id of its own, which is not the alert's.
    """

    schema = "opsgenie"
    hosts = ("api.opsgenie.com", "api.eu.opsgenie.com")
    root = "/v2/alerts"
    takes_acknowledgement = True
    key = "0000aaaa-" * 3 + "0000aaaa0"
    url = f"opsgenie://{key}"
    ways = (
        Way(
            "wrong key",
            Reply(401, {"message": "Could not authenticate", "took": 0.0, "requestId": "r"}),
            "Could not authenticate",
            person=True,
        ),
        Way(
            "a key without the right",
            Reply(403, {"message": "You are not authorized", "requestId": "r"}),
            "You are not authorized",
            person=True,
        ),
        Way(
            "no message",
            Reply(
                422,
                {
                    "message": "Request body is not processable. Please check the errors.",
                    "errors": {"message": "Message can not be empty."},
                    "requestId": "r",
                },
            ),
            "Message can not be empty.",
            person=True,
        ),
        Way(
            "its limit",
            Reply(429, {"message": "You are making too many requests!"}),
            "too many requests",
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}
        """The key of each alert by its id."""

    def take(self, sent: Sent) -> Reply:
        request = str(uuid.uuid4())
        no = {"message": "Could not authenticate", "requestId": request}
        need(sent.headers.get("authorization") == f"GenieKey {self.key}", 401, no)
        need(sent.path.startswith(self.root), 404, {"message": "not found", "requestId": request})
        body, rest = sent.json(), sent.path.removeprefix(self.root).strip("/")
        if not rest:
            self._create(body, request)
        else:
            self._act(rest, sent, body)
        return Reply(
            202, {"result": "Request will be processed", "took": 0.1, "requestId": request}
        )

    def _create(self, body: dict[str, Any], request: str) -> None:
        no = {"message": "Request body is not processable. Please check the errors."}
        message, alias = body.get("message", ""), body.get("alias")
        fits = 0 < len(message) <= 130 and len(alias or "") <= 512
        fits = fits and len(body.get("description", "")) <= 15_000
        fits = fits and body.get("priority", "P3") in {"P1", "P2", "P3", "P4", "P5"}
        need(fits, 422, {**no, "errors": {"message": "is wrong"}, "requestId": request})
        identity = str(uuid.uuid4())
        alias = alias or identity
        self.trigger(alias, f"{message}\n{body.get('description', '')}")
        self.ids.setdefault(identity, alias)

    def _act(self, rest: str, sent: Sent, body: dict[str, Any]) -> None:
        slash = {"message": "a gateway in front refuses an encoded slash"}
        need("%2F" not in sent.raw_path, 400, slash)
        identifier, _, action = rest.partition("/")
        kind = sent.query.get("identifierType", "id")
        key = identifier if kind == "alias" else self.ids.get(identifier, f"{kind} {identifier}")
        if action == "notes":
            event = self.find(key)
            event.texts.append(body.get("note", "")) if event else self.lost.append(f"note {key}")
        elif action in {"close", "acknowledge"}:
            self.move(key, RESOLVED if action == "close" else ACKNOWLEDGED)
        else:
            raise RefusedError(Reply(404, {"message": "no such action"}))


class JiraServiceManagement(Opsgenie):
    """developer.atlassian.com, Jira Service Management's integration events: what Opsgenie has become."""

    schema = "jira"
    hosts = ("api.atlassian.com",)
    root = "/jsm/ops/integration/v2/alerts"
    url = f"jira://{Opsgenie.key}"


class Squadcast(OnCall):
    """developers.squadcast.com/incoming-webhooks: 30 KB; `event_id` ties a resolve to its trigger."""

    schema = "squadcast"
    hosts = ("api.squadcast.com",)
    key = "c" * 40
    url = f"squadcast://{key}"
    ways = (
        Way(
            "wrong key",
            Reply(404, {"meta": {"status": 404, "error_message": "service not found"}}),
            "service not found",
            person=True,
        ),
        Way(
            "too large",
            Reply(413, {"meta": {"status": 413, "error_message": "payload exceeds 30KB"}}),
            "payload exceeds 30KB",
            person=True,
        ),
    )

    def take(self, sent: Sent) -> Reply:
        known = sent.path == f"/v2/incidents/api/{self.key}"
        need(known, 404, {"meta": {"status": 404, "error_message": "service not found"}})
        need(len(sent.body) <= 30_720, 413, {"meta": {"status": 413, "error_message": "too large"}})
        body = sent.json()
        key, resolves = str(body.get("event_id", "")), body.get("status") == "resolve"
        complete = key if resolves else body.get("message") and body.get("description")
        need(complete, 400, {"meta": {"status": 400, "error_message": "message and description"}})
        if resolves:
            self.move(key, RESOLVED)
        else:
            self.trigger(key, f"{body['message']}\n{body['description']}")
        return Reply(202, {"message": "Event received"})


class IncidentIo(OnCall):
    """api-docs.incident.io, alert events over HTTP."""

    schema = "incidentio"
    hosts = ("api.incident.io",)
    source, token = f"01{'G' * 24}", "i" * 64
    url = f"incidentio://{source}/{token}"
    no_token: ClassVar = {
        "type": "authentication_error",
        "status": 401,
        "errors": [{"code": "missing_authorization_material", "message": "the token is invalid"}],
    }
    ways = (
        Way("wrong token", Reply(401, no_token), "the token is invalid", person=True),
        Way(
            "no title",
            Reply(
                422,
                {
                    "type": "validation_error",
                    "status": 422,
                    "errors": [{"code": "is_required", "message": "title is required"}],
                },
            ),
            "title is required",
            person=True,
        ),
        Way("an error under 200", Reply(200, no_token), "the token is invalid", person=True),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == f"/v2/alert_events/http/{self.source}", 404, {"type": "not_found"})
        need(sent.headers.get("authorization") == f"Bearer {self.token}", 401, self.no_token)
        body = sent.json()
        title, key, status = body.get("title"), body.get("deduplication_key"), body.get("status")
        valid = title and status in {"firing", "resolved"}
        need(valid, 422, {"type": "validation_error", "errors": [{"message": "is required"}]})
        key = key or uuid.uuid4().hex
        if status == "firing":
            self.trigger(key, f"{title}\n{body.get('description', '')}")
        else:
            self.move(key, RESOLVED)
        accepted = {"status": "success", "message": "Event accepted for processing"}
        return Reply(202, {**accepted, "deduplication_key": key})


class Worded(OnCall):
    """Names event and happening in two fields of a JSON body, and is asked nothing more of here."""

    hosts = ()
    key_field: ClassVar[str]
    word_field: ClassVar[str]
    meanings: ClassVar[Mapping[str, str]]
    """By what the second field says; `none` is where it is absent."""

    def take(self, sent: Sent) -> Reply:
        body = json.loads(sent.body)
        key, word = body[self.key_field], str(body.get(self.word_field, "none")).lower()
        if self.meanings[word] == OPEN:
            self.trigger(key, json.dumps(body))
        else:
            self.move(key, self.meanings[word])
        return Reply(200, {"status": "success"})


class Ilert(Worded):
    schema, url = "ilert", f"ilert://{'k' * 24}"
    takes_acknowledgement = True
    key_field, word_field = "alertKey", "eventType"
    meanings: ClassVar = {"alert": OPEN, "accept": ACKNOWLEDGED, "resolve": RESOLVED}


class GoAlert(Worded):
    schema, url = "goalert", "goalerts://goalert.example/3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    key_field, word_field = "dedup", "action"
    meanings: ClassVar = {"none": OPEN, "close": RESOLVED}


class Signl4(Worded):
    schema, url = "signl4", f"signl4://{'k' * 24}"
    takes_acknowledgement = True
    key_field, word_field = "X-S4-ExternalID", "X-S4-Status"
    meanings: ClassVar = {"none": OPEN, "acknowledged": ACKNOWLEDGED, "resolved": RESOLVED}


class SplunkOnCall(Worded):
    schema, url = "splunk", "splunk://routing@12345678-1234-1234-1234-123456789012"
    takes_acknowledgement = True
    key_field, word_field = "entity_id", "message_type"
    meanings: ClassVar = {
        "critical": OPEN,
        "warning": OPEN,
        "acknowledgement": ACKNOWLEDGED,
        "recovery": RESOLVED,
    }


class FireHydrant(Worded):
    schema, url = "firehydrant", f"firehydrant://{'k' * 24}"
    key_field, word_field = "idempotency_key", "status"
    meanings: ClassVar = {"open": OPEN, "closed": RESOLVED}


class OpsiMate(Worded):
    schema, url = "opsimate", f"opsimates://{'k' * 24}@opsimate.example"
    key_field, word_field = "id", "status"
    meanings: ClassVar = {"firing": OPEN, "resolved": RESOLVED}


class PagerTree(Worded):
    schema, url = "pagertree", "pagertree://int_abcdefghij"
    takes_acknowledgement = True
    key_field, word_field = "id", "event_type"
    meanings: ClassVar = {"create": OPEN, "acknowledge": ACKNOWLEDGED, "resolve": RESOLVED}


ON_CALL: tuple[type[OnCall], ...] = (
    PagerDuty,
    Opsgenie,
    JiraServiceManagement,
    Squadcast,
    IncidentIo,
)
STUBS: tuple[type[Stub], ...] = (*CHATS, *ON_CALL)
HOLDING_EVENTS: Mapping[str, type[OnCall]] = {
    kind.schema: kind
    for kind in (
        *ON_CALL,
        Ilert,
        GoAlert,
        Signl4,
        SplunkOnCall,
        FireHydrant,
        OpsiMate,
        PagerTree,
    )
}
"""All that hold events, by schema."""


@asynccontextmanager
async def on_call(schema: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OnCall]:
    """Stands where the internet would be: whatever host is asked, this service answers."""
    stub = HOLDING_EVENTS[schema]()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answering((stub,)))
    async with listening(app) as url:
        original = HTTPAdapter.send

        def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            asked = urlsplit(request.url)
            query = f"?{asked.query}" if asked.query else ""
            request.url = f"{url}{asked.path}{query}"
            return original(self, request, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(HTTPAdapter, "send", send)
            yield stub
