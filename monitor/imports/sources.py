"""Tells whose file it is by what stands in it, and has it read."""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from monitor.imports.blackbox import is_blackbox, read_blackbox
from monitor.imports.fields import tables
from monitor.imports.foreign_files import Source, read_bytes, read_json, read_yaml, text_of
from monitor.imports.gatus import is_gatus, read_gatus
from monitor.imports.imported import Imported, ImportFileError, shown
from monitor.imports.kuma import is_backup, read_kuma
from monitor.imports.kuma_database import MAGIC, KumaDatabase
from monitor.imports.openstatus import is_openstatus, read_openstatus

_WANTED = (
    "want a backup or the kuma.db of Uptime Kuma, the YAML of Gatus, blackbox.yml with prometheus.yml, or"
    " openstatus.yaml"
)


def open_source(path: Path) -> Source:
    """Read one file. Raises ImportFileError."""
    content = read_bytes(path, MAGIC)
    if content == MAGIC:
        return Source(path, None, {})
    text = text_of(content, path)
    is_json = text.lstrip().startswith(("{", "["))
    value, lines = (read_json(text, path), {}) if is_json else read_yaml(text, path)
    if value is None:
        raise ImportFileError(f"{path} is empty, {_WANTED}")
    return Source(path, value, lines)


def read_sources(paths: Iterable[Path]) -> Imported:
    """Read the files of one program.

    Raises ImportFileError for a file that nobody knows, for files of several programs, and for several of a
    program that keeps one.
    """
    sources = [open_source(path) for path in dict.fromkeys(paths)]
    readers = [_reader_of(source) for source in sources]
    if len(set(readers)) > 1:
        raise ImportFileError("want the files of one program at a time: run it once for each")
    return readers[0](sources)


def _reader_of(source: Source) -> Callable[[list[Source]], Imported]:
    if source.is_database:
        return _read_database
    for is_of, read in _PROGRAMS:
        if is_of(source.value):
            return read
    if components := _components(source.value):
        names = ", ".join(components[:20])
        raise ImportFileError(
            f"{source.path} is of Statuspage, whose components ({names}) have no address: people set their state by hand."
            " Write what they stand for with `monitor init --url URL`"
        )
    raise ImportFileError(f"{source.path} is of no program that is known, {_WANTED}")


def _read_database(sources: list[Source]) -> Imported:
    with closing(KumaDatabase(_only(sources).path)) as database:
        return read_kuma(database.document(), sources[0].name)


def _read_backup(sources: list[Source]) -> Imported:
    source = _only(sources)
    return read_kuma(source.value, source.name)


def _read_openstatus(sources: list[Source]) -> Imported:
    return read_openstatus(_only(sources))


def _only(sources: list[Source]) -> Source:
    if len(sources) > 1:
        raise ImportFileError(f"want one file, got {len(sources)}: run it once for each")
    return sources[0]


_PROGRAMS: tuple[tuple[Callable[[object], bool], Callable[[list[Source]], Imported]], ...] = (
    (is_backup, _read_backup),
    (is_blackbox, read_blackbox),
    (is_gatus, read_gatus),
    (is_openstatus, _read_openstatus),
)
"""Tells whether a document is of a program, and reads it."""


def _components(value: object) -> list[str]:
    """Return the names of a Statuspage's components, of its summary or its list of them."""
    components = tables(value.get("components") if isinstance(value, dict) else value)
    is_statuspage = components and all({"name", "status"} <= item.keys() for item in components)
    return [shown(item.get("name")) for item in components] if is_statuspage else []
