"""Recognises the address of a call of an LLM's API, and the base URL that it belongs to."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult

from monitor.imports.fields import as_table, parsed
from monitor.model.check import names_version

_CALL = re.compile(
    r"(?P<base>.*?)/(?P<call>models|chat/completions|completions|responses|messages|embeddings|moderations|rerank)/?"
)
"""The calls that a probe asks; its kind is named after the first part."""
_GEMINI = re.compile(r"(?P<base>.*?)/v1beta/models/(?P<model>[^/:]+):(?:stream)?[gG]enerateContent")
_MAY_STREAM = re.compile(r"chat/completions|completions|responses|messages")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """A call as our probes make it. `path` is that of the base URL; `kind` the probe's."""

    kind: str
    path: str
    model: str | None = None
    stream: bool | None = None
    """Whether it asks for a stream; None where the kind has none."""

    @property
    def asks_model(self) -> bool:
        """Say whether a model is asked, which costs tokens; else the list of models is."""
        return self.model is not None


def llm_call(parts: SplitResult, method: str, body: str) -> LlmCall | None:
    """Return the call that this is of an LLM's API; None for any other request."""
    if method == "GET":
        return _listing(parts)
    asked = as_table(parsed(body)) if method == "POST" else {}
    gemini = _GEMINI.fullmatch(parts.path)
    if gemini and asked:
        is_stream = "stream" in parts.path.rpartition(":")[2]
        return LlmCall(kind="gemini", path=gemini["base"], model=gemini["model"], stream=is_stream)
    call, model = _CALL.fullmatch(parts.path), asked.get("model")
    if call is None or parts.query or not (isinstance(model, str) and model.strip()):
        return None
    kind = call["call"].partition("/")[0]
    if kind == "models" or not (names_version(call["base"]) or kind == "chat"):
        return None
    may_stream = bool(_MAY_STREAM.fullmatch(call["call"]))
    streams = asked.get("stream") is True if may_stream else None
    return LlmCall(kind=kind, path=base_path(call["base"]), model=model.strip(), stream=streams)


def _listing(parts: SplitResult) -> LlmCall | None:
    call = _CALL.fullmatch(parts.path)
    if call is None or call["call"] != "models" or parts.query:
        return None
    if not names_version(call["base"]):
        return None
    return LlmCall(kind="models", path=base_path(call["base"]))


def base_path(path: str) -> str:
    """Return the path of a base URL: without `/v1` where that is its only version, else to be taken as it stands."""
    shorter = path.removesuffix("/v1")
    if shorter != path and not names_version(shorter):
        return shorter.rstrip("/")
    return path if names_version(path) else f"{path}#"


def listed_model(keyword: str) -> str | None:
    """Return the model that a keyword in a list of models stands for; None where it may be any other text."""
    name = re.sub(r'^"?id"?\s*:\s*', "", keyword.strip()).strip("\"' ,")
    looks_so = re.fullmatch(r"[A-Za-z0-9][\w.:/@-]{2,79}", name) and re.search(r"\d", name)
    return name if looks_so and re.search(r"[A-Za-z]", name) and "-" in name else None
