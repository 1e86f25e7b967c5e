"""Adds up what a configuration will spend: requests, tokens and, where a price is known, money. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rich.text import Text

from monitor.budget import PriceList
from monitor.cli.console import plain_table
from monitor.config import Config
from monitor.model import Check, DailyBudget, Spend
from monitor.probes.probe import ProbeSettings

DAY = timedelta(days=1)
DAYS_OF_A_MONTH = 30
_LEAST_SHOWN = 0.01


@dataclass(frozen=True, slots=True)
class Cost:
    """Holds what is asked and spent on a day. `money` is by currency; `unpriced` are models without a price."""

    questions: float = 0.0
    tokens: float = 0.0
    money: Mapping[str, float] = field(default_factory=dict)
    unpriced: frozenset[str] = frozenset()

    def __add__(self, other: "Cost") -> "Cost":
        currencies = sorted(self.money.keys() | other.money.keys())
        return Cost(
            self.questions + other.questions,
            self.tokens + other.tokens,
            {name: self.money.get(name, 0.0) + other.money.get(name, 0.0) for name in currencies},
            self.unpriced | other.unpriced,
        )


NOTHING = Cost()


@dataclass(frozen=True, slots=True)
class CostLine:
    """Holds what one probe of a service costs at all its base URLs together, from every place that asks."""

    service: str
    probe: str
    kind: str
    base_urls: int
    cost: Cost


def runs_a_day(check: Check, config: Config) -> float:
    """Return how often a paid check runs on a day: once for all places that take turns, and for each that does not."""
    paying = [place for place in config.vantages if place.paid == "each"]
    places = 1 + sum(place.probes(check.service) for place in paying)
    return DAY / check.probe.every * places


def cost_of(check: Check, config: Config) -> Cost:
    probe = check.probe
    assert isinstance(probe, ProbeSettings)
    usual, runs = probe.usual_cost(), runs_a_day(check, config)
    price = config.prices.get(check.model or "")
    if price is None:
        unpriced = frozenset({check.model} if check.model else ())
        return Cost(runs * usual.questions, runs * usual.tokens, unpriced=unpriced)
    multipliers = {service.id: service.multiplier for service in config.services}
    one = PriceList(price, multipliers[check.service]).exact(usual.tokens_in, usual.tokens_out)
    return Cost(runs * usual.questions, runs * usual.tokens, {price.currency: runs * one.money})


def cost_lines(config: Config) -> list[CostLine]:
    """Return a line for each paid probe of each service, in the order of the file."""
    checks: dict[tuple[str, str], list[Check]] = {}
    for check in config.checks:
        if check.probe.paid and can_ask(check):
            checks.setdefault((check.service, check.probe.id), []).append(check)
    return [
        CostLine(
            service, probe, some[0].probe.kind, len(some), total(cost_of(c, config) for c in some)
        )
        for (service, probe), some in checks.items()
    ]


def can_ask(check: Check) -> bool:
    """Say whether a check ever asks: one that needs a key does not without."""
    return check.endpoint.key is not None or not getattr(check.probe, "needs_key", False)


def total(costs: Iterable[Cost]) -> Cost:
    return sum(costs, NOTHING)


def by(lines: Iterable[CostLine], name: str) -> dict[str, Cost]:
    """Add the lines up by a field of theirs, such as `service`."""
    sums: dict[str, Cost] = {}
    for line in lines:
        key = getattr(line, name)
        sums[key] = sums.get(key, NOTHING) + line.cost
    return sums


def cost_parts(config: Config) -> Iterator[object]:
    """Yield the tables and notes that a person reads."""
    lines = cost_lines(config)
    if not lines:
        yield "No paid probe asks anything: this configuration costs nothing."
        return
    table = plain_table("service", "probe", "base URLs", *_FIGURES)
    for line in lines:
        table.add_row(line.service, line.probe, str(line.base_urls), *_figures(line.cost))
    yield table
    sums = plain_table("in total", *_FIGURES)
    for name, of in (("kind", by(lines, "kind")), ("service", by(lines, "service"))):
        if len(of) > 1:
            for key, cost in of.items():
                sums.add_row(f"{name} {key}", *_figures(cost))
    everything = total(line.cost for line in lines)
    sums.add_row("everything", *_figures(everything))
    yield ""
    yield sums
    yield ""
    yield from map(Text, _notes(config, lines, everything))


_FIGURES = ("requests a day", "tokens a day", "tokens a month", "money a day", "money a month")


def _figures(cost: Cost) -> tuple[str, ...]:
    return (
        f"{cost.questions:,.0f}",
        f"{cost.tokens:,.0f}",
        f"{cost.tokens * DAYS_OF_A_MONTH:,.0f}",
        _money(cost, 1),
        _money(cost, DAYS_OF_A_MONTH),
    )


def _money(cost: Cost, days: int) -> str:
    """Write sums of money; a `?` beside them says that some models have no price."""
    sums = [f"{_amount(amount * days)} {currency}" for currency, amount in cost.money.items()]
    return " + ".join([*sums, *(["?"] if cost.unpriced else [])])


def _amount(money: float) -> str:
    return "< 0.01" if 0 < money < _LEAST_SHOWN else f"{money:,.2f}"


def _notes(config: Config, lines: list[CostLine], everything: Cost) -> Iterator[str]:
    yield (
        "Usual runs, a month of 30 days. A model that thinks before it answers, and a run that is asked"
        " again after a failure, cost more. What is not listed is free."
    )
    if everything.unpriced:
        models = ", ".join(f'[price."{model}"]' for model in sorted(everything.unpriced))
        yield f"? stands for models without a price: add {models}."
    for service, cost in by(lines, "service").items():
        budget = config.budgets.get(service)
        if budget is None:
            continue
        yield _budget_note(service, cost, budget)
    turns = [place.id for place in config.vantages if place.paid == "each"]
    if config.vantages:
        whose = (
            f"; {', '.join(turns)} ask{'s' if len(turns) == 1 else ''} at each point beside them"
            if turns
            else ""
        )
        yield f"Places take turns, so that a second one costs nothing more{whose}."


def _budget_note(service: str, cost: Cost, budget: DailyBudget) -> str:
    spent = Spend(round(cost.tokens), cost.money.get(budget.currency, 0.0))
    whole = f"{budget.tokens or 0:,} tokens"
    if budget.money is not None:
        whole = f"{budget.money:,.2f} {budget.currency}"
    fits = "is enough" if budget.allows(spent) else "is less: paid probes pause when it is spent"
    return f"budget_per_day of {service}: {whole} {fits}."


def cost_document(config: Config) -> dict[str, Any]:
    """Return the same for programs; figures are those of a day."""
    lines = cost_lines(config)
    return {
        "days_of_a_month": DAYS_OF_A_MONTH,
        "probes": [
            {
                "service": line.service,
                "probe": line.probe,
                "kind": line.kind,
                "base_urls": line.base_urls,
                **_document(line.cost),
            }
            for line in lines
        ],
        "kinds": {name: _document(cost) for name, cost in by(lines, "kind").items()},
        "services": {name: _document(cost) for name, cost in by(lines, "service").items()},
        "total": _document(total(line.cost for line in lines)),
    }


def _document(cost: Cost) -> dict[str, Any]:
    return {
        "requests_a_day": round(cost.questions, 3),
        "tokens_a_day": round(cost.tokens),
        "money_a_day": {name: round(amount, 6) for name, amount in cost.money.items()},
        "models_without_price": sorted(cost.unpriced),
    }
