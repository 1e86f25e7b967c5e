"""Says in another language what a run observed (`Failure.message`).

An observation is kept as one English sentence, so that every place that stores or shows it has the same
words. A catalogue's entries of the context `observation` are the sentences and phrases that it is made of:
`got HTTP 502, want 200` is read as `got %(got)s, want %(want)s`, and its values are read in turn. Of several
readings the one that leaves the least unexplained counts. What an endpoint said stands in quotes and stays as
it is, as does what no entry knows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

CONTEXT = "observation"
_HOLE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class ObservationPhrase:
    """A sentence or phrase with holes, and its translation, in which they are `%(name)s`."""

    pattern: re.Pattern[str]
    longest: str
    """A part that stands in every text that it fits, found faster than by the pattern."""
    quoted: frozenset[str]
    """The holes that hold foreign words."""
    translation: str

    @classmethod
    def of(cls, english: str, translation: str) -> Self:
        texts = [text.replace("%%", "%") for text in _HOLE.split(english)]
        pattern, quoted = re.escape(texts[0]), set()
        for name, before, after in zip(texts[1::2], texts[::2], texts[2::2], strict=False):
            is_quoted = before.endswith('"') and after.startswith('"')
            quoted |= {name} if is_quoted else set()
            pattern += f"(?P<{name}>.{'*' if is_quoted else '+'}){re.escape(after)}"
        longest = max(texts[::2], key=len)
        return cls(re.compile(pattern, re.DOTALL), longest, frozenset(quoted), translation)


@dataclass(frozen=True, slots=True)
class ObservationTranslator:
    """Read English observations by the phrases of one language, and says them in it."""

    phrases: tuple[ObservationPhrase, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str]]) -> Self:
        """Make one of pairs of an English phrase and its translation; of equal readings the fullest wins."""
        longest_first = sorted(entries, key=lambda entry: -len(_HOLE.sub("", entry[0])))
        return cls(tuple(ObservationPhrase.of(*entry) for entry in longest_first))

    def say(self, observation: str) -> str:
        return self._read(observation, {})[0]

    def _read(self, text: str, known: dict[str, tuple[str, int]]) -> tuple[str, int]:
        """Return the translation, and how many characters of the text no phrase explains.

        `known` holds the parts that are read already: some stand in several readings.
        """
        if text in known:
            return known[text]
        best = text, len(text)
        for phrase in self.phrases:
            match = phrase.pattern.fullmatch(text) if phrase.longest in text else None
            if match is None:
                continue
            values, unexplained = {}, 0
            for name, value in match.groupdict().items():
                is_quoted = name in phrase.quoted
                values[name], rest = (value, 0) if is_quoted else self._read(value, known)
                unexplained += rest
            if unexplained < best[1]:
                best = phrase.translation % values, unexplained
        known[text] = best
        return best
