"""A fault that is put into the real code for a moment, and the decorator that adds one to a list."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

Patch = pytest.MonkeyPatch
Put = Callable[[Patch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    put: Put
    seed: int | None = None
    """Where it takes a history that is rare, one that has it in three days."""
    people: bool = False
    """Whether only people at Telegram bring it out."""


def planting(
    mutants: list[Mutant], *, seed: int | None = None, people: bool = False
) -> Callable[[Put], Put]:
    """Return a decorator that adds a fault to `mutants`, named after its function."""

    def plant(put: Put) -> Put:
        mutants.append(Mutant(put.__name__.replace("_", " "), put, seed, people))
        return put

    return plant
