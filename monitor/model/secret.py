"""Secrets, and the one place where text from outside is cut, cleaned and freed of them."""

import base64
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

MASK = "***"
_SHORTEST = 6  # shorter values would blank out ordinary words
_WINDOW = 12
"""A part of a secret from this length on is as good as the secret: an echo may be cut anywhere."""
_CUTS = re.compile(r'["\u2026]|\Z')
_SCHEMES = ("bearer", "basic", "whsec_")
_LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}
_URL_SAFE = str.maketrans("+/", "-_")
_PATTERNS = re.compile(
    r"""(?:sk|pk|rk|xai|gsk|ak)-[A-Za-z0-9_\-]{12,}     # the usual key prefixes
      | AIza[A-Za-z0-9_\-]{20,}
      | [0-9]{6,12}:[A-Za-z0-9_\-]{30,}                 # Telegram bot token; no \b: "bot123:AA"
      | (?<=[Bb]earer\s)[A-Za-z0-9._~+/\-]{8,}=*
    """,
    re.VERBOSE,
)
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""Stands in a file for a secret, or another variable of the environment: `${NAME}`."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that move a terminal's cursor, change its state or turn its direction."""
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
    """Replaces known secrets, also parts of them, then whatever looks like a secret."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values = {secret.reveal() for secret in secrets}
        # A part of an address may be its host, which may be said; its tokens are secrets too.
        addresses = {value for value in values if "://" in value}
        forms = {form for value in values - addresses for form in _forms(value)}
        whole = {form for form in forms if len(form) < _WINDOW}
        whole |= {form for value in addresses for form in _forms(value)}
        ordered = sorted(whole, key=len, reverse=True)
        self._whole = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._windows = frozenset(window for form in forms for window in _windows_of(form))
        self._beginnings = frozenset(begin for form in forms for begin in _beginnings_of(form))

    def __call__(self, text: str) -> str:
        text = _BIDI.sub("", text)  # else a secret would come together when it is cleaned
        if self._whole is not None:
            text = self._whole.sub(MASK, text)
        return _PATTERNS.sub(MASK, self._without_parts(text))

    def _without_parts(self, text: str) -> str:
        low = text.translate(_LOWER)
        hits = [
            (at, at + _WINDOW)
            for at in range(len(low) - _WINDOW + 1)
            if low[at : at + _WINDOW] in self._windows
        ]
        kept: list[str] = []
        done = 0
        for at, end in sorted([*hits, *self._cut_off(low)]):
            if at > done or not kept:
                kept += [text[done:at], MASK]
            done = max(done, end)
        return "".join([*kept, text[done:]])

    def _cut_off(self, low: str) -> Iterator[tuple[int, int]]:
        """Yield where a secret begins that was cut off: before a quotation mark, an ellipsis or the end."""
        for cut in _CUTS.finditer(low):
            end = cut.start()
            for length in range(min(_WINDOW - 1, end), _SHORTEST - 1, -1):
                if low[end - length : end] in self._beginnings:
                    yield end - length, end
                    break


def _windows_of(form: str) -> Iterator[str]:
    low = form.translate(_LOWER)
    return (low[at : at + _WINDOW] for at in range(len(low) - _WINDOW + 1))


def _beginnings_of(form: str) -> Iterator[str]:
    """Yield what is left of a secret that is cut shorter than a window, but not a scheme that anybody may name."""
    low = form.translate(_LOWER)
    scheme = next(filter(low.startswith, _SCHEMES), "")
    shortest = max(_SHORTEST, len(scheme) + 3)
    yield from (low[:length] for length in range(shortest, min(_WINDOW, len(low))))


def _forms(value: str) -> Iterator[str]:
    """Yield a secret as it may turn up: plain, or encoded in one of the ways that servers echo it."""
    if value.startswith("Basic "):
        whose = _decoded(value[6:])
        yield from _forms(whose)
        yield from _forms(whose.partition(":")[2])
    raw = value.encode()
    codes = (
        value,
        quote(value, safe=""),
        quote(value),
        "".join(f"%{byte:02x}" for byte in raw),
        raw.hex(),
        value.replace("/", r"\/"),
        base64.b64encode(raw).decode().rstrip("="),
        *_inside_base64(raw),
    )
    if len(value) >= _SHORTEST:
        yield from (code for code in codes if len(code) >= _SHORTEST)


def _inside_base64(raw: bytes) -> Iterator[str]:
    """Yield what shows of a secret wherever it stands in a longer text that is encoded as a whole."""
    for before in range(3):
        code = base64.b64encode(bytes(before) + raw).decode()
        inside = code[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        yield inside
        yield inside.translate(_URL_SAFE)


def _decoded(code: str) -> str:
    try:
        return base64.b64decode(code).decode()
    except ValueError:
        return ""


def printable(text: str) -> str:
    """Return the text without control characters; lines and tabs stay."""
    return CONTROL.sub("", text)


def clean_text(text: str, limit: int = 300) -> str:
    """Return one line of at most `limit` characters: no controls, bidi marks or lone surrogates."""
    text = text[: limit * 4]
    if not (text.isascii() and text.isprintable()):  # most are, and a run has some ten
        text = _BIDI.sub("", text.encode("utf-8", "replace").decode("utf-8"))
        text = "".join(
            " " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text
        )
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
