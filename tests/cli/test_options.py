"""Numbers and texts that a person writes after a command: taken as they are, or refused with what may stand there."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.app import command_files
from monitor.cli.options import number_from, operators_text
from monitor.model import MonitorError, Secret

SECRET = Secret("key-of-the-house-1")


@pytest.mark.parametrize(
    "text",
    ["nan", "-1", "inf", "-inf", "1e999", "0", "", "x", "१e", "1" * 60, "31536001"],
)
def test_what_is_no_time_to_wait_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        number_from(0.1, 31_536_000)(text)
    assert refused.value.message == (f'got "{text[:40]}", want a number from 0.1 to 31,536,000')


@given(st.text(max_size=30) | st.integers().map(str) | st.floats().map(str))
def test_a_number_is_in_its_range_or_refused(text: str) -> None:
    try:
        port = number_from(0, 65_535)(text)
    except typer.BadParameter:
        return
    assert 0 <= port <= 65_535
    assert int(text) == port


def test_every_number_of_every_command_is_read_by_one_that_refuses_what_is_none() -> None:
    """A command that takes a bare `int` or `float` would take `nan`, or a number that no store holds."""
    bare = [
        f"{' '.join(file.words)} {parameter.name}"
        for file in command_files()
        for parameter in file.load().params
        if (of := getattr(parameter, "type_descriptor", None)) is not None
        and of.annotation in (int, float)
        and of.parameter_info.parser is None
    ]
    assert bare == []


def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    assert operators_text("x" * 300, (), "the note", 300) == "x" * 300
    assert operators_text("a\x07 b  key-of-the-house-1", (SECRET,), "the note", 300) == "a b ***"
    with pytest.raises(MonitorError) as refused:
        operators_text("x" * 1001, (), "the note", 1000)
    assert str(refused.value) == "the note has 1,001 characters; it may have at most 1,000"
