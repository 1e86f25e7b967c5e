"""Probes which models a base URL lists and what it says that they cost; it costs nothing.

Sources of the forms: new-api, controller/pricing.go and model/pricing.go (`/api/pricing`: ratios of 2 USD for a million
tokens, or `quota_type` 1 and a price of each call, and the ratio of each group; it may want a login); one-hub and done-hub,
`/api/available_model` (ratios of a model's tokens, or of its calls); LiteLLM, "Model Management" (`/model/info`, USD for a
token); OpenRouter, "List available models" (`pricing` in the list itself, texts in USD for a token, -1 where it varies).
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import (
    CatalogueChange,
    CatalogueItem,
    Evidence,
    Failure,
    clean_text,
)
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import api_url
from monitor.probes.kinds.balance import judge_page, page_request, root_of
from monitor.probes.kinds.conversation import WORTH_ASKING
from monitor.probes.kinds.models import MOST_LISTED, ModelList, read_list, rows_of, some
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers.base import (
    JsonObject,
    as_object,
    as_text,
    as_written_number,
    objects_in,
)
from monitor.probes.verdict.error_body import read_json

_MAX_NAME = 200
_MAX_ROWS = 20_000
_MAX_GROUPS = 500
_MAX_BODY = 4 * 1024 * 1024
_MAX_VALUES = 250_000
"""Of a page of prices: two thousand models of new-api with their groups and kinds of calls have some 60,000."""
_MAX_LIST_VALUES = 50_000
_MILLION = 1_000_000
_MOST = 1e12
_LISTED = "list"
"""The form of a list of models that has their prices in it."""

Figures = Mapping[tuple[CatalogueItem, str], str]


@dataclass(frozen=True, slots=True)
class PriceForm:
    """One way in which relays tell prices: where, and how the answer is read; nothing for one in another form."""

    name: str
    path: str
    read: Callable[[JsonObject], Figures]


def _number(value: Any, factor: int = 1) -> str:
    """Return a price as a short decimal text; "" for what is no price, such as OpenRouter's -1."""
    number = as_written_number(value)
    if number is None or not 0 <= number * factor < _MOST:
        return ""
    return f"{number * factor + 0.0:.6g}"  # never -0


