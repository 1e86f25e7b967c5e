"""Sentences in templates: translated once, values filled in and escaped, per cent signs as everywhere."""

from gettext import NullTranslations

import pytest

from monitor.language import Language, templates
from monitor.page.render import environment
from monitor.page.render_cache import RenderCache


class Catalogue(NullTranslations):
    """Says everything in capitals, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def gettext(self, message: str) -> str:
        self.asked.append(message)
        return message.replace("hello", "HELLO <b>")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('{{ _("hello") }}', "HELLO <b>"),
        ('{{ _("100 %%") }}', "100 %"),
        ('{{ _("hello %(name)s, 100 %%", name=name) }}', "HELLO <b> &lt;i&gt;, 100 %"),
        ('{{ _("hello %(name)s", name=name|safe) }}', "HELLO <b> <i>"),
        ("{% trans %}hello {{ name }}{% endtrans %}", "HELLO <b> &lt;i&gt;"),
        ('<a title="{{ _("%(name)s", name=name) }}">', '<a title="&lt;i&gt;">'),
    ],
)
def test_a_sentence_is_said_as_the_catalogue_has_it_and_asked_for_once(
    template: str, said: str
) -> None:
    catalogue = Catalogue()
    env = environment(templates(), Language("en", catalogue), RenderCache())
    catalogue.asked.clear()
    compiled = env.from_string(template)
    assert [compiled.render(name="<i>") for _ in range(3)] == [said] * 3
    assert len(catalogue.asked) == 1
