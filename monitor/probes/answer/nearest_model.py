"""Says of a model that a base URL does not serve whether its list names it, and which listed name is nearest. Pure."""

import re
from collections.abc import Collection
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache

from monitor.model import Failure, FailureKind, Result, clean_text
from monitor.probes.answer.check_answer import bare_name, is_same_model, without_date

_PARTS = re.compile(r"[^\W\d_]+|\d+")
"""What a name is made of: `qwen2.5-72b` and `Qwen-2.5-72B` have the same parts."""
_LEAST_LIKE = 0.65
"""Under this names are of other models: `gpt-4o` and `gpt-5`, `o3-mini` and `gpt-4o-mini`."""
_COMPARED = 50
"""Names that share the most parts; the letters of the others are not compared."""
_MAX_NAME = 100
_OF_OTHER_CALLS = re.compile(
    "audio|dall|edit|embed|embeddings?|guard|image|imagine|moderation|ocr|realtime|rerank|reranker|search"
    "|speech|transcribe|tts|veo|video|vl|whisper"
)
"""Parts of names of models that are asked otherwise: `gpt-4o-mini-tts` is no substitute for `gpt-4o-mini`."""


@lru_cache(maxsize=64)
def nearest_model(wanted: str, listed: frozenset[str]) -> str | None:
    """Return the listed name that is most like the wanted one; None where it is listed, or none is like it.

    The measure is the mean of the parts that two names share (the Dice coefficient) and of their letters in
    order (Ratcliff and Obershelp's ratio, as `difflib` has it), without provider and date. Family and kind
    of call must be the same.
    """
    if not wanted or wanted in listed:
        return None
    same = [name for name in listed if is_same_model(wanted, name)]
    if same:
        return min(same, key=lambda name: (len(name), name))
    parts = _parts(wanted)
    family = _family(parts)
    candidates = [
        (_shared(parts, other), name, other)
        for name in listed
        if family and family in name.lower() and _family(other := _parts(name)) == family
        if _calls(other) == _calls(parts)
    ]
    best = sorted(candidates, key=lambda candidate: (-candidate[0], candidate[1]))[:_COMPARED]
    scored = [((share + _ratio(wanted, name)) / 2, name) for share, name, _ in best]
    score, nearest = max(scored, key=lambda pair: (pair[0], pair[1]), default=(0.0, None))
    return nearest if score >= _LEAST_LIKE else None


def _parts(name: str) -> tuple[str, ...]:
    return tuple(_PARTS.findall(without_date(bare_name(name))))


def _family(parts: Collection[str]) -> str:
    """Return the first word of a name: `gpt`, `claude`, the `o` of `o3-mini`; "" for one of digits alone."""
    return next((part for part in parts if not part.isdigit()), "")


def _calls(parts: Collection[str]) -> frozenset[str]:
    return frozenset(filter(_OF_OTHER_CALLS.fullmatch, parts))


def _shared(parts: Collection[str], others: Collection[str]) -> float:
    return 2 * len({*parts} & {*others}) / (len({*parts}) + len({*others}))


def _ratio(wanted: str, name: str) -> float:
    ours, other = without_date(bare_name(wanted)), without_date(bare_name(name))
    return SequenceMatcher(None, ours[:_MAX_NAME], other[:_MAX_NAME], autojunk=False).ratio()


def with_list(result: Result, model: str | None, listed: frozenset[str]) -> Result:
    """Return a result that failed for want of its model with what the list of models says of that."""
    failure = result.failure
    if failure is None or not model or not listed or model in listed:
        return result
    nearest = nearest_model(model, listed)
    says = (
        f'; the nearest in its list of models is "{clean_text(nearest, _MAX_NAME)}"'
        if nearest
        else ""
    )
    if not says and not _speaks_of_list(failure):
        says = "; its list of models does not name it"
    return replace(result, failure=replace(failure, message=failure.message + says))


def _speaks_of_list(failure: Failure) -> bool:
    return failure.kind is FailureKind.MODEL_NOT_FOUND and failure.message.startswith("got a list")
