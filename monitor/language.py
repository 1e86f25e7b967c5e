"""The languages that people read: one catalogue file each, `templates/locale/CODE.po`.

The English sentence is the key, so English needs no file. Catalogues are read with Babel where one
is asked for, once. Values are filled in as `%(name)s`, so a literal per cent sign is `%%`.
"""

import gettext
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path

from monitor.model.failure import WHOSE, FailureKind, Fault, Words, in_sentence
from monitor.observation import CONTEXT, ObservationTranslator

NAMES = {"en": "English", "zh-CN": "简体中文"}
"""Code -> its name for itself. Another language is a line here and a catalogue."""

_WITHOUT_SPACES = ("ja", "zh")
MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Language:
    """Say an English sentence in this language; as it stands where the catalogue has none."""

    code: str
    catalogue: gettext.NullTranslations
    observations: ObservationTranslator = field(default_factory=ObservationTranslator)

    @property
    def name(self) -> str:
        return NAMES[self.code]

    @property
    def space(self) -> str:
        """Return what stands between two sentences."""
        return "" if self.code.startswith(_WITHOUT_SPACES) else " "

    def gettext(self, message: str, /, **values: object) -> str:
        return self.filled(self.catalogue.gettext(message), values)

    def filled(self, pattern: str, values: Mapping[str, object]) -> str:
        """Fill values into a translated sentence; where there are no spaces between words, names in Latin letters get some."""
        if self.space or not values:
            return pattern % values
        return _with_marks(pattern) % _Apart(values)

    def ngettext(self, one: str, many: str, num: int, /, **values: object) -> str:
        """Translate a sentence about a number, which `%(num)s` stands for."""
        return self.filled(self.catalogue.ngettext(one, many, num), {"num": num, **values})

    def pgettext(self, context: str, message: str, /, **values: object) -> str:
        """Translate a sentence in its `context`, which tells apart what English says alike."""
        return self.filled(self.catalogue.pgettext(context, message), values)

    def observed(self, message: str) -> str:
        """Return what a run observed, the message of its failure: `got HTTP 502, want 200`."""
        return self.observations.say(message)

    def words(self, kind: FailureKind) -> Words:
        english = kind.row.words
        return Words(*map(self.gettext, (english.label, english.what, english.remedy)))

    def was(self, kind: FailureKind) -> str:
        """Return what a failure meant that is over, or not measured any more."""
        return self.gettext(kind.row.was)

    def advice(self, kind: FailureKind) -> str:
        """Return what to do, for somebody who sees which other base URLs work; empty for no more than that."""
        return self.gettext(kind.row.advice) if kind.row.advice else ""

    def whose(self, fault: Fault) -> str:
        return self.gettext(WHOSE[fault])

    def reasons(self, kinds: Sequence[FailureKind]) -> str:
        """Return kinds of failure as they stand within a sentence: `bad gateway and reset during TLS`."""
        if len(kinds) > MOST_REASONS:
            return self.gettext("different reasons")
        return self.listed([in_sentence(self.words(kind).label) for kind in kinds])

    def unmeasured(self, kinds: Sequence[FailureKind], since: str = "") -> str:
        """Say that nothing is known now, since when and why, as far as that is known."""
        why = self.reasons(kinds)
        if since and why:
            return self.gettext("Not measured since %(moment)s: %(why)s.", moment=since, why=why)
        if since:
            return self.gettext("Not measured since %(moment)s.", moment=since)
        if why:
            return self.gettext("Not measured now: %(why)s.", why=why)
        return self.gettext("Not measured now.")

    def listed(self, items: Sequence[str]) -> str:
        """Return `a`, `a and b`, `a, b and c`."""
        if len(items) < 2:
            return "".join(items)
        most = self.pgettext("between items of a list", ", ").join(items[:-1])
        return self.gettext("%(most)s and %(last)s", most=most, last=items[-1])

    def moment(self, at: datetime, zone: tzinfo) -> str:
        """Return a time as `24 Nov 12:00 UTC`, or `24 Nov 20:00 (12:00 UTC)` where the time of the zone differs."""
        utc, local = at.astimezone(UTC), at.astimezone(zone)
        pattern = self.gettext("%%d %%b %%H:%%M")
        if not local.utcoffset():
            return self.gettext("%(moment)s UTC", moment=utc.strftime(pattern))
        beside = utc.strftime("%H:%M" if utc.date() == local.date() else pattern)
        return self.gettext("%(moment)s (%(utc)s UTC)", moment=local.strftime(pattern), utc=beside)


_VALUE = re.compile(r"%\((\w+)\)s")
_HAN = re.compile("[\u3400-\u9fff]")
_LATIN = re.compile("[A-Za-z]")
_EDGE = re.compile("[A-Za-z0-9]")


@lru_cache(maxsize=4096)
def _with_marks(pattern: str) -> str:
    """Mark in `%(<name>)s` on which sides of a value a Han character stands; a zero-width space between is none."""

    def marks(value: re.Match[str]) -> str:
        before = pattern[: value.start()].rstrip("\u200b")[-1:]
        after = pattern[value.end() :].lstrip("\u200b")[:1]
        left, right = "<" * bool(_HAN.match(before)), ">" * bool(_HAN.match(after))
        return f"%({left}{value[1]}{right})s"

    return type(pattern)(_VALUE.sub(marks, pattern))  # a template's pattern stays `Markup`


class _Apart:
    """Fill values into a pattern with marks: a name in Latin letters is set off from Chinese, and no line begins with it."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, mark: str) -> object:
        value = self._values[mark.strip("<>")]
        if not isinstance(value, str) or not _LATIN.search(value):
            return value
        if mark.startswith("<") and _EDGE.match(value):
            value = "\u00a0" + value
        if mark.endswith(">") and _EDGE.match(value[-1:]):
            value += " "
        return value


def marked(message: str) -> str:
    """Mark a sentence for the catalogues that is translated later, where it is said."""
    return message


def plural(one: str, many: str) -> tuple[str, str]:
    """Mark a sentence of one and of many, which is translated later."""
    return one, many


ENGLISH = Language("en", gettext.NullTranslations())


@cache
def language(code: str) -> Language:
    """Return a language by its code, one of NAMES."""
    if code == "en":
        return ENGLISH
    from babel.messages.mofile import write_mo  # noqa: PLC0415  # English alone needs no Babel
    from babel.messages.pofile import read_po  # noqa: PLC0415  # slow to import, and English needs none

    entries = read_po(BytesIO(catalogue_file(code).read_bytes()), locale=None)
    compiled = BytesIO()
    write_mo(compiled, entries)
    compiled.seek(0)
    phrases = ((str(entry.id), str(entry.string)) for entry in entries if entry.context == CONTEXT)
    translator = ObservationTranslator.of(phrases)
    return Language(code, gettext.GNUTranslations(compiled), translator)


def templates() -> Traversable:
    """Return the folder of the templates: inside the wheel, or beside the package in a checkout."""
    inside = files("monitor") / "templates"
    return inside if inside.is_dir() else Path(str(files("monitor"))).parent / "templates"


def catalogue_file(code: str) -> Traversable:
    return templates() / "locale" / f"{code}.po"
