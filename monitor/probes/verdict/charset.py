"""Decodes a text in the charset that it declares, as browsers do (WHATWG Encoding)."""

import codecs
import re

_PARAMETER = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_MARKUP = re.compile(
    rb"(?:<meta\b[^<>]{0,200}?charset\s*=|<\?xml\b[^<>]{0,200}?encoding\s*=)\s*[\"']?([A-Za-z0-9_.:-]{1,40})",
    re.IGNORECASE,
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
}
"""What browsers read in place of a charset: the wider one that contains it."""
_TEXTS = re.compile(
    r"utf-(?:8|16|32)|gb|big5|shift_jis|cp\d|euc_|iso8859|iso2022_(?:jp|kr)|koi8|mac|ascii|hz\Z"
)
"""Names of Python's codecs for charsets of texts; others, such as `zip` or `idna`, are no business of a page."""


def decode(data: bytes, content_type: str = "") -> str:
    """Return a text by its byte order mark, its label, its markup, else as UTF-8; never raises."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    label = _PARAMETER.search(content_type)
    markup = None if label else _MARKUP.search(data[:1024])
    declared = label[1] if label else markup[1].decode("ascii") if markup else "utf-8"
    return data.decode(_codec(declared), "replace")


def _codec(name: str) -> str:
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return "utf-8"
    return _WIDER.get(codec, codec) if _TEXTS.match(codec) else "utf-8"
