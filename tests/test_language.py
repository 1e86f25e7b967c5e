"""Every sentence that people read has its place in every catalogue, and nothing else has."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po

from monitor.language import ENGLISH, NAMES, catalogue_file, language, templates
from monitor.model import FailureKind, Fault
from monitor.model.errors import DELIVERY_REMEDIES
from monitor.model.failure import WHOSE
from monitor.probes import PROBES

MONITOR = Path(__file__).parents[1] / "monitor"
KEYWORDS = {**DEFAULT_KEYWORDS, "marked": None, "say": None}
"""`say` is what code calls a language's gettext that it uses often."""
OTHERS = [code for code in NAMES if code != "en"]
Key = tuple[str | None, str, str | None]
"""Context, singular, plural."""


def said() -> set[Key]:
    """Every sentence of the code and the templates."""
    found: set[Key] = set()
    for path in sorted(MONITOR.rglob("*.py")):
        if "cli" not in path.parts:  # commands speak English, and print by a `say` of their own
            found |= sentences(path.read_bytes(), "python")
    for template in templates().iterdir():
        if template.name.endswith(".html"):
            found |= sentences(template.read_bytes(), "jinja2.ext:babel_extract")
    for row in (kind.row for kind in FailureKind):
        found |= {(None, text, None) for text in (row.label, row.what, row.remedy)}
        found |= {(None, row.advice, None)} if row.advice else set()
    return found | {(None, text, None) for text in (*WHOSE.values(), *DELIVERY_REMEDIES)}


def titles() -> set[Key]:
    """Return the names of probe kinds: a catalogue may translate them, so that a kind is one file."""
    return {(None, probe.title, None) for probe in PROBES.values()}


def sentences(source: bytes, method: str) -> set[Key]:
    options = {"trim_blocks": "true", "lstrip_blocks": "true"}
    return {
        key_of(message, context)
        for _, message, _, context in extract(method, BytesIO(source), KEYWORDS, (), options)
    }


def key_of(message: str | tuple[str, ...], context: str | None) -> Key:
    if isinstance(message, str):
        return context, message, None
    return context, message[0], message[1]


def catalogue(code: str) -> Catalog:
    return read_po(BytesIO(catalogue_file(code).read_bytes()))


def entries(code: str) -> dict[Key, tuple[str, ...]]:
    found: dict[Key, tuple[str, ...]] = {}
    for message in catalogue(code):
        if message.id:
            many = (message.string,) if isinstance(message.string, str) else message.string
            found[key_of(message.id, message.context)] = tuple(many)
    return found


def holes(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s|%%|%.", text)) - {""}


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_is_translated_and_no_translation_is_stale(code: str) -> None:
    there = entries(code)
    assert sorted(key[1] for key in said() - set(there)) == []
    assert sorted(key[1] for key in set(there) - said() - titles()) == []
    assert [key for key, texts in there.items() if not all(texts)] == []
    assert [message.id for message in catalogue(code) if message.id and message.fuzzy] == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_fills_in_what_its_sentence_does(code: str) -> None:
    for (_, one, many), texts in entries(code).items():
        wanted = holes(one) | holes(many or "")
        for text in texts:
            values = dict.fromkeys(wanted, 1)
            assert text % values, one
            assert holes(text) <= wanted, one
            if not many:  # a form of one may leave its number out
                assert holes(text) == wanted, one


def test_the_check_sees_what_is_not_translated() -> None:
    assert sentences(b"x.gettext('Not in any catalogue')", "python") == {
        (None, "Not in any catalogue", None)
    }
    assert sentences(
        b"{{ ngettext('%(num)s day', '%(num)s days', 3) }}", "jinja2.ext:babel_extract"
    ) == {(None, "%(num)s day", "%(num)s days")}


def test_every_failure_is_told_in_every_language() -> None:
    for code in OTHERS:
        for kind in FailureKind:
            english, other = ENGLISH.words(kind), language(code).words(kind)
            assert {english.label, english.what, english.remedy}.isdisjoint(
                {other.label, other.what, other.remedy}
            )
        assert all(language(code).whose(fault) != ENGLISH.whose(fault) for fault in Fault)


def test_lists_numbers_and_contexts() -> None:
    chinese = language("zh-CN")
    assert [ENGLISH.listed(["a", "b", "c"][:n]) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert chinese.listed(["a", "b", "c"]) == "a、b和c"
    assert ENGLISH.ngettext("%(num)s of %(all)s", "%(num)s", 1, all=2) == "1 of 2"
    assert ENGLISH.gettext("100 %%") == "100 %"
    assert ENGLISH.pgettext("anywhere", "a sentence of %(n)s words", n=5) == "a sentence of 5 words"
    assert chinese.gettext("Not in any catalogue") == "Not in any catalogue"


def test_in_chinese_no_line_ends_between_a_number_and_what_it_counts() -> None:
    """Nor can it: what stands between them is a space that does not break."""
    numbers = "n|num|all|down|unknown|serving|h|bad|shown|services"
    torn = rf"(?:%\((?:{numbers})\)s|\d|\{{(?:n|h|ok)\}}) (?=[\u4e00-\u9fff])"
    texts = [text for texts in entries("zh-CN").values() for text in texts]
    assert [text for text in texts if re.search(torn, text)] == []
    assert re.search(torn, "最近 30 分钟")
    assert sum("\u00a0" in text for text in texts) > 50
