"""`[page]`: what it shows and how it looks."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from monitor.config.parse_tables import Tables
from monitor.config.tables import PublishTable
from monitor.model import PageSettings, Price, Publishing, Secret

_LARGEST = 300_000
"""Bytes: every reader loads it."""
_LOGOS = (".svg", ".png", ".webp", ".jpg", ".jpeg")


def page(tables: Tables, folder: Path, state: Path, prices: Mapping[str, Price]) -> PageSettings:
    """`folder` holds the configuration, `state` what is written."""
    table = tables.page
    return PageSettings(
        dir=state / table.dir,
        url=table.url,
        title=table.title,
        languages=table.languages,
        css=_file(tables, "css", folder, table.css, (".css",)),
        logo=_file(tables, "logo", folder, table.logo, _LOGOS),
        links=tuple(table.links.items()),
        hosts=table.hosts,
        models=table.models,
        spend=table.spend,
        errors=table.errors,
        publish=_publishing(table.publish) if table.publish else None,
        currency=next((price.currency for price in prices.values()), "USD"),
    )


def _publishing(table: PublishTable) -> Publishing:
    return Publishing(
        command=table.command,
        every=table.every,
        timeout=table.timeout,
        cache=table.cache or timedelta(0),
        env=tuple((name, Secret(value)) for name, value in table.env.items()),
    )


def _file(
    tables: Tables, key: str, folder: Path, path: Path | None, endings: tuple[str, ...]
) -> Path | None:
    if path is None:
        return None
    path = folder / path
    if trouble := _trouble_with(path, endings):
        tables.complain(("page", key), trouble)
    return path


def _trouble_with(path: Path, endings: tuple[str, ...]) -> str | None:
    if path.suffix.lower() not in endings:
        return f"got {path.name}, want a file that ends in {' or '.join(endings)}"
    try:
        size = path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        size = None
    if size is None:
        return f"there is no file {path}"
    if size > _LARGEST:
        return f"{path.name} has {size} bytes, want at most {_LARGEST}"
    return None
