"""The page's files as they go out: located safely, compressed once a version, named by their content."""

import gzip
import hashlib
import mimetypes
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_CACHED_BYTES = 64 * 1024 * 1024
"""Bytes in memory; what is more is read and compressed again."""
_MIN_GZIP_BYTES = 512

_HASHED = re.compile(r"\.[0-9a-f]{8,}\.(?:css|js)$")
_CROSS_ORIGIN = re.compile(
    r"^(?:api/|badge[./]|best\.|llms\.txt$|(?:endpoint|status)\.schema\.json|(?:endpoints/.*/)?status\.json|(?:[^/]*/)?(?:feed\.atom|maintenance\.ics))"
)
"""What programs on other pages may read."""
_TYPES = {
    ".json": "application/json",
    ".atom": "application/atom+xml",
    ".ics": "text/calendar",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
    ".js": "text/javascript",
}
_PLAIN = frozenset(
    {"image/png", "image/jpeg", "image/webp", "image/gif", "image/x-icon", "font/woff2"}
)
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self' https:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own policy, in its head, names the hosts that it may ask; the stricter of both holds."""
_WIDGET = re.compile(r"(?:[a-z]{2}(?:-[A-Za-z]+)?/)?embed/index\.html")
"""What may stand in a frame of any other page: one file of each language."""
_WIDGET_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
)
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@dataclass(frozen=True, slots=True)
class ServedFile:
    """One version of one file; `zipped` where that is smaller."""

    plain: bytes
    zipped: bytes | None
    tag: str
    headers: Mapping[str, str]
    is_for_frames: bool


Stamp = tuple[int, int, int]
"""Inode, time of the last change (ns) and size: a file with the same is the same, for every write makes a new one."""


class StaticFiles:
    """The files of one folder, with what was read of them lately."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: OrderedDict[Path, tuple[Stamp, ServedFile]] = OrderedDict()
        self._weight = 0

    def locate(self, asked: str) -> Path | None:
        """Return the file or folder behind a URL path, never outside the folder, never a hidden one."""
        if "\0" in asked or any(part.startswith(".") for part in asked.split("/")):
            return None
        try:
            root = self.folder.resolve()
            path = (root / asked.lstrip("/")).resolve()
            if not path.is_relative_to(root):
                return None
            if asked == "" or asked.endswith("/"):
                path /= "index.html"
            inside = path.resolve().is_relative_to(root)
            return path if inside and (path.is_file() or path.is_dir()) else None
        except (OSError, ValueError):  # a name that is too long, a character that no file has
            return None

    def not_found(self, asked: str) -> Path | None:
        """Return the page that says that there is no such page, in the language of the place if there is one."""
        places = (asked.partition("/")[0] + "/404.html", "404.html")
        files = (path for place in places if (path := self.locate(place)) and path.is_file())
        return next(files, None)

    def read(self, path: Path) -> ServedFile:
        """Raises OSError where the file has just gone."""
        state = path.stat()
        stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
        kept = self._kept.get(path)
        if kept and kept[0] == stamp:
            self._kept.move_to_end(path)
            return kept[1]
        file = _read(path, path.relative_to(self.folder.resolve()).as_posix())
        self._keep(path, stamp, file)
        return file

    def _keep(self, path: Path, stamp: Stamp, file: ServedFile) -> None:
        self._drop(path)
        self._kept[path] = (stamp, file)
        self._weight += _weight(file)
        while self._weight > MAX_CACHED_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, path: Path) -> None:
        if kept := self._kept.pop(path, None):
            self._weight -= _weight(kept[1])


def _weight(file: ServedFile) -> int:
    return len(file.plain) + len(file.zipped or b"")


def _read(path: Path, name: str) -> ServedFile:
    plain = path.read_bytes()
    kind = (
        _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    )
    zipped = (
        None if kind in _PLAIN or len(plain) < _MIN_GZIP_BYTES else gzip.compress(plain, 9, mtime=0)
    )
    return ServedFile(
        plain=plain,
        zipped=zipped if zipped and len(zipped) < len(plain) else None,
        tag=hashlib.sha256(plain).hexdigest()[:20],
        headers=_headers(kind, name),
        is_for_frames=_WIDGET.fullmatch(name) is not None,
    )


def _headers(kind: str, name: str) -> dict[str, str]:
    headers = {
        "Content-Type": kind if kind in _PLAIN else f"{kind}; charset=utf-8",
        "Cache-Control": "public, max-age=31536000, immutable"
        if _HASHED.search(name)
        else "no-cache",
        "Content-Security-Policy": _policy(kind, name),
    }
    if _CROSS_ORIGIN.match(name):
        headers["Access-Control-Allow-Origin"] = "*"
    return headers


def _policy(kind: str, name: str) -> str:
    if kind == "image/svg+xml":
        return _PICTURE_POLICY
    return _WIDGET_POLICY if _WIDGET.fullmatch(name) else _PAGE_POLICY
