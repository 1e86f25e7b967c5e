"""What a page says, in reading order: headings, sentences, rows of tables, labels of pictures and buttons."""

import re
from html.parser import HTMLParser

_MARKS = {"h1": "# ", "h2": "## ", "h3": "### ", "h4": "#### ", "h5": "##### ", "title": "title: "}
_LINES = {
    *_MARKS,
    "p",
    "li",
    "tr",
    "div",
    "dt",
    "dd",
    "caption",
    "figcaption",
    "legend",
    "summary",
    "table",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "ul",
    "ol",
    "dl",
    "nav",
    "fieldset",
    "details",
    "figure",
    "blockquote",
    "pre",
    "button",
    "noscript",
}
_CELLS = {"td", "th", "span", "b", "strong", "small", "code", "time", "i", "label", "a"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._line = ""
        self._mark = ""
        self._skips = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "style", "defs", "symbol"}:
            self._skips += 1
        if tag in _LINES:
            self.end()
            self._mark = _MARKS.get(tag, "- " if tag == "li" else self._mark)
        if given.get("role") == "img":
            self.lines.append(f"[picture: {given['aria-label']}]")
        if tag == "button":
            self._mark = "[button] "
        if tag in {"td", "th"} and self._line:
            self._line += " | "
        elif tag in _CELLS and not self._line.endswith(" "):
            self._line += " "
        if tag == "svg":
            self._skips += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "defs", "symbol", "svg"}:
            self._skips -= 1
        if tag in _LINES:
            self.end()

    def handle_data(self, data: str) -> None:
        if not self._skips:
            self._line += re.sub(r"[ \n]+", " ", data)

    def end(self) -> None:
        text = re.sub(r" +", " ", self._line).strip()
        if text.strip("| "):
            self.lines.append(self._mark + text)
        self._line, self._mark = "", ""


def page_text(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    reader.end()
    return "\n".join(reader.lines) + "\n"
