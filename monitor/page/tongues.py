"""In which language an operator's words are, as far as their letters say. Pure.

For `lang` attributes: so that a voice reads them right, and Han characters get the right shapes.
"""

import re

from monitor.language import Language

_LETTERS = (
    ("ja", re.compile("[\u3041-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]")),
    ("und-Cyrl", re.compile("[\u0400-\u04ff]")),
    ("und-Arab", re.compile("[\u0600-\u06ff]")),
    ("und-Hebr", re.compile("[\u0590-\u05ff]")),
    ("und-Deva", re.compile("[\u0900-\u097f]")),
    ("und-Grek", re.compile("[\u0370-\u03ff]")),
    ("en", re.compile("[A-Za-z]{2}")),
)


def tongue(text: str, page: Language, *, name: bool = False) -> str | None:
    """None where it is the page's own. A `name` in Latin letters is at home everywhere."""
    if name and text.isascii():
        return None
    found = next((code for code, letters in _LETTERS if letters.search(text)), None)
    own = page.code.split("-")[0]
    return None if found == own or (name and found == "en") else found
