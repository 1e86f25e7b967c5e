"""Timelines as text, over the real alerts: a table to read, every move there is, and laws for the rest."""

import re
from datetime import timedelta
from itertools import pairwise

import pytest
from alerts_cast import Given
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import MINUTE, NO_RUN, RULES, SEEN, START, Case, Line, belief, cases, play, result

from monitor.alerts.machine import TRANSITIONS
from monitor.alerts.policies import POLICIES, default_rules
from monitor.model import AlertSettings, EntryKind, Phase, Severity, Verdict

ALL = cases()
letters = st.text("".join(SEEN), max_size=50)
weather = st.text("UDDG", max_size=50)
patience = st.builds(AlertSettings, after=st.integers(1, 5), recover=st.integers(1, 4))
three = st.fixed_dictionaries(
    {check: st.text("UUDDDGAMn-", max_size=40) for check in ("s/a/x", "s/a/y", "s/b/x")}
)


@pytest.mark.parametrize("case", ALL, ids=[case.title for case in ALL])
def test_a_timeline_is_believed_and_told_as_it_says(case: Case) -> None:
    line = play(case.seen, case.settings)
    length = max(map(len, case.seen.values()))
    if len(case.seen) == 1:
        (check,) = case.seen
        found = {rule: line.believed[check, rule] for rule in RULES}
        assert found == {rule: case.rows.get(rule, "").ljust(length, ".") for rule in RULES}
    if "told" in case.rows or len(case.seen) > 1:
        assert line.told == case.rows.get("told", "").ljust(length, ".")


def test_the_table_shows_every_letter_every_rule_and_every_move() -> None:
    shown = "".join(row for case in ALL for row in case.seen.values())
    assert set(SEEN) | {"|", "-"} <= set(shown)
    assert set(RULES) <= {name for case in ALL for name in case.rows}
    assert moves() == {(phase, verdict, then) for phase, verdict, then, _ in TRANSITIONS} | {
        (Phase.SUSPECT, Verdict.BAD, Phase.SUSPECT),
        (Phase.RECOVERING, Verdict.GOOD, Phase.RECOVERING),
        (Phase.UP, Verdict.BAD, Phase.BAD),
        (Phase.BAD, Verdict.GOOD, Phase.UP),
    }


def moves() -> set[tuple[Phase, Verdict, Phase]]:
    """What the table's timelines take the machine through, ignorance left out."""
    taken = set()
    for case in ALL:
        for check, row in case.seen.items():
            line = Line(case.settings)
            for letter in row:
                before = {rule: phase(line, check, rule) for rule in RULES}
                line.minute({check: letter})
                for rule, was in before.items():
                    if letter in SEEN and (verdict := judged(letter, rule)) is not Verdict.NONE:
                        taken.add((was, verdict, phase(line, check, rule)))
    return taken


def phase(line: Line, check: str, rule: str) -> Phase:
    state = line.states.get((check, "local", rule))
    return state.phase if state else Phase.UP


def judged(letter: str, rule: str) -> Verdict:
    return POLICIES[rule]().judge(Given(result("s/a/chat", letter, START)))


@pytest.mark.parametrize(
    ("letter", "down", "degraded", "account", "monitor"),
    [
        ("U", "good", "good", "good", "good"),
        ("D", "bad", "none", "none", "good"),
        ("G", "good", "bad", "good", "good"),
        ("A", "none", "none", "bad", "good"),
        ("M", "none", "none", "none", "bad"),
        ("n", "none", "none", "none", "none"),
    ],
)
def test_what_each_rule_makes_of_each_outcome(
    letter: str, down: str, degraded: str, account: str, monitor: str
) -> None:
    assert [judged(letter, rule).value for rule in RULES] == [down, degraded, account, monitor]


def spoken(text: str, rule: str, chosen: AlertSettings) -> list[tuple[int, int | None]]:
    """An oracle that knows no machine: where a rule's belief begins and ends, by the runs' dates."""
    kept = [(judged(letter, rule), index) for index, letter in enumerate(text) if letter in SEEN]
    kept = [pair for pair in kept if pair[0] is not Verdict.NONE]
    verdicts = "".join("b" if verdict is Verdict.BAD else "g" for verdict, _ in kept)
    found = next(
        default_rule for default_rule in default_rules(chosen) if default_rule.name == rule
    )
    belief = f"(b{{{found.after}}}.*?)(?:(g){{{found.recover}}}|$)"
    return [
        (kept[match.start()][1], kept[match.end(1)][1] if match[2] else None)
        for match in re.finditer(belief, verdicts)
    ]


@given(letters, patience)
def test_dates_are_those_of_the_first_bad_and_the_first_good_run(
    text: str, chosen: AlertSettings
) -> None:
    line = play({"s/a/chat": text}, chosen)
    for rule in RULES:
        dated = [
            (incident.opened, incident.closed)
            for incident in line.incidents.values()
            if incident.severity.value == rule
        ]
        assert dated == [
            (START + begin * MINUTE, None if end is None else START + end * MINUTE)
            for begin, end in spoken(text, rule, chosen)
        ]


