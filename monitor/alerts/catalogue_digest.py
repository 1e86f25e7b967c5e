"""Says once a day which models appeared and vanished, and which prices changed. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta, tzinfo

from monitor.alerts.message_parts import Context
from monitor.language import Language, marked
from monitor.model import CatalogueChange, CatalogueItem

TOLD_AT = time(9)
"""By the clock of the messages: people read it in the morning."""
_NAMES = 12
"""Names of a kind that are listed for a base URL."""
_PRICES = 8
_BLOCKS = 8
"""Base URLs, or sets of them with the same changes."""
_MOST_TIMES = 100
"""Beyond it a share says no more than the figures."""
_LABELS = {
    "ratio": marked("ratio"),
    "completion_ratio": marked("completion ratio"),
    "cache_ratio": marked("cache ratio"),
    "cache_write_ratio": marked("cache write ratio"),
    "image_ratio": marked("image ratio"),
    "audio_ratio": marked("audio ratio"),
    "audio_completion_ratio": marked("audio completion ratio"),
    "input_ratio": marked("input ratio"),
    "output_ratio": marked("output ratio"),
    "call_ratio": marked("ratio of a call"),
    "input": marked("input, USD for a million tokens"),
    "output": marked("output, USD for a million tokens"),
    "cache": marked("cached input, USD for a million tokens"),
    "call": marked("USD for a call"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueNews:
    """Holds what changed at one base URL since it was told last."""

    service: str
    """The service's name."""
    endpoint: str
    """The base URL's name."""
    changes: tuple[CatalogueChange, ...]
    nearest: Mapping[str, str | None] = field(default_factory=dict)
    """The models that checks ask there and that its list names no more -> the nearest that it names, if any."""


def last_time_to_tell(now: datetime, zone: tzinfo) -> datetime:
    """Return the newest moment at which a digest was due."""
    local = now.astimezone(zone)
    due = datetime.combine(local.date(), TOLD_AT, zone)
    return due if due <= local else due - timedelta(days=1)


def catalogue_digest(news: Iterable[CatalogueNews], context: Context) -> str | None:
    """Return what is told; None where nothing changed that did not change back. The first line is the title."""
    blocks = _blocks(news)
    if not blocks:
        return None
    say, services = context.language, {block[0].service for block in blocks}
    title = say.gettext("%(service)s: models or prices changed", service=blocks[0][0].service)
    if len(services) > 1:
        title = say.gettext("Models or prices changed in %(num)s services", num=len(services))
    lines = [line for block in blocks[:_BLOCKS] for line in _lines(block, say)]
    if left := sum(len(block) for block in blocks[_BLOCKS:]):
        lines.append(
            say.gettext("More base URLs that changed: %(num)s; see `monitor status`.", num=left)
        )
    return "\n".join([f"🏷 {title}", *lines])


def _blocks(news: Iterable[CatalogueNews]) -> list[list[CatalogueNews]]:
    """Put base URLs of a service with the same changes together; what misses a model that is asked comes first."""
    blocks: dict[object, list[CatalogueNews]] = {}
    for each in news:
        changes = _net(each.changes)
        if changes:
            moves = frozenset((*_key(change), change.before, change.after) for change in changes)
            same = each.service, moves, frozenset(each.nearest.items())
            blocks.setdefault(same, []).append(replace(each, changes=changes))
    return sorted(blocks.values(), key=lambda block: not block[0].nearest)


def _net(changes: Sequence[CatalogueChange]) -> tuple[CatalogueChange, ...]:
    """Return what all changes of each thing come to; what changed back is none."""
    sums: dict[tuple[CatalogueItem, str], CatalogueChange] = {}
    for change in changes:
        first = sums.get(_key(change), change)
        sums[_key(change)] = replace(change, before=first.before)
    return tuple(sums[key] for key in sorted(sums) if sums[key].before != sums[key].after)


def _key(change: CatalogueChange) -> tuple[CatalogueItem, str]:
    return change.what, change.name


def _lines(block: Sequence[CatalogueNews], say: Language) -> Iterator[str]:
    first = block[0]
    names = say.listed([each.endpoint for each in block[:3]])
    where = say.gettext("%(service)s, %(names)s:", service=first.service, names=names)
    if len(block) > 3:
        where = say.gettext(
            "%(service)s, %(num)s base URLs:", service=first.service, num=len(block)
        )
    yield where
    for model, nearest in sorted(first.nearest.items()):
        told = say.gettext("Gone, and asked by your checks: %(model)s", model=model)
        if nearest:
            told += say.gettext(" (the nearest there is %(model)s)", model=nearest)
        yield told
    models = [change for change in first.changes if change.what is CatalogueItem.MODEL]
    groups = [change for change in first.changes if change.what is CatalogueItem.GROUP]
    gone = [change.name for change in models if change.after is None]
    yield from _named(marked("New models: %(names)s"), _new(models), say)
    yield from _named(
        marked("Gone: %(names)s"), [name for name in gone if name not in first.nearest], say
    )
    yield from _named(marked("New groups: %(names)s"), _new(groups), say)
    yield from _named(
        marked("Groups that are gone: %(names)s"),
        [change.name for change in groups if change.after is None],
        say,
    )
    prices = [change for change in (*groups, *models) if change.is_of_price]
    yield from (_price(change, say) for change in prices[:_PRICES])
    if left := max(len(prices) - _PRICES, 0):
        yield say.gettext("And %(num)s more prices changed.", num=left)


def _new(changes: Iterable[CatalogueChange]) -> list[str]:
    return [change.name for change in changes if change.before is None]


def _named(sentence: str, names: Sequence[str], say: Language) -> Iterator[str]:
    """Say names, the first ones of many."""
    if not names:
        return
    listed = say.pgettext("between items of a list", ", ").join(names[:_NAMES])
    if left := max(len(names) - _NAMES, 0):
        listed = say.gettext("%(names)s and %(num)s more", names=listed, num=left)
    yield say.gettext(sentence, names=listed)


def _price(change: CatalogueChange, say: Language) -> str:
    """Return `gpt-x: ratio 1.25 → 2.5 (+100 %)`, with the figures that changed alone."""
    before, after = _read(change.before or ""), _read(change.after or "")
    figures = say.pgettext("between items of a list", ", ").join(
        _figure(name, before.get(name), after.get(name), say)
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    )
    if change.what is CatalogueItem.GROUP:
        return say.gettext("Group %(name)s: %(figures)s", name=change.name, figures=figures)
    return say.gettext("%(name)s: %(figures)s", name=change.name, figures=figures)


def _read(figures: str) -> dict[str, str]:
    pairs = (pair.partition(" ") for pair in figures.split(", ") if pair)
    return {name: number for name, _, number in pairs}


def _figure(name: str, before: str | None, after: str | None, say: Language) -> str:
    if name == "formula":
        return say.gettext("another formula of its price")
    unknown = say.gettext("not told")
    label = say.gettext(_LABELS.get(name, name))
    return f"{label} {before or unknown} → {after or unknown}{_share(before, after, say)}"


def _share(before: str | None, after: str | None, say: Language) -> str:
    """Return by how much a figure rose or fell, as ` (+25 %)`; nothing where that has no meaning."""
    if not before or not after or float(before) == 0:
        return ""
    times = float(after) / float(before)
    if times > _MOST_TIMES:
        return ""
    return say.gettext(" (%(share)s %%)", share=f"{(times - 1) * 100:+.0f}")
