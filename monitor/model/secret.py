"""Secrets, and the one place where text from outside is cut, cleaned and freed of them."""

import base64
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

MASK = "***"
_SHORTEST = 6  # shorter values would blank out ordinary words
_PATTERNS = re.compile(
    r"""(?:sk|pk|rk|xai|gsk|ak)-[A-Za-z0-9_\-]{12,}     # the usual key prefixes
      | AIza[A-Za-z0-9_\-]{20,}
      | [0-9]{6,12}:[A-Za-z0-9_\-]{30,}                 # Telegram bot token; no \b: "bot123:AA"
      | (?<=[Bb]earer\s)[A-Za-z0-9._~+/\-]{8,}=*
    """,
    re.VERBOSE,
)
_BIDI = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value that must not be printed; `reveal()` where it is used, nowhere else."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK


class Redactor:
    """Replaces known secrets by exact value first, then whatever looks like one."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret.reveal())}
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _PATTERNS.sub(MASK, text)


def _forms(value: str) -> Iterable[str]:
    """A secret as it may turn up: plain, URL-encoded, base64, or cut short by a server's echo."""
    if len(value) < _SHORTEST:
        return
    yield value
    yield quote(value, safe="")
    yield base64.b64encode(value.encode()).decode().rstrip("=")
    if len(value) > 20:
        yield value[:20]


def clean_text(text: str, limit: int = 300) -> str:
    """One line of at most `limit` characters: no controls, bidi marks or lone surrogates."""
    text = text[: limit * 4].encode("utf-8", "replace").decode("utf-8")
    text = _BIDI.sub("", text)
    text = "".join(
        " " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text
    )
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
