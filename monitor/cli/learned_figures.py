"""Says what probes have learned of money, models and caches, for the operator alone."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import Any

from monitor.budget import PriceList
from monitor.cli.console import iso_time, utc_time
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.model import BalanceHistory, Catalogue, Check, Habit
from monitor.model.catalogue import KEPT_FOR
from monitor.probes.kinds.balance import BalanceProbe
from monitor.probes.kinds.cache import CacheProbe
from monitor.probes.kinds.prices import PricesProbe, note_of
from monitor.store import Store


def lines(config: Config, now: datetime) -> Iterator[str]:
    yield from balance_lines(config)
    yield from cache_lines(config)
    yield from catalogue_lines(config, now)


def document(config: Config) -> dict[str, Any]:
    return {
        "catalogues": {
            path: _catalogue_document(catalogue) for path, catalogue in catalogues(config).items()
        },
        "caches": caches(config),
        "balances": {path: _balance_document(money) for path, money in balances(config).items()},
    }


def read_habits(config: Config) -> Mapping[str, Habit]:
    """Return what the checks have learned, by their keys."""
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        return reader.restart_state(SystemClock().now()).habits


def _learned(config: Config, kind: str) -> list[tuple[Check, Habit]]:
    """Return the checks of this kind with what they have learned."""
    checks = [check for check in config.checks if check.probe.kind == kind]
    if not checks:
        return []
    habits = read_habits(config)
    return [(check, habits[check.key]) for check in checks if check.key in habits]


# --- balances -------------------------------------------------------------------------------------


def balances(config: Config) -> dict[str, BalanceHistory]:
    """Return what each `balance` check has read, by its base URL."""
    known = _learned(config, BalanceProbe.kind)
    return {check.endpoint.path: habit.money for check, habit in known if habit.money.form}


def balance_lines(config: Config) -> Iterator[str]:
    for path, money in balances(config).items():
        yield f"Balance of {balance_text(path, money)}"


def balance_text(path: str, money: BalanceHistory) -> str:
    """Say what was left when it was read last, and whether that is of the account or of the key alone."""
    balance = money.last()
    whose = "the key at" if balance.of_key else "the account at"
    if balance.amount is None:
        return f"{whose} {path}: without a limit; what the account has is not told"
    left = f"{balance.amount:.2f} {balance.currency} at {utc_time(money.amounts[-1][0])} UTC"
    if balance.days_left is None:
        return f"{whose} {path}: {left}"
    return f"{whose} {path}: {left}, lasts {balance.days_left:.1f} days at this rate"


def _balance_document(money: BalanceHistory) -> dict[str, Any]:
    balance = money.last()
    return {
        "amount": balance.amount,
        "currency": balance.currency,
        "of_key": balance.of_key,
        "days_left": balance.days_left,
        "at": iso_time(money.amounts[-1][0]) if money.amounts else None,
    }


# --- prompt caches --------------------------------------------------------------------------------


def caches(config: Config) -> dict[str, dict[str, Any]]:
    """Return how much of the last prompt that hit came from a cache, by check, and what that saves where a price is known.

    `saving` is of a million tokens of such prompts.
    """
    multipliers = {service.id: service.multiplier for service in config.services}
    told: dict[str, dict[str, Any]] = {}
    for check, habit in _learned(config, CacheProbe.kind):
        if habit.cached_share is None:
            continue
        price = config.prices.get(check.model or "")
        saving = PriceList(price, multipliers[check.service]).saving(habit.cached_share)
        told[check.key] = {
            "share": habit.cached_share,
            "saving": saving,
            "currency": price.currency if price else None,
        }
    return told


def cache_lines(config: Config) -> Iterator[str]:
    for key, cache in caches(config).items():
        line = f"Prompt cache of {key}: {cache['share']:.0%} of the last prompt that hit"
        if cache["saving"] is not None and cache["saving"] > 0:
            saved = f"{cache['saving']:.2f} {cache['currency']}"
            line += f", which saves {saved} a million tokens of such prompts"
        yield line


# --- models and prices ----------------------------------------------------------------------------


def catalogues(config: Config) -> dict[str, Catalogue]:
    """Return what each `prices` check has read, by its base URL."""
    known = _learned(config, PricesProbe.kind)
    return {
        check.endpoint.path: habit.catalogue for check, habit in known if habit.catalogue.entries
    }


def catalogue_lines(config: Config, now: datetime) -> Iterator[str]:
    """Say how many models are listed, and what changed last."""
    for path, catalogue in catalogues(config).items():
        yield f"Models of {path}: {len(catalogue.names)}, {_last_change(catalogue, now)}"


def _last_change(catalogue: Catalogue, now: datetime) -> str:
    if catalogue.since is None:
        return "not yet read twice alike, so that no change is known"
    if not catalogue.changes:
        since = max(catalogue.since, now - KEPT_FOR)
        return f"no change known since {utc_time(since)} UTC"
    last = catalogue.changes[-1].at
    changes = [change for change in catalogue.changes if change.at == last]
    return f"last change at {utc_time(last)} UTC: {note_of(changes)}"


def _catalogue_document(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "models": len(catalogue.names),
        "prices": catalogue.form or None,
        "since": catalogue.since and iso_time(catalogue.since),
        "changes": [asdict(change) | {"at": iso_time(change.at)} for change in catalogue.changes],
    }
