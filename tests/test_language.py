"""Every sentence that people read has its place in every catalogue, and nothing else has."""

import ast
import re
from dataclasses import astuple
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po
from cast import english_words
from hypothesis import given
from hypothesis import strategies as st

from monitor.language import ENGLISH, NAMES, catalogue_file, language, templates
from monitor.model import FailureKind, Fault
from monitor.model.errors import DELIVERY_REMEDIES
from monitor.model.failure import WHOSE
from monitor.observation import CONTEXT as OBSERVATION
from monitor.probes import PROBES

MONITOR = Path(__file__).parents[1] / "monitor"
KEYWORDS = {**DEFAULT_KEYWORDS, "marked": None, "plural": (1, 2), "say": None}
"""`say` is what code calls a language's gettext that it uses often."""
OTHERS = [code for code in NAMES if code != "en"]
Key = tuple[str | None, str, str | None]
"""Context, singular, plural."""


OBSERVING = ("probes", "diagnosis", "budget.py", "policies.py", "certificate.py", "failure.py")
"""The parts of the program that say what a run observed."""
SYSTEM = (
    "certificate",
    "resolver broke",
    "wrong version",
    "protocol",
    "message",
    "packet",
    "certificate",
    "error",
    "issuer",
    "Name or",
    "address",
    "name resolution",
    "Connection",
    "Network",
    "route",
    "pipe",
)
"""Words of the system and of OpenSSL in what a run observed."""


def said() -> set[Key]:
    """Every sentence of the code and the templates."""
    found: set[Key] = set()
    for path in sorted(MONITOR.rglob("*.py")):
        source = path.read_bytes()
        # commands speak English, and print by a `say` of their own
        if "cli" not in path.parts and re.search(rb"gettext|\b(marked|say|_)\(", source):
            found |= sentences(source, "python")
    for template in templates().iterdir():
        if template.name.endswith(".html"):
            found |= sentences(template.read_bytes(), "jinja2.ext:babel_extract")
    for row in (kind.row for kind in FailureKind):
        found |= {(None, text, None) for text in (row.label, row.what, row.remedy)}
        found |= {
            (None, text, None) for text in (row.advice, row.what_there, row.what_then) if text
        }
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


def observations() -> set[str]:
    """Every literal of the code that observes, with `7` for what it fills in, and without optional endings."""
    texts: set[str] = set()
    for path in sorted(MONITOR.rglob("*.py")):
        if not {*path.parts}.isdisjoint(OBSERVING):
            texts |= literals(ast.parse(path.read_bytes()))
    return {re.sub(r'(?<=[a-z])7|(?<="7")7', "", text) for text in texts}


def literals(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Raise) and ast.unparse(node).startswith(
        ("raise ValueError", "raise TypeError")
    ):
        return set()  # told to the operator, of the configuration
    inside: set[str] = set().union(*map(literals, ast.iter_child_nodes(node)))
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
        return inside | {"".join(map(str, parts))}
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    return inside


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
    there = {key: texts for key, texts in entries(code).items() if key[0] != OBSERVATION}
    missing = sorted(key[1] for key in said() - set(there))
    assert missing == [], f"want an entry each in {catalogue_file(code)}"
    stale = sorted(key[1] for key in set(there) - said() - titles())
    assert stale == [], f"nothing says them any more: take them out of {catalogue_file(code)}"
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
            pairs = zip(astuple(english), astuple(other), strict=True)
            assert [text for text, translated in pairs if text == translated] == [], kind
        assert all(language(code).whose(fault) != ENGLISH.whose(fault) for fault in Fault)


