"""The addresses in docs/channels.md, in both languages, are those that the stubs of the services take."""

import re
from pathlib import Path

import pytest
from on_call_services import STUBS

DOCS = Path(__file__).parents[2] / "docs"
IN_CHINA = {"tgram", "dingtalk", "feishu", "lark", "wecombot", "schan", "barks", "pushplus"}


def forms(page: str) -> dict[str, str]:
    """The form of the address by its schema, from the table of channels in China."""
    text = (DOCS / page).read_text()
    section = re.split(r"\n## ", text.split("| `tgram://", 1)[1])[0]
    found = re.findall(r"\| `(([a-z]+)://[^`]+)` (?=\|)", f"| `tgram://{section}")
    return {schema: form for form, schema in found if schema != "https"}


@pytest.mark.parametrize("page", ["channels.md", "channels.zh.md"])
def test_each_address_is_formed_as_one_that_a_stub_of_the_service_takes(page: str) -> None:
    urls = {stub.schema: stub.url for stub in STUBS}
    assert set(forms(page)) == IN_CHINA
    for schema, form in forms(page).items():
        assert re.fullmatch(re.sub(r"[A-Z]+", "[^/@?]+", re.escape(form)), urls[schema]), form


def test_both_languages_name_the_same_addresses_and_the_same_proofs() -> None:
    english, chinese = ((DOCS / name).read_text() for name in ("channels.md", "channels.zh.md"))
    addresses = [re.findall(r"`([a-z]+s?://[^`]+)`", text) for text in (english, chinese)]
    assert sorted(addresses[0]) == sorted(addresses[1])
    assert english.partition("| schema |")[2] == chinese.partition("| schema |")[2]
