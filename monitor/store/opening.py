"""From a path to a store that can be written: checked, migrated, damage put aside."""

import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from monitor.clock import Clock
from monitor.model import StoreError
from monitor.store import engine as engines
from monitor.store import migrations
from monitor.store.salvage import salvage

log = logging.getLogger(__name__)


def prepare(path: Path, engine: Engine, clock: Clock, note: Callable[[str], None]) -> None:
    """Raises StoreError when the file cannot be used now, NewerSchemaError when not by us."""
    aside = _damaged_aside(path, clock)
    try:
        _migrate(path, engine)
        if aside is not None:
            with engine.begin() as connection:
                saved = salvage(aside[0], connection)
            note(
                f"the store was damaged ({aside[1]}); it is kept as {aside[0].name}, "
                f"{saved} rows of it were saved into a fresh one"
            )
    except DBAPIError as error:
        raise StoreError(f"{path} cannot be opened: {error.orig}") from error


def _damaged_aside(path: Path, clock: Clock) -> tuple[Path, str] | None:
    damage = engines.damage(path)
    if damage is None:
        return None
    try:
        return engines.set_aside(path, f"{clock.now():%Y%m%dT%H%M%SZ}"), damage
    except OSError as error:
        raise StoreError(f"{path} is damaged and cannot be set aside: {error.strerror}") from error


def _migrate(path: Path, engine: Engine) -> None:
    """A backup before each step that changes what is there; a new store needs none."""
    with engine.begin() as connection:
        found = migrations.version(connection)
    migrations.check_not_newer(found)
    for step in range(found, len(migrations.MIGRATIONS)):
        if found:
            engines.copy(path, path.with_name(f"{path.name}.schema-{step}"))
        with engine.begin() as connection:
            migrations.migrate(connection, step)
