"""Files appear whole or not at all, and only when they changed."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

MANIFEST = ".monitor-files.json"
"""What we wrote, so that nothing else is ever removed."""


def publish(folder: Path, files: Mapping[str, bytes]) -> int:
    """Write what changed, in the order given, then remove what is no longer there. Gives how many changed."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _manifest(folder)
    changed = sum(_write(folder / name, content) for name, content in files.items())
    gone = before - set(files)
    for name in gone:
        _remove(folder, name)
    if gone or set(files) != before:
        _write(folder / MANIFEST, json.dumps(sorted(files)).encode())
    return changed + len(gone)


def _write(path: Path, content: bytes) -> bool:
    """A reader sees the old file or the new one; readable by a web server that is another user."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
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
