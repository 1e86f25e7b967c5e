"""Reads what marks the answers of a base URL beside their words, and says which marks are new or gone. Pure.

No mark proves anything, for a provider that updates its servers changes them as well: a change is noted and is no verdict.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.model import Mark, clean_text

GONE_AFTER = 10
"""Answers in a row without a mark, after which it is gone."""
LEARNING_ANSWERS = 10
"""Good answers until marks that come are news."""
_MOST_MARKS = 60
_LONGEST = 60
_MOST_FINGERPRINTS = 5
"""Where more are known at a time they come and go, and none of them is news."""
_IDS = re.compile(rb'"id"\s*:\s*"([A-Za-z]{2,20})[-_]')
_FINGERPRINTS = re.compile(rb'"system_fingerprint"\s*:\s*"([\w.:-]{1,60})"')
_SIGNATURE = re.compile(rb'"(?:thoughtS|thought_s|s)ignature"\s*:\s*"[^"]')


def marks_in(body: bytes, usage: Mapping[str, Any] | None, cached_tokens: int | None) -> set[str]:
    """Return the marks of one answer; `usage` is its table of counts, as it came."""
    return {mark for mark in _marks(body, usage or {}, cached_tokens) if len(mark) <= _LONGEST}


def _marks(body: bytes, usage: Mapping[str, Any], cached_tokens: int | None) -> Iterator[str]:
    yield from (f"id {match[1].decode()}" for match in _IDS.finditer(body))
    for match in _FINGERPRINTS.finditer(body):
        yield f"system_fingerprint {match[1].decode('ascii', 'replace')}"
    if _SIGNATURE.search(body):
        yield "a signature of thoughts"
    if cached_tokens is not None:
        yield "a count of cached tokens"
    yield from (f"usage {clean_text(name)}" for name, value in usage.items() if value is not None)


def after_answer(
    known: tuple[Mark, ...], seen: set[str], *, is_learning: bool
) -> tuple[tuple[Mark, ...], str]:
    """Return the marks that are known after one more answer, and what is to be noted of them; empty for no news."""
    missed = {mark: 0 if mark in seen else count + 1 for mark, count in known}
    new = sorted(seen - missed.keys())[: _MOST_MARKS - len(missed)]
    gone = [mark for mark, count in missed.items() if count >= GONE_AFTER]
    kept = {mark: count for mark, count in missed.items() if count < GONE_AFTER}
    kept |= dict.fromkeys(new, 0)
    marks = tuple(sorted(kept.items()))
    if is_learning or not known:
        return marks, ""
    fingerprints = sum(map(_is_fingerprint, kept))
    if fingerprints > _MOST_FINGERPRINTS:
        new = [mark for mark in new if not _is_fingerprint(mark)]
    if fingerprints:  # another one stands in its place
        gone = [mark for mark in gone if not _is_fingerprint(mark)]
    parts = {"new in its answers": new, "no longer in them": gone}
    return marks, "; ".join(f"{what}: {', '.join(some)}" for what, some in parts.items() if some)


def _is_fingerprint(mark: str) -> bool:
    return mark.startswith("system_fingerprint ")
