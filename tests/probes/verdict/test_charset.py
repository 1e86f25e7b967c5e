"""The text of a page in its own encoding, so that a word in it is found."""

import time

import pytest

from monitor.probes.verdict.charset import decode
from monitor.probes.verdict.error_body import html_title

WORDS = "服务正常"


def page(body: bytes, label: str = "text/html") -> str:
    return decode(body, label)


@pytest.mark.parametrize(
    ("encoding", "label"),
    [
        ("utf-8", "text/html"),
        ("gbk", "text/html; charset=GBK"),
        ("gb18030", "text/html;charset=gb2312"),
        ("big5", 'text/html; charset="Big5"'),
        ("utf-16", "text/html"),
        ("utf-16-le", "text/html; charset=utf-16le"),
        ("utf-8-sig", "text/html; charset=gbk"),
    ],
)
def test_a_declared_encoding_is_read(encoding: str, label: str) -> None:
    words = WORDS if encoding != "big5" else "服務正常"
    assert words in page(words.encode(encoding), label)


@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="gbk">',
        '<META http-equiv="Content-Type" content="text/html; charset=gb2312">',
    ],
)
def test_a_page_may_say_its_encoding_itself(meta: str) -> None:
    assert WORDS in page(f"<html><head>{meta}</head>{WORDS}".encode("gbk"))


@pytest.mark.parametrize(
    "encoding", ["klingon", "base64", "zip", "rot13", "idna", "\u0130", "undefined"]
)
def test_an_encoding_that_is_none_is_taken_for_utf_8(encoding: str) -> None:
    assert WORDS in page(WORDS.encode(), f"text/html; charset={encoding}")


@pytest.mark.parametrize("encoding", ["punycode", "idna", "raw_unicode_escape", "utf-7"])
def test_a_label_that_is_made_to_be_slow_to_read_is_read_at_once(encoding: str) -> None:
    began = time.process_time()
    page(b"a" * 100_000 + b"-" + b"kva" * 100_000, f"text/html; charset={encoding}")
    assert time.process_time() - began < 0.5


def test_the_title_of_a_page_is_read_in_its_own_encoding() -> None:
    title = f"<html><meta charset=gbk><title>{WORDS}</title>".encode("gbk")
    assert html_title(title) == WORDS
