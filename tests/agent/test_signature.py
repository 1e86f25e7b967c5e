"""Keys and signatures: every part of a request is signed, and no secret is shown."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.agent.clock_offset import ClockOffset
from monitor.agent.signature import (
    KeyUnusableError,
    PrivateKey,
    SignedHead,
    config_message,
    digest,
    is_signed,
    load_key,
    load_or_make,
    new_key,
    private_key,
)

KEY = PrivateKey(bytes(range(32)))
HEAD = SignedHead(
    method="POST",
    path="/agent/v1/results",
    agent="cn",
    stream="5f3c",
    first="1",
    last="20",
    time="1764000000000",
    body_digest=digest(b"{}"),
)


@pytest.mark.parametrize("part", [*HEAD.__slots__])
def test_no_part_of_a_request_can_be_changed(part: str) -> None:
    signature = KEY.sign(HEAD.message)
    assert is_signed(KEY.public, signature, HEAD.message)
    changed = replace(HEAD, **{part: f"{getattr(HEAD, part)}0"})
    assert not is_signed(KEY.public, signature, changed.message)


@pytest.mark.parametrize(
    "signature", ["", "v1=", "v1=AAAA", "v1=\u00e9", "v2=" + "A" * 86 + "==", "x" * 9999]
)
def test_what_is_no_signature_is_only_wrong(signature: str) -> None:
    assert not is_signed(KEY.public, signature, HEAD.message)
    assert not is_signed("ed25519:short", KEY.sign(HEAD.message), HEAD.message)


def test_a_key_is_the_same_after_its_text_and_is_never_shown() -> None:
    assert private_key(KEY.text) == KEY
    assert KEY.text not in f"{KEY} {KEY!r}"
    assert new_key() != new_key()
    with pytest.raises(KeyUnusableError) as caught:
        private_key("ed25519-private:c2hvcnQ=")
    assert "c2hvcnQ" not in str(caught.value)


def test_a_configuration_answers_one_request_only() -> None:
    first, second = (
        config_message("cn", signature, "tag", "1", b"{}") for signature in ("v1=a", "v1=b")
    )
    assert not is_signed(KEY.public, KEY.sign(first), second)


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "hub.key"
    key = load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make(path) == key
    path.chmod(0o640)
    with pytest.raises(KeyUnusableError, match="chmod 600"):
        load_key(path)
    path.chmod(0o600)
    path.write_text("no key\n")
    with pytest.raises(KeyUnusableError, match=r"hub\.key: want a key"):
        load_key(path)


def test_the_clocks_offset_is_that_of_the_middle_of_the_exchange() -> None:
    ahead = ClockOffset().answered(sent_ms=1_000_000, hub_ms=580_050, round_trip_ms=100)
    assert ahead == ClockOffset(offset_ms=-420_000, correction_ms=-420_000)
    assert ahead.answered(2_000_000, 1_580_350, 100) == ClockOffset(-419_700, -420_000)
    assert ahead.answered(2_000_000, 2_000_050, 100) == ClockOffset(0, 0)


def test_a_small_offset_corrects_nothing_and_a_slow_answer_says_nothing() -> None:
    assert ClockOffset().answered(0, 812, 100) == ClockOffset(762, 0)
    assert ClockOffset(5, 0).answered(0, 90_000_000, 5_001) == ClockOffset(5, 0)


def test_what_half_a_round_trip_may_explain_corrects_nothing() -> None:
    """The answer alone may have been late, on a busy machine or a slow way."""
    assert ClockOffset().answered(0, 4_000, 4_400) == ClockOffset(1_800, 0)
    assert ClockOffset().answered(0, 4_000, 800) == ClockOffset(3_600, 3_600)
