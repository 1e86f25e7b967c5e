"""A `[vantage.ID]` table comes into a person's file and leaves it, and nothing else of the file changes."""

import tomllib

import pytest

from monitor.config.vantage_text import with_key, with_vantage, without_key, without_vantage
from monitor.model import MonitorError

TEXT = """\
# Ours, do not touch.
[monitor]
vantage = "fra"   # here
[vantage.hk]
key = "ed25519:hk"
# The services that pay us.
[service.a]
endpoints = { x = "https://a.example" }"""


@pytest.mark.parametrize("text", [TEXT, TEXT + "\n", TEXT.replace("\n", "\r\n"), ""])
def test_a_vantage_is_added_at_the_end_and_removed_again(text: str) -> None:
    longer = with_vantage(text, "cn", 'Shang"hai', "ed25519:cn")
    assert longer.startswith(text)
    added = {"name": 'Shang"hai', "key": "ed25519:cn"}
    before = tomllib.loads(text)
    assert tomllib.loads(longer) == {
        **before,
        "vantage": {**before.get("vantage", {}), "cn": added},
    }
    assert without_vantage(longer, "cn").strip() == text.strip()


def test_the_comments_around_a_table_stay() -> None:
    shorter = without_vantage(TEXT, "hk")
    assert shorter == TEXT.replace('[vantage.hk]\nkey = "ed25519:hk"\n', "")


def test_what_is_there_or_is_not_there_is_said() -> None:
    with pytest.raises(MonitorError, match="is there already; remove it"):
        with_vantage(TEXT, "hk", "", "ed25519:x")
    with pytest.raises(MonitorError, match=r"there is no \[vantage.cn\]"):
        without_vantage(TEXT, "cn")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_is_added_to_a_vantage_and_removed_again(newline: str) -> None:
    text = (TEXT + "\n").replace("\n", newline)
    two = with_key(text, "hk", "ed25519:second")
    three = with_key(two, "hk", "ed25519:third")
    keys = ["ed25519:hk", "ed25519:second", "ed25519:third"]
    before = tomllib.loads(text)
    assert tomllib.loads(three) == {**before, "vantage": {"hk": {"key": keys}}}
    assert without_key(three, "hk", keys[2]) == two
    assert without_key(two, "hk", keys[1]) == text


@pytest.mark.parametrize(
    "table",
    ["key = 'ed25519:hk'", 'key=["ed25519:hk"]', 'key = [ # ours\n  "ed25519:hk",\n]'],
)
def test_a_key_may_stand_in_any_form_that_is_usual(table: str) -> None:
    text = TEXT.replace('key = "ed25519:hk"', table)
    longer = with_key(text, "hk", "ed25519:second")
    assert tomllib.loads(longer)["vantage"]["hk"]["key"] == ["ed25519:hk", "ed25519:second"]
    assert "# The services that pay us." in longer


def test_keys_that_stand_elsewhere_are_left_to_their_author() -> None:
    text = 'vantage.cn.key = "ed25519:x"\n[service.cn]\nkey = "k"\n'
    with pytest.raises(MonitorError, match=r"by hand, write: key = \[\n    \"ed25519:x\","):
        with_key(text, "cn", "ed25519:y")
    with pytest.raises(MonitorError, match=r"there is no \[vantage.hk\], only cn"):
        with_key(text, "hk", "ed25519:y")


def test_a_table_in_another_form_is_left_to_its_author() -> None:
    text = 'vantage = { cn = { key = "ed25519:x" } }\n'
    with pytest.raises(MonitorError, match="remove it by hand"):
        without_vantage(text, "cn")
