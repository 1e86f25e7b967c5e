"""What relays of each form say of their models and prices, from a server on a real socket."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from listening import listening

from monitor.model import (
    Catalogue,
    CatalogueChange,
    CatalogueItem,
    Check,
    Endpoint,
    FailureKind,
    Habit,
    Redactor,
    Secret,
)
from monitor.probes.kinds.prices import FORMS, PricesProbe
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client
from monitor.store.small_tables import HABIT

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "the-key-of-the-relay"
MODEL, GROUP = CatalogueItem.MODEL, CatalogueItem.GROUP


def listing(*names: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def new_api(**ratios: float) -> dict[str, Any]:
    prices = [
        {
            "model_name": name,
            "quota_type": 0,
            "model_ratio": ratio,
            "model_price": 0,
            "completion_ratio": 4,
            "enable_groups": ["default", "vip"],
        }
        for name, ratio in ratios.items()
    ]
    return {"success": True, "data": prices, "group_ratio": {"default": 1, "vip": 0.8}}


WIRE: dict[str, tuple[str, Any, dict[tuple[CatalogueItem, str], str]]] = {
    "new-api": (
        "/api/pricing",
        {
            "data": [
                {"model_name": "a", "quota_type": 0, "model_ratio": 1.25, "completion_ratio": 4},
                {"model_name": "b", "quota_type": 1, "model_price": 0.04, "model_ratio": 0},
                {"model_name": "c", "quota_type": 0, "billing_expr": "tier(1, 2)"},
                {"model_name": "of another group", "quota_type": 0, "model_ratio": 9},
            ],
            "group_ratio": {"vip": 0.8},
        },
        {
            (GROUP, "vip"): "ratio 0.8",
            (MODEL, "a"): "ratio 1.25, completion_ratio 4",
            (MODEL, "b"): "call 0.04",
            (MODEL, "c"): "formula 05c199a0",
        },
    ),
    "one-hub": (
        "/api/available_model",
        {
            "data": {
                "a": {"groups": ["default"], "price": {"type": "tokens", "input": 1, "output": 4}},
                "b": {"groups": [], "price": {"type": "times", "input": 20, "output": 20}},
            }
        },
        {
            (MODEL, "a"): "input_ratio 1, output_ratio 4",
            (MODEL, "b"): "call_ratio 20",
            (MODEL, "c"): "",
        },
    ),
    "litellm": (
        "/model/info",
        {
            "data": [
                {
                    "model_name": "a",
                    "model_info": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
                },
                {"model_name": "a", "model_info": {"input_cost_per_token": 3e-06}},
                {"model_name": "c", "model_info": {"input_cost_per_token": None}},
            ]
        },
        {(MODEL, "a"): "input 2.5, output 10", (MODEL, "b"): "", (MODEL, "c"): ""},
    ),
}


class Relay:
    """Answers the paths that it has; to all others as one-api's panel does: a web page under 200."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/v1/models": listing("a", "b", "c")}
        self.asked: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        answer = self.answers.get(request.path)
        if isinstance(answer, int):
            return web.Response(status=answer)
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="application/json")
        if answer is not None:
            return web.json_response(answer)
        return web.Response(text="<html>panel</html>", content_type="text/html")


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    app = web.Application()
    app.router.add_get("/{rest:.*}", relay.handle)
    async with listening(app) as relay.url:
        yield relay


class Asking:
    """Asks a relay once an hour, with what it has learned before."""

    def __init__(self, relay: Relay) -> None:
        self.relay, self.habit, self.now = relay, Habit(), NOON

    async def __call__(self, times: int = 1) -> Finding:
        url = self.relay.url + "/v1"
        endpoint = Endpoint(id="e", service="s", url=url, name="E", key=Secret(KEY))
        probe = PricesProbe()
        check = Check(service="s", endpoint=endpoint, probe=probe)
        async with Client() as client:
            for _ in range(times):
                self.now += HOUR
                run = Run(
                    check=check,
                    habit=self.habit,
                    client=client,
                    rng=Random(2),
                    now=self.now,
                    redact=Redactor([Secret(KEY)]),
                )
                finding = await probe.run(run)
                self.habit = finding.habit
        return finding

    @property
    def catalogue(self) -> Catalogue:
        return self.habit.catalogue

    @property
    def prices(self) -> dict[tuple[CatalogueItem, str], str]:
        return {(what, name): told for what, name, told in self.catalogue.entries}


