"""The table of failure kinds is complete, agrees with itself, and is the only place that knows a kind's traits."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from monitor.model import FailureKind, Fault, Outcome
from monitor.model.failure import WHOSE, FailureRow, Group, kinds_where

ROOT = Path(__file__).parents[2]
OUTSIDE = {
    "monitor/probes/kinds/tokenizer.py": "what one probe tests",
    "monitor/probes/verdict/transport.py": "the sentence of a kind that only a transport error has",
}
"""Modules that may list kinds, and why that is not knowledge of the row."""


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_has_a_label_a_sentence_and_a_remedy(kind: FailureKind) -> None:
    row = kind.row
    assert kind.value == kind.name.lower() == row.kind
    assert row.label == row.label.strip(" .") != ""
    assert row.what.endswith(".")
    assert row.remedy.endswith(".")
    assert kind.fault in WHOSE


def test_outcomes_follow_from_whose_fault_it_is() -> None:
    """What is the account's or our own says nothing of the service."""
    unknown = {kind for kind in FailureKind if kind.fault in {Fault.ACCOUNT, Fault.MONITOR}}
    assert {kind for kind in FailureKind if kind.outcome is Outcome.UNKNOWN} == unknown
    assert not [kind for kind in FailureKind if kind.outcome is Outcome.UP]
    assert {kind.outcome for kind in FailureKind if kind.fault is Fault.PATH} == {Outcome.DOWN}


def test_traits_of_a_row_agree_with_each_other() -> None:
    assert kinds_where(lambda row: row.needs_person) < kinds_where(
        lambda row: row.group is Group.ACCOUNT
    )
    assert kinds_where(lambda row: row.is_silent or row.is_cut) < kinds_where(
        lambda row: row.fails_on_connecting
    )
    assert kinds_where(lambda row: row.is_busy).isdisjoint(
        kinds_where(lambda row: row.is_asked_again)
    )
    assert kinds_where(lambda row: row.becomes_habit) < kinds_where(
        lambda row: row.outcome is Outcome.DEGRADED
    )
    assert kinds_where(lambda row: row.by_choice) < kinds_where(
        lambda row: row.outcome is Outcome.UNKNOWN
    )
    assert kinds_where(lambda row: row.fault is Fault.PATH) < kinds_where(lambda row: row.on_path)


def test_every_trait_is_asked_for_somewhere() -> None:
    """A column that nobody reads would be filled in for nothing."""
    code = "".join(
        path.read_text() for path in (ROOT / "monitor").rglob("*.py") if path.name != "failure.py"
    )
    table = (ROOT / "monitor/model/failure.py").read_text()
    unread = [
        field.name
        for field in fields(FailureRow)
        if f"row.{field.name}" not in code + table and f"self.{field.name}" not in table
    ]
    assert unread == []


@pytest.mark.parametrize("forgotten", ["fault", "outcome", "group", "label", "what", "remedy"])
def test_a_row_without_one_of_its_fields_cannot_be_made(forgotten: str) -> None:
    row = FailureKind.SLOW.row
    given = {field.name: getattr(row, field.name) for field in fields(row)}
    del given[forgotten]
    with pytest.raises(TypeError, match=forgotten):
        FailureRow(**given)


def test_adding_a_kind_is_one_row_because_no_other_module_lists_kinds() -> None:
    lists = {
        path.relative_to(ROOT).as_posix(): names
        for path in sorted((ROOT / "monitor").rglob("*.py"))
        if path.name != "failure.py" and (names := list(kinds_listed(path.read_text())))
    }
    assert {path: names for path, names in lists.items() if path not in OUTSIDE} == {}
    assert set(OUTSIDE) <= set(lists), "an exception that is not needed any more"


def kinds_listed(code: str) -> Iterator[list[str]]:
    """Three or more kinds as members of one literal, or as its keys: a property of kinds, kept apart from them.

    Kinds as *values* of a table (what a provider's code means) are no property of the kind.
    """
    if code.count("FailureKind.") < 3:
        return  # a tree costs far more than a look
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Set(elts=members) | ast.List(elts=members) | ast.Tuple(elts=members):
                named = members
            case ast.Dict(keys=keys):
                named = [key for key in keys if key is not None]
            case _:
                continue
        kinds = [
            member.attr
            for member in named
            if isinstance(member, ast.Attribute)
            and isinstance(member.value, ast.Name)
            and member.value.id == "FailureKind"
        ]
        if len(kinds) >= 3:
            yield kinds


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("{FailureKind.A, FailureKind.B, FailureKind.C}", 1),
        ("(FailureKind.A, FailureKind.B, 1)", 0),
        ("{FailureKind.A: 1, FailureKind.B: 2, **more, FailureKind.C: 3}", 1),
        ("{'a': FailureKind.A, 'b': FailureKind.B, 'c': FailureKind.C}", 0),
    ],
)
def test_a_list_of_kinds_is_recognised(code: str, count: int) -> None:
    assert len(list(kinds_listed(code))) == count
