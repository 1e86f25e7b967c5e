"""The models that a base URL lists with their prices, and how they changed.

A list is believed once two runs in a row agree: relays answer half a list while they restart, and an empty one while
their database is away. What is kept is one list and its changes, however often it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

KEPT_FOR = timedelta(days=8)
_MOST_CHANGES = 2000
_MOST_MISSES = 3
"""Runs in a row without prices, after which the relay is asked for them in every form again."""


class CatalogueItem(StrEnum):
    """The things that have a line of their own in a catalogue."""

    MODEL = "model"
    GROUP = "group"
    """A group of accounts, and the factor on all prices that it pays."""


Key = tuple[CatalogueItem, str]
"""What it is, and its name."""
Entry = tuple[CatalogueItem, str, str]
"""What it is, its name, and its figures as `ratio 1.25, completion_ratio 4`; "" where no price is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueChange:
    """Holds one thing that two runs in a row found otherwise than before."""

    at: datetime
    what: CatalogueItem
    name: str
    before: str | None
    """Its figures; None where it was not listed."""
    after: str | None
    """Its figures; None where it is listed no more."""

    @property
    def is_of_price(self) -> bool:
        return self.before is not None and self.after is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    form: str = ""
    """In which form the relay tells its prices; "" where none is known."""
    misses: int = 0
    """Runs in a row in which that form was not answered."""
    since: datetime | None = None
    """When two runs in a row first found the same models: what differs from then on is a change."""
    entries: tuple[Entry, ...] = ()
    pending: tuple[tuple[CatalogueItem, str, str | None], ...] = ()
    """What the last run alone found otherwise; None for what it did not find."""
    changes: tuple[CatalogueChange, ...] = ()
    """Of the last eight days, and no more than the last 2,000; oldest first."""

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the models."""
        return frozenset(name for what, name, _ in self.entries if what is CatalogueItem.MODEL)

    def changes_since(self, moment: datetime) -> tuple[CatalogueChange, ...]:
        return tuple(change for change in self.changes if change.at > moment)

    def after_run(
        self, names: frozenset[str], form: str, figures: Mapping[Key, str] | None, now: datetime
    ) -> "Catalogue":
        """Return the catalogue after one more run, which found these models.

        `figures` are the prices of models and groups as the relay tells them in this form; None where it told
        none this time, which leaves them as they were.
        """
        known = {(what, name): told for what, name, told in self.entries}
        if figures is None:
            return _compared(self._without_prices(form), known, _unpriced(known, names), now)
        found = _priced(names, figures)
        if form != self.form:  # other units, or none before: no price has changed
            known = {key: found.get(key, "") for key in known if key[0] is CatalogueItem.MODEL}
            known |= {key: told for key, told in found.items() if key[0] is CatalogueItem.GROUP}
        return _compared(replace(self, form=form, misses=0), known, found, now)

    def _without_prices(self, form: str) -> "Catalogue":
        if not self.form or form != self.form:
            return self
        misses = self.misses + 1
        is_given_up = misses >= _MOST_MISSES
        return replace(self, form="" if is_given_up else form, misses=0 if is_given_up else misses)


NO_CATALOGUE = Catalogue()


def _compared(
    catalogue: Catalogue, known: Mapping[Key, str], found: Mapping[Key, str], now: datetime
) -> Catalogue:
    """Return the catalogue with what both this run and the last one found otherwise than it was known."""
    if catalogue.since is None:
        since = now if known.keys() == found.keys() else None
        return replace(catalogue, since=since, entries=_entries(found), pending=())
    other = {
        key: found.get(key) for key in sorted({*known, *found}) if known.get(key) != found.get(key)
    }
    before = {(what, name): told for what, name, told in catalogue.pending}
    believed = {
        key: told
        for key, told in other.items()
        if key in before and (before[key] is None) == (told is None)
    }
    changes = [
        CatalogueChange(at=now, what=key[0], name=key[1], before=known.get(key), after=told)
        for key, told in believed.items()
    ]
    current = {key: told for key, told in known.items() if key not in believed}
    current |= {key: told for key, told in believed.items() if told is not None}
    kept = (
        change if change.at <= now else replace(change, at=now)  # the clock was set back
        for change in catalogue.changes
        if now - change.at <= KEPT_FOR
    )
    return replace(
        catalogue,
        entries=_entries(current),
        pending=tuple((*key, told) for key, told in other.items() if key not in believed),
        changes=(*kept, *changes)[-_MOST_CHANGES:],
    )


def _unpriced(known: Mapping[Key, str], names: frozenset[str]) -> dict[Key, str]:
    """Return these models with the prices that are known, and all groups."""
    models = ((CatalogueItem.MODEL, name) for name in names)
    groups = {key: told for key, told in known.items() if key[0] is CatalogueItem.GROUP}
    return groups | {key: known.get(key, "") for key in models}


def _priced(names: frozenset[str], figures: Mapping[Key, str]) -> dict[Key, str]:
    models = ((CatalogueItem.MODEL, name) for name in names)
    groups = {key: told for key, told in figures.items() if key[0] is CatalogueItem.GROUP}
    return groups | {key: figures.get(key, "") for key in models}


def _entries(found: Mapping[Key, str]) -> tuple[Entry, ...]:
    return tuple((*key, found[key]) for key in sorted(found))