def test_every_form_is_tried() -> None:
    assert {form.name: form.path for form in FORMS} == {name: WIRE[name][0] for name in WIRE}


@pytest.mark.parametrize("form", WIRE)
async def test_a_relay_of_each_form_is_understood_and_asked_that_way_from_then_on(
    relay: Relay, form: str
) -> None:
    path, relay.answers[path], prices = WIRE[form]
    ask = Asking(relay)
    finding = await ask()
    assert (finding.failure, finding.evidence.note) == (None, "")
    assert ask.prices == prices
    assert ask.catalogue.form == form
    relay.asked.clear()
    await ask()
    assert relay.asked == ["/v1/models", path]
    assert ask.catalogue.changes == ()
    assert ask.catalogue.since == ask.now


async def test_prices_in_the_list_itself_need_no_other_question(relay: Relay) -> None:
    relay.answers["/v1/models"] = {
        "data": [
            {
                "id": "x/a",
                "pricing": {"prompt": "0.0000025", "completion": "0.00001", "request": "0"},
            },
            {"id": "router", "pricing": {"prompt": "-1", "completion": "-1"}},
        ]
    }
    ask = Asking(relay)
    await ask(2)
    assert relay.asked == ["/v1/models"] * 2
    assert ask.prices == {(MODEL, "router"): "", (MODEL, "x/a"): "input 2.5, output 10"}


async def test_what_two_runs_find_is_a_change_with_before_and_after(relay: Relay) -> None:
    relay.answers["/api/pricing"] = new_api(a=1, b=1, c=1)
    ask = Asking(relay)
    await ask(2)
    relay.answers["/v1/models"] = listing("a", "b", "d")
    relay.answers["/api/pricing"] = new_api(a=1, b=2.5, d=1) | {"group_ratio": {"default": 1.5}}
    assert (await ask()).evidence.note == ""
    finding = await ask()
    assert finding.evidence.note == (
        "appeared: d; vanished: c; prices: b: ratio 1, completion_ratio 4 -> ratio 2.5, completion_ratio 4;"
        " vanished groups: vip; prices of groups: default: ratio 1 -> ratio 1.5"
    )
    usual = "ratio 1, completion_ratio 4"
    now = ask.now
    assert ask.catalogue.changes == (
        CatalogueChange(at=now, what=GROUP, name="default", before="ratio 1", after="ratio 1.5"),
        CatalogueChange(at=now, what=GROUP, name="vip", before="ratio 0.8", after=None),
        CatalogueChange(
            at=now, what=MODEL, name="b", before=usual, after="ratio 2.5, completion_ratio 4"
        ),
        CatalogueChange(at=now, what=MODEL, name="c", before=usual, after=None),
        CatalogueChange(at=now, what=MODEL, name="d", before=None, after=usual),
    )
    assert (await ask()).evidence.note == ""
    assert ask.catalogue.changes_since(now) == ()
    assert HABIT.validate_json(HABIT.dump_json(ask.habit)) == ask.habit


@pytest.mark.parametrize(
    "partial",
    [
        listing("b"),
        listing("a") | {"has_more": True},
        listing(),
        {},
        404,
        b'{"data": [{"id": "a"}, {"id',
        [1, None, {"id": []}],
    ],
)
async def test_one_partial_list_is_no_news(relay: Relay, partial: Any) -> None:
    relay.answers["/api/pricing"] = new_api(a=1, b=1, c=1)
    ask = Asking(relay)
    await ask(2)
    before = ask.catalogue.entries
    whole, relay.answers["/v1/models"] = relay.answers["/v1/models"], partial
    assert (await ask()).failure is None
    relay.answers["/v1/models"] = whole
    await ask(2)
    assert (ask.catalogue.entries, ask.catalogue.pending, ask.catalogue.changes) == (before, (), ())


