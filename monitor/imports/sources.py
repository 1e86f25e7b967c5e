"""Tells whose file it is by what stands in it, and has it read."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.imports.foreign_files import Lines, read_bytes, read_json, read_yaml, text_of
from monitor.imports.imported import Imported, ImportFileError
from monitor.imports.kuma import is_backup, read_kuma
from monitor.imports.kuma_database import MAGIC, KumaDatabase

_WANTED = "want a backup or the kuma.db of Uptime Kuma"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was opened. `value` is what it holds; None for a database."""

    path: Path
    value: Any
    lines: Lines

    @property
    def is_database(self) -> bool:
        return self.value is None


def open_source(path: Path) -> Source:
    """Read one file. Raises ImportFileError."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ImportFileError(f"{path} cannot be read: {why}") from None
    if begin == MAGIC:
        return Source(path, None, {})
    text = text_of(read_bytes(path), path)
    is_json = text.lstrip().startswith(("{", "["))
    value, lines = (read_json(text, path), {}) if is_json else read_yaml(text, path)
    if value is None:
        raise ImportFileError(f"{path} is empty, {_WANTED}")
    return Source(path, value, lines)


def read_sources(paths: Iterable[Path]) -> Imported:
    """Read the files of one program. Raises ImportFileError for a file that nobody knows, and for those of several programs."""
    sources = [open_source(path) for path in dict.fromkeys(paths)]
    if len(sources) > 1:
        raise ImportFileError("want the files of one program at a time: run it once for each")
    return _read(sources[0])


def _read(source: Source) -> Imported:
    if source.is_database:
        with closing(KumaDatabase(source.path)) as database:
            return read_kuma(database.document(), str(source.path))
    if is_backup(source.value):
        return read_kuma(source.value, str(source.path))
    raise ImportFileError(f"{source.path} is of no program that is known, {_WANTED}")