def test_lists_numbers_and_contexts() -> None:
    chinese = language("zh-CN")
    assert [ENGLISH.listed(["a", "b", "c"][:n]) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert chinese.listed(["a", "b", "c"]) == "a、b 和\xa0c"
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


@pytest.mark.parametrize("code", OTHERS)
def test_every_observation_is_said_in_every_language_and_no_phrase_is_stale(code: str) -> None:
    say, texts = language(code).observed, observations()
    complete = [text for text in texts if text.startswith("got ") and ", want" in text]
    assert len(complete) > 60
    half = {text: say(text) for text in complete if english_words(say(text))}
    remedy = f'want their phrases in {catalogue_file(code)}, under msgctxt "{OBSERVATION}"'
    assert half == {}, remedy
    code_text = "\n".join(texts)
    phrases = [key[1] for key in entries(code) if key[0] == OBSERVATION]
    pieces = {phrase: re.split(r"%\(\w+\)s|[:;,(] ?|got |want ", phrase) for phrase in phrases}
    unknown = [
        phrase
        for phrase, parts in pieces.items()
        if (long := [part.strip() for part in parts if len(part) > 3])
        and not any(part.removesuffix(" exceeds") in code_text for part in long)
    ]
    stale = [phrase for phrase in unknown if not any(word in phrase for word in SYSTEM)]
    assert stale == [], f"nothing says them any more: take them out of {catalogue_file(code)}"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("got HTTP 502, want 200", "返回 HTTP 502，应为 200"),
        (
            'got HTTP 429: "no (really), want 200; x", want 200; the account needs money or a higher limit (it returns in 6 days)',
            "返回 HTTP 429：“no (really), want 200; x”，应为 200；账户需充值或提高限额（6 天后恢复）",
        ),
        (
            "got no answer in time, want response headers (after 30.0 s)",
            "等待响应头超时（30.0 秒后）",
        ),
        ("got a refused connection, want one that opens (Connection refused)", "连接被拒绝"),
        (
            'got HTTP 401: "bad key", but it names another key than ours: the relay\'s own upstream key was refused, want an answer',
            "返回 HTTP 401：“bad key”，但报错里的密钥不是我们的：被拒的是中转自己的上游密钥",
        ),
        (
            "got a stream that was cut off after 12 pieces, want all of it",
            "流在 12 个分片后被切断",
        ),
        (
            "got 6 of 20 runs failed within 1h and 3 of 4 within 5m, want under 14.4% in one of them",
            "1h 内 20 次检测失败 6 次，5m 内 4 次失败 3 次，其一应低于 14.4%",
        ),
        (
            "spent 990 of 1000 tokens today; paid probes go on tomorrow (UTC)",
            "今日已用 990 / 1000 token；付费检测明天（UTC）继续",
        ),
        (
            "got no such name for a.test here, while 192.0.2.53 knows it at 192.0.2.1, where a valid certificate for the name came: a false answer on the way is suspected; another resolver or base URL helps",
            "本地查 a.test 得到“域名不存在”，而 192.0.2.53 查到 192.0.2.1，连上后得到该域名的有效证书：疑似途中返回假应答，可换 DNS 或端点",
        ),
        ("words that nobody has translated", "words that nobody has translated"),
    ],
)
def test_an_observation_is_said_in_chinese_and_foreign_words_stay_in_quotes(
    english: str, chinese: str
) -> None:
    assert language("zh-CN").observed(english) == chinese
    assert ENGLISH.observed(english) == english


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(' ",;:()'), max_size=200)
)
def test_whatever_an_endpoint_said_is_quoted_whole(words: str) -> None:
    said = language("zh-CN").observed(f'got HTTP 500: "{words}", want 200')
    assert said == f"返回 HTTP 500：“{words}”，应为 200"


NAMES_OF_PLACES = st.sampled_from(["Shanghai", "US direct", "proxy 1", "法兰克福", "fra"])


@given(NAMES_OF_PLACES)
def test_no_chinese_sentence_runs_into_a_name_in_latin_letters(name: str) -> None:
    chinese = language("zh-CN")
    for message in catalogue("zh-CN"):
        for pattern in (message.string,) if isinstance(message.string, str) else message.string:
            fields = dict.fromkeys(re.findall(r"%\((\w+)\)s", pattern), name)
            text = chinese.filled(pattern, fields) if fields else ""
            touching = rf"[\u3400-\u9fff]\u200b?{name}|{name}\u200b?[\u3400-\u9fff]"
            assert name == "法兰克福" or not re.search(touching, text), text
            assert text.replace("\u00a0", "").replace(" ", "") == (
                pattern % fields if fields else ""
            ).replace("\u00a0", "").replace(" ", "")


def test_one_english_term_is_one_chinese_term() -> None:
    docs = MONITOR.parent / "docs"
    table = (
        (docs / "contributing.md")
        .read_text()
        .split("| term | Chinese | never |\n|---|---|---|\n")[1]
    )
    rows = [row.split("|")[2:4] for row in table.split("\n\n")[0].splitlines()]
    assert len(rows) > 8
    said = "\n".join(
        text
        for message in catalogue("zh-CN")
        for text in ((message.string,) if isinstance(message.string, str) else message.string)
    )
    said += "".join(path.read_text() for path in docs.glob("*.zh.md"))
    for chosen, never in rows:
        for term in re.findall("[\u3400-\u9fff]+", chosen.split("(")[0]):
            assert term in said, term
        for term in never.split(","):
            assert term.strip() not in said, f"want {chosen.strip()}"
