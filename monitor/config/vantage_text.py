"""Adds and removes a `[vantage.ID]` table in the text of monitor.toml; all else stays as people wrote it. Pure."""

import json
import re
import tomllib
from typing import Any

from monitor.model import MonitorError

_HEADER = re.compile(r"^\s*\[")


def with_vantage(text: str, vantage: str, name: str, key: str) -> str:
    """Return the text with one more table at its end. Raises MonitorError where it is there already."""
    if vantage in _vantages(text):
        raise MonitorError(
            f"[vantage.{vantage}] is there already; remove it with `monitor agent remove {vantage}`,"
            " or choose another id"
        )
    lines = [f"[vantage.{vantage}]", f"key = {_quoted(key)}"]
    if name:
        lines.insert(1, f"name = {_quoted(name)}")
    newline = "\r\n" if "\r\n" in text else "\n"
    end = "" if text.endswith("\n") else newline
    return text + end + newline + newline.join(lines) + newline


def without_vantage(text: str, vantage: str) -> str:
    """Return the text without a table, and with everything else. Raises MonitorError where that is not possible."""
    known = _vantages(text)
    if vantage not in known:
        names = f"only {', '.join(sorted(known))}" if known else "nor any other"
        raise MonitorError(f"there is no [vantage.{vantage}], {names}")
    own = re.compile(rf"^\s*\[\s*vantage\s*\.\s*[\"']?{re.escape(vantage)}[\"']?\s*[\].]")
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
