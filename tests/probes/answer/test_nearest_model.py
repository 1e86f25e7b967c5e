"""Which listed name is nearest to a model that is gone, and when none is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.answer.nearest_model import nearest_model

RELAY = frozenset(
    {
        *("gpt-5", "gpt-4o", "gpt-4o-mini-tts", "gpt-4o-mini-transcribe", "gpt-image-1"),
        *("claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-1", "o4-mini"),
        *("text-embedding-ada-002", "deepseek-v3.1", "Pro/deepseek-ai/DeepSeek-R1"),
        *("qwen-2.5-72b-instruct", "google/gemini-2.5-flash", "gemini-2.5-flash-image"),
    }
)


@pytest.mark.parametrize(
    ("gone", "nearest"),
    [
        ("gpt-4o-mini", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("claude-3-5-sonnet-20241022", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-latest", "claude-sonnet-4-5"),
        ("claude-opus-4", "claude-opus-4-1"),
        ("deepseek-r1", "Pro/deepseek-ai/DeepSeek-R1"),
        ("deepseek-v3", "deepseek-v3.1"),
        ("Qwen2.5-72B-Instruct", "qwen-2.5-72b-instruct"),
        ("gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("o3-mini", "o4-mini"),
        ("text-embedding-3-small", "text-embedding-ada-002"),
        ("gpt-4.1-nano", None),
        ("llama-3.3-70b", None),
        ("mistral-large", None),
        ("gpt-5", None),
        ("", None),
        ("4711", None),
    ],
)
def test_a_model_that_is_gone_has_a_nearest_name_or_none(gone: str, nearest: str | None) -> None:
    assert nearest_model(gone, RELAY) == nearest


NAMES = st.frozensets(
    st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from(["gpt", "4", "o", "mini", "claude", "3.5"]), max_size=5).map(
            "-".join
        ),
    ),
    max_size=12,
)


@given(NAMES, st.sampled_from(["gpt-4o-mini", "claude-3.5", "x", "模型-1"]))
def test_what_is_proposed_is_listed_of_the_same_family_and_never_the_name_itself(
    listed: frozenset[str], wanted: str
) -> None:
    nearest = nearest_model(wanted, listed)
    assert nearest is None or nearest in listed - {wanted}
    for provider in ("openai/", "Pro/x/"):
        assert nearest_model(wanted, listed | {provider + wanted}) in (
            {None} if wanted in listed else {provider + wanted, nearest}
        )


@given(NAMES)
def test_a_further_name_takes_its_place_only_where_it_is_nearer(listed: frozenset[str]) -> None:
    wanted = "gpt-4o-mini"
    nearest = nearest_model(wanted, listed)
    assert nearest_model(wanted, listed | {"llama-9"}) == nearest
    if nearest is not None:
        assert nearest_model(wanted, frozenset({nearest})) == nearest