def _figures(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {number}" for name, number in pairs if number)


def _of_models(prices: Iterable[tuple[Any, str]]) -> dict[tuple[CatalogueItem, str], str]:
    """Return the figures by name; of a model that is there several times, always the same ones."""
    figures: dict[tuple[CatalogueItem, str], str] = {}
    for name, told in islice(prices, _MAX_ROWS):
        if as_text(name):
            key = CatalogueItem.MODEL, clean_text(name, _MAX_NAME)
            figures[key] = min(told, figures.get(key, told))
    return figures


_RATIOS = {
    "ratio": "model_ratio",
    "completion_ratio": "completion_ratio",
    "cache_ratio": "cache_ratio",
    "cache_write_ratio": "create_cache_ratio",
    "image_ratio": "image_ratio",
    "audio_ratio": "audio_ratio",
    "audio_completion_ratio": "audio_completion_ratio",
}


def _new_api(answer: JsonObject) -> Figures:
    def told(model: JsonObject) -> str:
        formula = as_text(model.get("billing_expr"))
        if formula:  # a text as long as its author likes: that it changed is all that is told
            return f"formula {zlib.crc32(formula.encode('utf-8', 'replace')):08x}"
        if model.get("quota_type") == 1:
            return _figures([("call", _number(model.get("model_price")))])
        return _figures((name, _number(model.get(key))) for name, key in _RATIOS.items())

    rows = objects_in(answer.get("data"))
    models = _of_models((model.get("model_name"), told(model)) for model in rows)
    groups = [*as_object(answer.get("group_ratio")).items()][:_MAX_GROUPS]
    return models and models | {
        (CatalogueItem.GROUP, clean_text(group, _MAX_NAME)): _figures([("ratio", _number(ratio))])
        for group, ratio in groups
    }


def _one_hub(answer: JsonObject) -> Figures:
    def told(model: Any) -> str:
        price = as_object(as_object(model).get("price"))
        if price.get("type") == "times":
            return _figures([("call_ratio", _number(price.get("input")))])
        names = {"input_ratio": "input", "output_ratio": "output"}
        return _figures((name, _number(price.get(key))) for name, key in names.items())

    models = as_object(answer.get("data")).items()
    return _of_models((name, told(model)) for name, model in models if "price" in as_object(model))


def _litellm(answer: JsonObject) -> Figures:
    names = {
        "input": "input_cost_per_token",
        "output": "output_cost_per_token",
        "cache": "cache_read_input_token_cost",
    }

    def told(model: JsonObject) -> str:
        info = as_object(model.get("model_info"))
        return _figures((name, _number(info.get(key), _MILLION)) for name, key in names.items())

    rows = objects_in(answer.get("data"))
    return _of_models((row.get("model_name"), told(row)) for row in rows if "model_info" in row)


def _in_list(answer: Any) -> Figures:
    names = {"input": "prompt", "output": "completion", "cache": "input_cache_read"}

    def told(pricing: JsonObject) -> str:
        figures = ((name, _number(pricing.get(key), _MILLION)) for name, key in names.items())
        call = _number(pricing.get("request"))
        return _figures([*figures, ("call", "" if call == "0" else call)])

    rows = ((row.get("id"), as_object(row.get("pricing"))) for row in objects_in(rows_of(answer)))
    return _of_models((name, told(pricing)) for name, pricing in rows if pricing)


FORMS: tuple[PriceForm, ...] = (
    PriceForm("new-api", "/api/pricing", _new_api),
    PriceForm("one-hub", "/api/available_model", _one_hub),
    PriceForm("litellm", "/model/info", _litellm),
)


class PricesProbe(ProbeSettings):
    kind: ClassVar[str] = "prices"
    title: ClassVar[str] = "Models and prices"
    main_rank: ClassVar[int] = 98
    hub_only: ClassVar[bool] = True
    shown: ClassVar[bool] = False
    audited: ClassVar[bool] = False

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
    timeout: Duration = Field(default=timedelta(seconds=15), description="when a run is given up")

    async def run(self, run: Run) -> Finding:
        url = api_url(run.check.endpoint, "/v1/models")
        exchange = await run.client.send(
            page_request(run.check.endpoint, url, self.timeout, _MAX_BODY)
        )
        answer, failure = _read(exchange, _MAX_LIST_VALUES)
        listed = read_list(answer)
        if failure is not None or not listed.is_whole:
            note = Evidence(note="" if failure else _why_not_compared(listed))
            return Finding(exchange=exchange, failure=failure, habit=run.habit, evidence=note)
        form, figures = await self._prices(run, exchange, answer)
        if figures is not None:
            safe = _without_secrets((name for _, name in figures), run)
            figures = {(what, safe[name]): told for (what, name), told in figures.items()}
        models = frozenset(_without_secrets(listed.names, run).values())
        after = run.habit.catalogue.after_run(models, form, figures, run.now)
        new = [change for change in after.changes if change.at == run.now]
        return Finding(
            exchange=exchange,
            failure=None,
            habit=replace(run.habit.worked(), catalogue=after),
            evidence=Evidence(note=note_of(new), is_change=bool(new)),
        )

    async def _prices(self, run: Run, listed: Exchange, answer: Any) -> tuple[str, Figures | None]:
        """Return the form in which prices are told, and the prices; None where they are not told this time.

        That a relay has no page of its prices, wants a login for it or fails there says nothing of its API.
        """
        known = run.habit.catalogue.form
        if known in {"", _LISTED}:
            figures = _in_list(answer)
            if figures or known:
                return _LISTED, figures or None
        left = self.timeout - timedelta(milliseconds=listed.timings.total or 0.0)
        for form in [form for form in FORMS if form.name == known] or FORMS:
            if left < WORTH_ASKING:
                break
            url = root_of(run.check.endpoint.url) + form.path
            exchange = await run.client.send(page_request(run.check.endpoint, url, left, _MAX_BODY))
            left -= timedelta(milliseconds=exchange.timings.total or 0.0)
            page, failure = _read(exchange, _MAX_VALUES)
            figures = form.read(as_object(page)) if failure is None else {}
            if figures:
                return form.name, figures
        return known, None


def _read(exchange: Exchange, most_values: int) -> tuple[Any, Failure | None]:
    """Return the JSON of an answer; None for one that is none, or a failure for a server that refuses us or fails."""
    failure = judge_page(exchange)
    if failure is not None or exchange.status != 200:
        return None, failure
    return read_json(exchange.body, most_values), None


def _why_not_compared(listed: ModelList) -> str:
    if not listed.names:
        return "no list of models to be read here"
    if len(listed.names) > MOST_LISTED:
        return f"{len(listed.names)} models, more than can be compared"
    return f"a page of {len(listed.names)} models with more behind it, which cannot be compared"


def _without_secrets(names: Iterable[str], run: Run) -> dict[str, str]:
    """Return names as they may be kept, by what the server calls them; those that are kept already are as they are."""
    kept = {name for _, name, _ in run.habit.catalogue.entries}
    return {name: name if name in kept else run.redact(name) for name in names}


def note_of(changes: Iterable[CatalogueChange]) -> str:
    """Say what changed, for the history of the check: `appeared: a; vanished: b; price of c: ratio 1 -> ratio 2`."""
    return "; ".join(_notes([*changes]))


def _notes(changes: list[CatalogueChange]) -> Iterator[str]:
    for what, word in ((CatalogueItem.MODEL, ""), (CatalogueItem.GROUP, " groups")):
        of_it = [change for change in changes if change.what is what]
        names = {
            "appeared": [change.name for change in of_it if change.before is None],
            "vanished": [change.name for change in of_it if change.after is None],
        }
        yield from (f"{verb}{word}: {some(found)}" for verb, found in names.items() if found)
        prices = [
            f"{change.name}: {change.before or 'not told'} -> {change.after or 'not told'}"
            for change in of_it
            if change.is_of_price
        ]
        if prices:
            yield f"prices{word and ' of groups'}: {some(prices)}"
