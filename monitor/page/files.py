"""Files appear whole or not at all, and only when they changed."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

MANIFEST = ".monitor-files.json"
"""What we wrote, so that nothing else is ever removed."""
YIELDING = frozenset({"robots.txt"})
"""Where the operator has put one of their own, theirs stays."""
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.\w+$")


def publish(folder: Path, files: Mapping[str, bytes]) -> int:
    """Write what changed, then remove what is no longer there. Gives how many changed.

    A page is written after all that it points at, the home page last of all.
    """
    _open_folder(folder)
    before = _manifest(folder)
    ours = [name for name in files if not _is_the_operators(folder, name, before)]
    changed = sum(_write(folder / name, files[name]) for name in sorted(ours, key=_turn))
    gone = before - set(ours)
    for name in gone:
        _remove(folder, name)
    if set(ours) != before:
        _write(folder / MANIFEST, json.dumps(sorted(ours)).encode())
    return changed + len(gone)


def _is_the_operators(folder: Path, name: str, before: set[str]) -> bool:
    return name in YIELDING and name not in before and (folder / name).exists()


def _turn(name: str) -> int:
    """Sorting by it keeps the order given within each kind: assets, the rest, pages, the home page."""
    if _HASHED.search(name):
        return 0
    if not name.endswith(".html"):
        return 1
    return 3 if name == "index.html" else 2


def _write(path: Path, content: bytes) -> bool:
    """A reader sees the old file or the new one; readable by a web server that is another user."""
    if path.is_file() and path.read_bytes() == content:
        return False
    _open_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def _open_folder(path: Path) -> None:
    """The page is for others to read, however private the rest of our files is kept."""
    if path.is_dir():
        return
    _open_folder(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _remove(folder: Path, name: str) -> None:
    """Nothing but a file of this folder, however the manifest came to name it."""
    path = folder / name
    if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
        path.unlink()
        with contextlib.suppress(OSError):  # other files are still in there
            path.parent.rmdir()


def _manifest(folder: Path) -> set[str]:
    """Names below the folder only, whatever the file says."""
    try:
        names = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return set()
    if not isinstance(names, list):
        return set()
    return {
        name
        for name in names
        if isinstance(name, str) and ".." not in Path(name).parts and not name.startswith("/")
    }
