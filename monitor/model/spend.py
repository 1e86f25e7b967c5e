"""Tokens and money: prices, budgets, and what is spent."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a million tokens. A `key` is what a field is called in `[price."MODEL"]`."""

    per_million_in: float = field(metadata={"help": "per million tokens sent", "key": "in"})
    per_million_out: float = field(metadata={"help": "per million tokens answered", "key": "out"})
    currency: str = field(default="USD", metadata={"help": "the same everywhere"})
    per_million_cached: float | None = field(
        default=None, metadata={"help": "per million tokens read from a cache", "key": "cached"}
    )


@dataclass(frozen=True, slots=True)
class Spend:
    """The tokens and money that a run cost, or may cost at worst."""

    tokens: int = 0
    money: float = 0.0

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(self.tokens + other.tokens, self.money + other.money)

    def __sub__(self, other: "Spend") -> "Spend":
        return Spend(self.tokens - other.tokens, self.money - other.money)


NO_SPEND = Spend()


@dataclass(frozen=True, slots=True)
class DailyBudget:
    """A number of tokens, or an amount of money, for each UTC day."""

    tokens: int | None = None
    money: float | None = None
    currency: str = "USD"

    def allows(self, spent: Spend) -> bool:
        if self.tokens is not None and spent.tokens > self.tokens:
            return False
        return self.money is None or spent.money <= self.money

    def share(self, spent: Spend) -> float:
        """Return the share that is spent; 1 is all of it, and a budget of nothing is always spent."""
        parts = ((spent.tokens, self.tokens), (spent.money, self.money))
        return max(part / whole if whole else 1.0 for part, whole in parts if whole is not None)