@pytest.mark.parametrize("trouble", [404, 401, 502, {"success": False}, {"data": [3, {}]}])
async def test_prices_that_are_not_told_stay_as_they_were_and_are_no_failure(
    relay: Relay, trouble: Any
) -> None:
    relay.answers["/api/pricing"] = new_api(a=1, b=1, c=1)
    ask = Asking(relay)
    await ask(2)
    before = ask.catalogue.entries
    told, relay.answers["/api/pricing"] = relay.answers["/api/pricing"], trouble
    assert (await ask(3)).failure is None
    assert (ask.catalogue.form, ask.catalogue.entries) == ("", before)
    relay.answers["/api/pricing"] = told
    await ask()
    assert (ask.catalogue.form, ask.catalogue.changes) == ("new-api", ())


async def test_prices_in_another_form_are_no_change(relay: Relay) -> None:
    ask = Asking(relay)
    await ask(2)
    assert ask.prices == {(MODEL, name): "" for name in "abc"}
    relay.answers["/api/pricing"] = new_api(a=1, b=1, c=1)
    await ask(2)
    assert ask.prices[MODEL, "a"] == "ratio 1, completion_ratio 4"
    assert ask.catalogue.changes == ()


async def test_a_list_that_is_refused_has_failed_and_nothing_has_vanished(relay: Relay) -> None:
    ask = Asking(relay)
    await ask(2)
    before = ask.catalogue
    relay.answers["/v1/models"] = 401
    finding = await ask(2)
    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.AUTH_INVALID
    assert ask.catalogue == before


async def test_a_server_that_says_our_key_is_kept_without_it_and_is_no_news(relay: Relay) -> None:
    relay.answers["/v1/models"] = listing("a", f"x{KEY}")
    relay.answers["/api/pricing"] = new_api(a=1, **{f"x{KEY}": 2})
    ask = Asking(relay)
    await ask(4)
    assert KEY not in HABIT.dump_json(ask.habit).decode()
    assert (len(ask.catalogue.names), ask.catalogue.changes) == (2, ())


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "id",
                    "model_name",
                    "model_ratio",
                    "group_ratio",
                    "price",
                    "pricing",
                    "prompt",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_without_a_crash_into_short_figures(answer: Any) -> None:
    answer = json.loads(json.dumps(answer))
    for form in FORMS:
        figures = form.read(answer if isinstance(answer, dict) else {"data": answer})
        assert all(name and len(told) < 200 for (_, name), told in figures.items())


NAMES = st.frozensets(st.sampled_from("abcdefgh"), min_size=1)


@given(st.lists(NAMES, min_size=1, max_size=12))
def test_changes_lead_from_the_first_list_that_was_believed_to_what_is_listed_now(
    lists: list[frozenset[str]],
) -> None:
    catalogue, first = Catalogue(), frozenset[str]()
    for place, names in enumerate(lists):
        was_new = catalogue.since is None
        catalogue = catalogue.after_run(names, "", None, NOON + place * HOUR)
        first = catalogue.names if was_new else first
    names = first
    for change in catalogue.changes:
        assert (change.name in names) == (change.before is not None)
        names = names - {change.name} if change.after is None else names | {change.name}
    assert names == catalogue.names
    again = catalogue.after_run(lists[-1], "", None, NOON + 20 * HOUR)
    again = again.after_run(lists[-1], "", None, NOON + 21 * HOUR)
    assert (again.names, again.pending) == (lists[-1], ())


def test_a_relay_of_thousands_of_models_is_kept_once_and_written_only_when_it_changes() -> None:
    names = frozenset(f"provider/model-{number}-instruct" for number in range(3000))
    prices = {(MODEL, name): "ratio 1.25, completion_ratio 4, cache_ratio 0.1" for name in names}
    catalogue = Catalogue()
    for hour in range(3):
        catalogue = catalogue.after_run(names, "new-api", prices, NOON + hour * HOUR)
    settled = catalogue
    for hour in range(3, 100):
        catalogue = catalogue.after_run(names, "new-api", prices, NOON + hour * HOUR)
    assert catalogue == settled
    assert len(HABIT.dump_json(replace(Habit(), catalogue=catalogue))) < 100 * len(names)
