"""Budgets of paid runs: the worst case is reserved before a run, and settled after it, per UTC day.

Money is tokens x price x the service's multiplier. A reserve takes the dearer of the two prices
for every token, so that a budget is never overrun by more than what is already under way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from monitor.model import (
    NO_SPEND,
    Check,
    DailyBudget,
    Failure,
    FailureKind,
    Price,
    Result,
    Service,
    Spend,
)

_PER = 1_000_000
WARN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one check's tokens."""

    price: Price | None
    multiplier: float

    def worst(self, tokens: int) -> Spend:
        if self.price is None:
            return Spend(tokens)
        dearer = max(self.price.per_million_in, self.price.per_million_out)
        return Spend(tokens, tokens * dearer / _PER * self.multiplier)

    def exact(self, tokens_in: int, tokens_out: int) -> Spend:
        if self.price is None:
            return Spend(tokens_in + tokens_out)
        money = tokens_in * self.price.per_million_in + tokens_out * self.price.per_million_out
        return Spend(tokens_in + tokens_out, money / _PER * self.multiplier)

    def saving(self, share: float) -> float | None:
        """Return what a million tokens of prompts cost less with a share of them from a cache; None if not known."""
        if self.price is None or self.price.per_million_cached is None:
            return None
        less = self.price.per_million_in - self.price.per_million_cached
        return share * less * self.multiplier


class BudgetLedger:
    """The spend of each service today, open reserves included. The store keeps a copy."""

    def __init__(
        self,
        services: tuple[Service, ...],
        budgets: Mapping[str, DailyBudget],
        prices: Mapping[str, Price],
        spent: Mapping[tuple[str, date], Spend],
    ) -> None:
        self._multipliers = {service.id: service.multiplier for service in services}
        self._budgets = budgets
        self._prices = prices
        self._spent = dict(spent)
        self._warned = {key for key in self._spent if self._share(*key) >= WARN_SHARE}

    def change(
        self,
        services: tuple[Service, ...],
        budgets: Mapping[str, DailyBudget],
        prices: Mapping[str, Price],
    ) -> None:
        """Take new terms; what is spent stays spent, and open reserves are settled as they were made."""
        self._multipliers = {service.id: service.multiplier for service in services}
        self._budgets = budgets
        self._prices = prices

    def spent(self, service: str, day: date) -> Spend:
        return self._spent.get((service, day), NO_SPEND)

    def reserve(self, check: Check, worst: Spend, day: date) -> Spend | Failure:
        """Return the reserved amount, or why the run must not happen."""
        amount = self._prices_of(check).worst(worst.tokens)
        budget = self._budgets.get(check.service)
        if budget is not None and not budget.allows(self.spent(check.service, day) + amount):
            spent = self._why(check.service, budget, day)
            return Failure(FailureKind.BUDGET_PAUSED, f"{spent}; paid probes go on tomorrow (UTC)")
        self._add(check.service, day, amount)
        return amount

    def settle(
        self, check: Check, reserved: Spend, result: Result, day: date
    ) -> tuple[Result, Spend]:
        """Return the result with its cost, and what the ledger changes by.

        Without reported usage the reserve stays, unless nothing was ever answered. Of several calls an earlier one
        was: then there is a usage, if only one without counts.
        """
        reported = self._reported(check, result)
        if reported is not None:
            actual, result = reported, self.priced(check, result)
        elif _nothing_answered(result):
            actual = NO_SPEND
        else:
            actual = reserved
        self._add(check.service, day, actual - reserved)
        return result, actual - reserved

    def priced(self, check: Check, result: Result) -> Result:
        """Return the result with its cost, where the tokens are reported and their price is known."""
        spent = self._reported(check, result)
        if spent is None or result.usage is None or not self._in_dollars(check):
            return result
        return replace(result, usage=replace(result.usage, cost_usd=spent.money))

    def _reported(self, check: Check, result: Result) -> Spend | None:
        usage = result.usage
        if usage is None or usage.tokens_in is None:
            return None
        return self._prices_of(check).exact(usage.tokens_in, usage.tokens_out or 0)

    def warning(self, service: str, day: date) -> str | None:
        """Return a warning once a day, when most of the budget is gone; what is all gone is told as a pause."""
        if (service, day) in self._warned or not WARN_SHARE <= self._share(service, day) < 1:
            return None
        self._warned = {key for key in self._warned if key[1] == day} | {(service, day)}
        return self._why(service, self._budgets[service], day)

    def used(self, day: date) -> Mapping[str, float]:
        """Return the spent share of each budget."""
        return {service: self._share(service, day) for service in self._budgets}

    def _share(self, service: str, day: date) -> float:
        budget = self._budgets.get(service)
        return 0.0 if budget is None else budget.share(self.spent(service, day))

    def _add(self, service: str, day: date, amount: Spend) -> None:
        self._spent = {key: value for key, value in self._spent.items() if (day - key[1]).days <= 1}
        self._spent[service, day] = self.spent(service, day) + amount

    def _prices_of(self, check: Check) -> PriceList:
        return PriceList(
            self._prices.get(check.model or ""), self._multipliers.get(check.service, 1.0)
        )

    def _in_dollars(self, check: Check) -> bool:
        price = self._prices.get(check.model or "")
        return price is not None and price.currency == "USD"

    def _why(self, service: str, budget: DailyBudget, day: date) -> str:
        spent = self.spent(service, day)
        if budget.tokens is not None:
            return f"spent {spent.tokens} of {budget.tokens} tokens today"
        return f"spent {spent.money:.4f} of {budget.money} {budget.currency} today"


def _nothing_answered(result: Result) -> bool:
    """Say whether no status line came, or the answer was a refusal: nobody bills for that."""
    if result.usage is not None:
        return False
    return result.http_status is None or result.http_status >= 400
