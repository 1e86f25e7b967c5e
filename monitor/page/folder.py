"""Files appear whole or not at all, and only when they changed."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from monitor.page.render_cache import UNCHANGED

MANIFEST = ".monitor-files.json"
"""What we wrote, so that nothing else is ever removed."""
YIELDING = frozenset({"robots.txt"})
"""Where the operator has put one of their own, theirs stays."""
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.\w+$")


def publish(folder: Path, files: Mapping[str, bytes]) -> int:
    """Write the files once, in an order in which they may be read, and return how many changed."""
    return Folder(folder).publish((name, files[name]) for name in sorted(files, key=_order))


class Folder:
    """The folder of the page. It knows by hash and time what it wrote, so that the same bytes are not read again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: dict[str, tuple[bytes, int]] = {}
        """The hash of the content, and when the file last changed (ns)."""
        self.lost: set[str] = set()
        """Files that were given as `UNCHANGED` the last time and are not there as they were written."""
        self._names: Manifest | None = None

    def publish(self, files: Iterable[tuple[str, bytes]]) -> int:
        """Write what changed, each file as it comes, then remove what is no longer there, and return how many changed."""
        open_folder(self.path)
        self.lost = set()
        before, ours, changed = self._names or _names(self.path), set[str](), 0
        for name, content in files:
            if not _is_the_operators(self.path, name, before):
                changed += self._write(name, content)
                ours.add(name)
        self._written = {name: each for name, each in self._written.items() if name in ours}
        now, gone = before.updated(ours)
        for name in gone:
            _remove(self.path, name)
        if now != before:
            _write(self.path / MANIFEST, now.as_json(), mode=0o640)
        self._names = now
        return changed + len(gone)

    def _write(self, name: str, content: bytes) -> bool:
        file = f"{self.path}/{name}"
        (written, since), changed = self._written.get(name, (b"", 0)), _changed(file)
        if content is UNCHANGED:
            if not changed or changed != since:
                self.lost.add(name)
            return False
        digest = sha256(content).digest()  # in which others may run, unlike in hash()
        if (digest, changed) == (written, since):
            return False
        new = _write(Path(file), content)
        self._written[name] = digest, _changed(file)
        return new


def _changed(file: str) -> int:
    """0 where it is gone."""
    with contextlib.suppress(OSError):
        return os.stat(file).st_mtime_ns  # noqa: PTH116  # of thousands of files
    return 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """The list of what we wrote, so that nothing else is ever removed."""

    files: frozenset[str] = frozenset()
    old: frozenset[str] = frozenset()
    """Assets of the pages before: somebody may still read one of those."""

    def updated(self, files: set[str]) -> tuple["Manifest", frozenset[str]]:
        """Return the list with these files, and what is to be removed."""
        vanished = self.files - files
        assets = frozenset(filter(_HASHED.search, vanished))
        old = (assets or self.old) - files
        return Manifest(frozenset(files), old), (vanished | self.old) - old - files

    def as_json(self) -> bytes:
        return json.dumps({"files": sorted(self.files), "old": sorted(self.old)}).encode()


def _is_the_operators(folder: Path, name: str, before: Manifest) -> bool:
    return name in YIELDING and name not in before.files and (folder / name).exists()


def _order(name: str) -> int:
    """Return what to sort by: it keeps the order given within each kind (assets, the rest, pages, the home page)."""
    if not name.endswith(".html"):
        return 0 if _HASHED.search(name) else 1
    return 3 if name == "index.html" else 2


def _write(path: Path, content: bytes, mode: int = 0o644) -> bool:
    """Write one file. A reader sees the old one or the new one; a web server that is another user can read it."""
    if path.is_file() and path.read_bytes() == content:
        return False
    open_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def open_folder(path: Path) -> None:
    """Make the folder. The page is for others to read, however private the rest of our files is kept."""
    if path.is_dir():
        return
    open_folder(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _remove(folder: Path, name: str) -> None:
    """Remove a file of this folder and nothing else, however the manifest came to name it."""
    path = folder / name
    if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
        path.unlink()
        with contextlib.suppress(OSError):  # other files are still in there
            path.parent.rmdir()


def _names(folder: Path) -> Manifest:
    """Return the names below the folder only, whatever the file says."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return Manifest()
    kept = (
        manifest if isinstance(manifest, dict) else {"files": manifest}
    )  # a list, before there were old ones
    return Manifest(_below(kept.get("files")), _below(kept.get("old")))


def _below(names: object) -> frozenset[str]:
    if not isinstance(names, list):
        return frozenset()
    return frozenset(
        name
        for name in names
        if isinstance(name, str) and ".." not in Path(name).parts and not name.startswith("/")
    )
