"""Adds and removes a `[vantage.ID]` table, or a key of one, in the text of monitor.toml; all else stays as people wrote it. Pure."""

import json
import re
import tomllib
from typing import Any

from monitor.model import MonitorError

_HEADER = re.compile(r"^\s*\[")
_KEY = re.compile(r"""(?m)^(\s*key\s*=\s*)(?:\[[^\]]*\]|"[^"]*"|'[^']*')""")


def with_vantage(text: str, vantage: str, name: str, key: str) -> str:
    """Return the text with one more table at its end. Raises MonitorError where it is there already."""
    if vantage in _vantages(text):
        raise MonitorError(
            f"[vantage.{vantage}] is there already; remove it with `monitor agent remove {vantage}`,"
            " choose another id, or let one more agent share its checks with --another"
        )
    lines = [f"[vantage.{vantage}]", f"key = {_quoted(key)}"]
    if name:
        lines.insert(1, f"name = {_quoted(name)}")
    newline = "\r\n" if "\r\n" in text else "\n"
    end = "" if text.endswith("\n") else newline
    return text + end + newline + newline.join(lines) + newline


def with_key(text: str, vantage: str, key: str) -> str:
    """Return the text with one more key of a vantage, whose agent shares its checks. Raises MonitorError."""
    return _with_keys(text, vantage, [*_keys(text, vantage), key])


def without_key(text: str, vantage: str, key: str) -> str:
    """Return the text without one of several keys of a vantage. Raises MonitorError."""
    return _with_keys(text, vantage, [other for other in _keys(text, vantage) if other != key])


def _with_keys(text: str, vantage: str, keys: list[str]) -> str:
    """Write the keys of a vantage in the place of those that stand there, one a line where there are several."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [f"    {_quoted(key)}," for key in keys]
    value = newline.join(["[", *lines, "]"]) if len(keys) > 1 else _quoted(keys[0])
    begin, end = _table(text, vantage)
    table = _KEY.sub(lambda match: match[1] + value, text[begin:end], count=1)
    changed = text[:begin] + table + text[end:]
    wanted = _document(text)
    wanted["vantage"][vantage]["key"] = keys[0] if len(keys) == 1 else keys
    if _document(changed, {}) != wanted:
        raise MonitorError(
            f"[vantage.{vantage}] is written in a way of its own; by hand, write: key = {value}"
        )
    return changed


def _keys(text: str, vantage: str) -> list[str]:
    _require(vantage, text)
    key = _vantages(text)[vantage].get("key")
    return [key] if isinstance(key, str) else [*(key or ())]


def _require(vantage: str, text: str) -> None:
    known = _vantages(text)
    if vantage not in known:
        names = f"only {', '.join(sorted(known))}" if known else "nor any other"
        raise MonitorError(f"there is no [vantage.{vantage}], {names}")


def _table(text: str, vantage: str) -> tuple[int, int]:
    """Return where the lines of the table of a vantage begin and end."""
    own, begin, at = _own_header(vantage), 0, 0
    for line in text.splitlines(keepends=True):
        if begin and _HEADER.match(line):
            return begin, at
        at += len(line)
        if not begin and own.match(line):
            begin = at
    return begin, at


def _own_header(vantage: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*\[\s*vantage\s*\.\s*[\"']?{re.escape(vantage)}[\"']?\s*[\].]")


def without_vantage(text: str, vantage: str) -> str:
    """Return the text without a table, and with everything else. Raises MonitorError where that is not possible."""
    _require(vantage, text)
    own = _own_header(vantage)
    kept: list[str] = []
    is_own = False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            is_own = own.match(line) is not None
        if not is_own or line.lstrip().startswith("#"):
            kept.append(line)
    shorter = "".join(kept)
    rest = _document(text)
    del rest["vantage"][vantage]
    if not rest["vantage"]:
        del rest["vantage"]
    if _document(shorter, {}) != rest:
        raise MonitorError(f"[vantage.{vantage}] is written in a way of its own; remove it by hand")
    return shorter


def _quoted(text: str) -> str:
    """Write a text as TOML does, which for what stands here is as JSON does."""
    return json.dumps(text, ensure_ascii=False)


def _vantages(text: str) -> dict[str, Any]:
    vantages = _document(text).get("vantage", {})
    return vantages if isinstance(vantages, dict) else {}


def _document(text: str, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read a text; where it is no TOML, `otherwise`, or MonitorError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if otherwise is not None:
            return otherwise
        raise MonitorError(f"the configuration is not valid TOML: {error}") from None
