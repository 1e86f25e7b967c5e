"""Budgets as people write them: `500k tokens`, `2M tokens`, `0.50 USD`."""

import re

from monitor.model import DailyBudget

_TOKENS = re.compile(r"(\d+(?:\.\d+)?)\s*([kM]?)\s*tokens?")
_MONEY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Z]{3})")
_SCALE = {"": 1, "k": 1_000, "M": 1_000_000}


def parse_budget(text: str) -> DailyBudget:
    """Raise ValueError, with the remedy in its text, for anything else."""
    budget = _budget(text.strip()) if len(text) < 40 else None
    if budget is None or not (budget.tokens or budget.money):
        raise ValueError(f'got "{text[:40]}", want a budget such as "500k tokens" or "0.50 USD"')
    return budget


def _budget(text: str) -> DailyBudget | None:
    if found := _TOKENS.fullmatch(text):
        return DailyBudget(tokens=int(float(found[1]) * _SCALE[found[2]]))
    if found := _MONEY.fullmatch(text):
        return DailyBudget(money=float(found[1]), currency=found[2])
    return None