@given(letters, st.integers(0, 50), patience)
def test_what_says_nothing_moves_nothing(text: str, place: int, chosen: AlertSettings) -> None:
    place = min(place, len(text))
    with_gap = text[:place] + "n" + text[place:]
    for rule in RULES:
        was, now = belief(text, rule, chosen), belief(with_gap, rule, chosen)
        assert now[:place] + now[place + 1 :] == was


@given(letters, st.integers(0, 50), patience)
def test_a_restart_at_any_moment_changes_nothing(
    text: str, place: int, chosen: AlertSettings
) -> None:
    once, twice = play({"s/a/c": text}, chosen), play({"s/a/c": text[:place]}, chosen)
    twice.restart()
    for letter in text[place:]:
        twice.minute({"s/a/c": letter})
    assert (twice.told, twice.believed) == (once.told, once.believed)
    assert [(incident.opened, incident.closed) for incident in twice.incidents.values()] == [
        (incident.opened, incident.closed) for incident in once.incidents.values()
    ]


@given(three, patience)
def test_other_checks_change_nothing_of_what_is_believed_of_one(
    seen: dict[str, str], chosen: AlertSettings
) -> None:
    together = play(seen, chosen)
    for check, row in seen.items():
        alone = play({check: row}, chosen)
        for rule in RULES:
            assert together.believed.get((check, rule), "").startswith(
                alone.believed.get((check, rule), "")
            )


@given(three, st.permutations(["s/a/x", "s/a/y", "s/b/x"]))
def test_the_order_of_checks_in_a_minute_changes_no_belief(
    seen: dict[str, str], order: list[str]
) -> None:
    one, other = play(seen), play({check: seen[check] for check in order})
    assert one.believed == other.believed
    assert under_way(one) == under_way(other)


def under_way(line: Line) -> set[tuple[str, Severity]]:
    """Not by incident: one that breaks in the minute in which another is well again joins that
    one's incident where it comes first, and opens its own where it comes second.
    """
    return {
        (check, incident.severity)
        for incident in line.incidents.values()
        for check in incident.active
    }


@given(three, patience)
def test_never_two_open_incidents_for_one_check_and_severity(
    seen: dict[str, str], chosen: AlertSettings
) -> None:
    line = Line(chosen)
    for index in range(max(map(len, seen.values()))) if any(seen.values()) else ():
        line.minute({check: row[index : index + 1] or NO_RUN for check, row in seen.items()})
        held = [
            (check, incident.severity)
            for incident in line.incidents.values()
            for check in incident.active
        ]
        assert len(held) == len(set(held))
        believed = {
            (check, Severity(rule))
            for (check, _, rule), state in line.states.items()
            if state.phase in {Phase.BAD, Phase.RECOVERING}
        }
        assert set(held) == believed


@given(three, patience)
def test_an_incident_is_whole(seen: dict[str, str], chosen: AlertSettings) -> None:
    line = play(seen, chosen)
    for incident in line.incidents.values():
        assert (incident.closed is None) == bool(incident.active)
        assert incident.active <= set(incident.checks)
        assert len(incident.checks) == len(set(incident.checks))
        assert START <= incident.opened <= (incident.closed or line.now)
        times = [entry.at for entry in incident.timeline]
        assert incident.timeline[0].what is EntryKind.OPENED
        assert all(incident.opened <= at <= line.now for at in times)
        ends = [entry.what is EntryKind.RESOLVED for entry in incident.timeline]
        assert sum(ends) == ends[-1] == (incident.closed is not None)


@given(three, patience)
def test_begun_and_over_take_turns_and_nothing_is_told_twice(
    seen: dict[str, str], chosen: AlertSettings
) -> None:
    line = play(seen, chosen)
    said: dict[int | None, list[str]] = {}
    for row in line.messages:
        said.setdefault(row.incident, []).append(row.what.value)
    for number, words in said.items():
        assert number is not None
        told = " ".join(words)
        assert re.fullmatch(r"(flapping ?)?(opened( update)?( resolved)?)?( ?calm)?", told), told
        if "opened" in words:
            assert ("resolved" in words) == (line.incidents[number].closed is not None)
    for states in line.believed.values():
        turns = states.replace(".", "")
        assert all(one != other for one, other in pairwise(turns))
        assert turns[:1] in {"", "F"}


@given(weather)
def test_all_bad_runs_of_an_incident_are_counted(text: str) -> None:
    line = play({"s/a/chat": text})
    for incident in line.incidents.values():
        until = incident.closed or line.now
        inside = range(
            (incident.opened - START) // MINUTE,
            (until - START) // MINUTE + (incident.closed is None),
        )
        letter = {Severity.DOWN: "D", Severity.DEGRADED: "G"}[incident.severity]
        assert sum(incident.failed_runs.values()) == sum(text[n : n + 1] == letter for n in inside)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2000), st.sampled_from([30, 240, 1440]))
def test_reminders_come_when_they_are_due_and_stretch_to_a_day(minutes: int, first: int) -> None:
    line = Line(AlertSettings(after=1, remind=timedelta(minutes=first)))
    line.minute({"s/a/chat": "D"})
    for _ in range(minutes - 1):
        line.minute({"s/a/chat": "-"})
    due, gap, expected = first, first, []
    while due < minutes:
        expected.append(due)
        gap = min(gap * 2, max(first, 1440))
        due += gap
    assert [index for index, letter in enumerate(line.told) if letter == "m"] == expected
