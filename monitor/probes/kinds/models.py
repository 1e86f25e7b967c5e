"""Probes the list of models, the cheapest question that only a working relay can answer."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Evidence, Failure, FailureKind, clean_text
from monitor.probes.answer.check_answer import is_same_model
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import ApiProbe, judge_status
from monitor.probes.probe import Duration, Finding, Run
from monitor.probes.readers.base import as_object, as_text, objects_in
from monitor.probes.verdict.classify import judge_api_body
from monitor.probes.verdict.error_body import read_json
from monitor.probes.verdict.transport import judge_body_transport

MOST_LISTED = 10_000
"""Models of a list that are kept, and compared with the next one."""
_MAX_NAME = 200
_SHOWN = 20
_MISSING = frozenset({404, 405, 501})
"""What servers answer for a path that they do not have."""


class ModelsProbe(ApiProbe):
    """Asks for the list. Where no key is configured, a refusal for want of one counts as reachable."""

    kind: ClassVar[str] = "models"
    title: ClassVar[str] = "Models"
    main_rank: ClassVar[int] = 80
    route: ClassVar[str] = "/v1/models"
    max_body: ClassVar[int] = 2 * 1024 * 1024
    needs_key: ClassVar[bool] = False

    every: Duration = Field(default=timedelta(minutes=1), description="how often it runs")
    timeout: Duration = Field(default=timedelta(seconds=15), description="when a run is given up")
    model: str | None = Field(default=None, description="must be in the list")

    async def run(self, run: Run) -> Finding:
        exchange = await run.client.send(self.request(run, None, self.timeout))
        failure = self._judge(exchange, run)
        habit = run.habit.after(failure)
        listed = _listed(exchange)
        if not listed.is_whole:
            return Finding(exchange=exchange, failure=failure, habit=habit)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=replace(habit, listed=listed.names),
            evidence=self._note(run, listed.names),
        )

    def _note(self, run: Run, names: frozenset[str]) -> Evidence:
        changed, lacking = change(run.habit.listed, names), ""
        wanted = self.model or run.check.model
        if wanted in run.check.asked_models and not _is_listed(wanted or "", names):
            lacking = f"the list does not name {wanted}"
        note = "; ".join(filter(None, (changed, lacking)))
        return Evidence(note=note, is_change=bool(changed))

    def _judge(self, exchange: Exchange, run: Run) -> Failure | None:
        refused = judge_status(exchange, run)
        if refused is not None:
            by_key = refused.kind is FailureKind.NO_KEY and exchange.status in {401, 403}
            had_key = run.check.endpoint.key is not None
            return None if by_key and not had_key else _unless_missing(refused, exchange, run)
        wanted = self.model or run.check.model
        if wanted in run.check.asked_models:
            wanted = None  # whether it works is for the check that asks it
        page = judge_body_transport(exchange) or judge_api_body(exchange)
        if page is not None:
            return _unless_missing(page, exchange, run)
        return judge_models(read_json(exchange.body), wanted)


def _unless_missing(failure: Failure, exchange: Exchange, run: Run) -> Failure:
    """Return the failure; a list that a service never had is none where other checks ask its models."""
    never_worked = run.habit.good == 0 and bool(run.check.asked_models)
    is_missing = exchange.status in _MISSING or failure.kind is FailureKind.HTML_ANSWER
    if not (never_worked and is_missing):
        return failure
    why = f"got HTTP {exchange.status} and no list of models, want one"
    return Failure(FailureKind.NOT_OFFERED, why)


def judge_models(answer: Any, wanted: str | None) -> Failure | None:
    """Require a list that is not empty, with the wanted model in it."""
    data = rows_of(answer)
    if not isinstance(data, list) or not data:
        got = "an empty list of models" if data == [] else "no list of models"
        return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want JSON with a non-empty `data`")
    listed = read_list(answer)
    if not listed.names:
        return Failure(
            FailureKind.UNEXPECTED_BODY, "got a list of models without `id`, want their names"
        )
    if wanted is not None and not _is_listed(wanted, listed.names) and not listed.has_more:
        return Failure(
            FailureKind.MODEL_NOT_FOUND,
            f"got a list of {len(listed.names)} models without {wanted}, want it there",
        )
    return None


def rows_of(answer: Any) -> Any:
    """Return what stands in `data`, or where some providers put nothing around it, the whole."""
    return answer if isinstance(answer, list) else as_object(answer).get("data")


def _is_listed(wanted: str, names: Collection[str]) -> bool:
    """Say whether it is there by its name, or as a dated snapshot, which is all that some list."""
    return any(is_same_model(wanted, name.removeprefix("models/")) for name in names)


@dataclass(frozen=True, slots=True)
class ModelList:
    """Holds the names in a list of models, cleaned as they may be stored."""

    names: frozenset[str]
    has_more: bool
    """The list goes on, on a page that was not asked for."""

    @property
    def is_whole(self) -> bool:
        """Say whether there are names and these are all: only then is a model gone that is not among them."""
        return 0 < len(self.names) <= MOST_LISTED and not self.has_more


def read_list(answer: Any) -> ModelList:
    """Read a list of models, whatever its JSON holds."""
    ids = (as_text(item.get("id")) for item in objects_in(rows_of(answer)))
    names = frozenset(clean_text(name, _MAX_NAME) for name in ids if name)
    return ModelList(names, bool(as_object(answer).get("has_more")))


def _listed(exchange: Exchange) -> ModelList:
    """Return what is listed, also where the wanted model is not."""
    is_answered = exchange.status is not None and 200 <= exchange.status < 300
    return read_list(read_json(exchange.body) if is_answered and not exchange.error else None)


def change(before: frozenset[str], now: frozenset[str]) -> str:
    """Say what appeared and vanished since the last whole list; nothing where there was none."""
    if not before or before == now:
        return ""
    parts = {"appeared": now - before, "vanished": before - now}
    return "; ".join(f"{what}: {some(names)}" for what, names in parts.items() if names)


def some(names: Collection[str]) -> str:
    """List the first names in order, and say how many there are beside them."""
    shown = sorted(names)[:_SHOWN]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
