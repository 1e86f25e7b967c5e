"""The page's rules as values: which base URL to use, what state it is in, how its days were."""

from datetime import UTC, date, datetime, timedelta

import pytest
from check_cast import DOWN, MINUTE, NOW, TODAY, UNKNOWN, check, history, run

from monitor.model import (
    Failure,
    FailureKind,
    Incident,
    Phase,
    Result,
    Rollup,
    Severity,
)
from monitor.model.rollup import NOTHING
from monitor.page import formatting
from monitor.page.day_bars import Day, last_days
from monitor.page.states import (
    State,
    call_state,
    check_state,
    endpoint_state,
    overall_state,
    service_state,
    worst,
)

# --- what state it is in --------------------------------------------------------------------------

GOOD = Rollup(outcomes={"up": 1})


@pytest.mark.parametrize(
    ("latest", "phases", "last_24h", "state"),
    [
        (run(), {}, GOOD, State.OPERATIONAL),
        (run(), {}, Rollup(outcomes={"degraded": 1}), State.OPERATIONAL),
        (run(DOWN), {}, GOOD, State.OPERATIONAL),  # only suspected
        (run(DOWN), {}, Rollup(outcomes={"down": 1}), State.UNKNOWN),
        (run(DOWN), {"down": Phase.SUSPECT}, GOOD, State.OPERATIONAL),
        (run(DOWN), {"down": Phase.BAD}, GOOD, State.MAJOR),
        (run(), {"down": Phase.RECOVERING}, GOOD, State.MAJOR),
        (run(UNKNOWN), {"down": Phase.BAD}, GOOD, State.MAJOR),
        (run(UNKNOWN), {"degraded": Phase.BAD}, GOOD, State.DEGRADED),
        (run(), {"degraded": Phase.BAD}, GOOD, State.DEGRADED),
        (run(), {"degraded": Phase.BAD, "down": Phase.BAD}, GOOD, State.MAJOR),
        (run(), {"account": Phase.BAD}, GOOD, State.OPERATIONAL),
        (run(ago=25), {}, GOOD, State.OPERATIONAL),
        (run(ago=25.1), {"down": Phase.BAD}, GOOD, State.UNKNOWN),
        (None, {}, GOOD, State.UNKNOWN),
    ],
)
def test_a_check_is_what_is_believed_of_it(
    latest: Result | None, phases: dict[str, Phase], last_24h: Rollup, state: State
) -> None:
    check_history = history(latest=latest, phases=phases, last_24h=last_24h)
    assert check_state(check(), check_history, NOW) is state


def test_what_is_asked_every_minute_is_old_after_ten() -> None:
    def state(ago: float) -> State:
        return check_state(check(every="1m"), history(latest=run(ago=ago), last_24h=GOOD), NOW)

    assert [state(ago) for ago in (10, 10.1)] == [State.OPERATIONAL, State.UNKNOWN]
    assert check_state(check(), None, NOW) is State.UNKNOWN


O, M, D, P, X, N = State  # noqa: E741


@pytest.mark.parametrize(
    ("checks", "main", "endpoint"),
    [
        ([O, O], O, O),
        ([O, D], O, D),
        ([O, X], O, P),
        ([O, X], X, X),
        ([X, X], X, X),
        ([X, N], N, P),
        ([N, N], N, N),
        ([], N, N),
        ([O, N], N, N),
        ([D, N], N, N),
        ([O, N], O, O),
        ([M, M], M, M),
        ([D, X], D, P),
        ([X, X, O], O, P),
        ([X, N], X, X),
    ],
)
def test_an_endpoint_is_what_its_main_call_is_and_down_in_part_with_another(
    checks: list[State], main: State, endpoint: State
) -> None:
    assert endpoint_state(checks, main) is endpoint


@pytest.mark.parametrize(
    ("cells", "call"),
    [
        ([O, O], O),
        ([O, D], D),
        ([O, X], P),
        ([D, X, N], P),
        ([O, N], O),
        ([O, M], O),
        ([X, X], X),
        ([X, N], N),
        ([X, M], N),
        ([N, M], N),
        ([M, M], M),
        ([N], N),
        ([], N),
    ],
)
def test_a_call_fails_only_where_it_is_known_to_fail_everywhere(
    cells: list[State], call: State
) -> None:
    assert call_state(cells) is call


@pytest.mark.parametrize(
    ("endpoints", "mains", "service"),
    [
        ([O, X], [O, X], P),
        ([X, X], [X, X], X),
        ([X, X, N], [X, X, N], P),
        ([X, M], [X, M], P),
        ([O, O], [O, O], O),
        ([O, D], [O, D], D),
        ([O, M], [O, M], M),
        ([M, M], [M, M], M),
        ([M, N], [M, N], N),
        ([N], [N], N),
        ([N, O], [N, O], O),
        ([P, P], [O, O], P),
        ([P, N], [N, N], P),
        ([], [], N),
    ],
)
def test_a_service_is_down_only_where_its_main_call_fails_everywhere(
    endpoints: list[State], mains: list[State], service: State
) -> None:
    assert service_state(endpoints, mains) is service


def test_the_page_has_a_major_outage_only_where_every_service_is_down() -> None:
    pages = ([X, X], [X, O], [X, N], [O, N], [O, M], [])
    assert [overall_state(services) for services in pages] == [X, P, P, O, M, N]


def test_the_worst_is_never_what_is_not_known() -> None:
    assert [worst(states) for states in ([O, M, D, P, X, N], [N, O], [D, M], [N], [])] == [
        X,
        O,
        D,
        N,
        N,
    ]


# --- how its days were ----------------------------------------------------------------------------

MAIN, OTHER = "s/a/chat", "s/a/models"
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)


def incident(
    begin: float, end: float | None, *checks: str, severity: Severity = Severity.DOWN
) -> Incident:
    """From so many minutes after midnight to so many."""
    return Incident(
        id=1,
        service="s",
        severity=severity,
        opened=MIDNIGHT + begin * MINUTE,
        closed=None if end is None else MIDNIGHT + end * MINUTE,
        failure=Failure(FailureKind.BAD_GATEWAY, ""),
        checks=checks or (MAIN,),
        active=frozenset(),
    )


def days(*incidents: Incident, measured: Rollup = GOOD) -> tuple[Day, ...]:
    return last_days(
        TODAY, {TODAY: measured}, incidents, MAIN, frozenset({MAIN, OTHER}), NOW, 5 * MINUTE
    )


def test_there_are_ninety_days_with_today_as_the_last() -> None:
    shown = days()
    assert [each.day for each in shown] == [
        date(2026, 8, 27) + timedelta(days=n) for n in range(90)
    ]
    assert shown[-1] == Day(TODAY, "o", 0)
    assert shown[0] == Day(date(2026, 8, 27), "n", 0)
    assert shown[-1].state is State.OPERATIONAL


@pytest.mark.parametrize(
    ("incidents", "letter", "minutes"),
    [
        ([incident(60, 90)], "x", 30),
        ([incident(60, 90, OTHER)], "p", 30),
        ([incident(60, 90, MAIN, OTHER)], "x", 30),
        ([incident(60, 90, severity=Severity.DEGRADED)], "d", 30),
        ([incident(60, 90, severity=Severity.ACCOUNT)], "o", 0),
        ([incident(60, 90, "s/b/chat")], "o", 0),
        ([incident(60, 90), incident(100, 102), incident(0, 600, OTHER)], "x", 32),
        ([incident(0, 600, severity=Severity.DEGRADED), incident(60, 61, OTHER)], "p", 1),
        ([incident(60, 60.1)], "x", 1),
        ([incident(600, None)], "x", 120),
        ([incident(-60, 30)], "x", 30),
        ([incident(-60, 0)], "o", 0),
        ([incident(60, 60)], "o", 0),
    ],
)
def test_a_day_has_the_worst_that_was_confirmed_and_its_minutes(
    incidents: list[Incident], letter: str, minutes: int
) -> None:
    assert days(*incidents)[-1] == Day(TODAY, letter, minutes)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (44, "44 s"),
        (96, "2 min"),
        (222, "4 min"),
        (59 * 60 + 31, "1 h"),
        (2 * 3600 + 18 * 60 + 20, "2 h 18 min"),
        (48 * 3600 - 1, "2 d 0 h"),
    ],
)
def test_how_long_it_lasted_is_rounded_as_the_minutes_of_a_day_are(seconds: int, said: str) -> None:
    assert formatting.duration(timedelta(seconds=seconds)).replace("\u00a0", " ") == said


def test_an_outage_over_midnight_is_of_both_days_and_no_day_has_more_than_its_minutes() -> None:
    shown = days(incident(-1440 - 60, 30), incident(-1440, -1))
    assert [(day.letter, day.minutes) for day in shown[-4:]] == [
        ("n", 0),
        ("x", 60),
        ("x", 1440),
        ("x", 30),
    ]


@pytest.mark.parametrize(
    ("measured", "letter", "minutes"),
    [
        (Rollup(outcomes={"degraded": 1}), "o", 0),
        (Rollup(outcomes={"down": 1}), "o", 0),  # never confirmed
        (Rollup(outcomes={"unknown": 9}), "n", 0),
        (Rollup(outcomes={"up": 9}, maintenance=12), "m", 60),
        (Rollup(maintenance=9999), "m", 1440),
        (NOTHING, "n", 0),
    ],
)
def test_a_quiet_day_is_what_was_measured(measured: Rollup, letter: str, minutes: int) -> None:
    assert days(measured=measured)[-1] == Day(TODAY, letter, minutes)
    elsewhere = incident(-1440, -1400)
    assert days(elsewhere, measured=measured)[-1] == Day(TODAY, letter, minutes)


def test_maintenance_is_a_minute_at_least() -> None:
    seconds = timedelta(seconds=10)
    shown = last_days(
        TODAY, {TODAY: Rollup(maintenance=1)}, (), MAIN, frozenset({MAIN}), NOW, seconds
    )
    assert shown[-1] == Day(TODAY, "m", 1)


def test_where_only_one_check_is_known_its_outage_is_the_endpoints() -> None:
    shown = last_days(TODAY, {}, [incident(0, 5, OTHER)], MAIN, frozenset({OTHER}), NOW, MINUTE)
    assert shown[-1].letter == "x"


@pytest.mark.parametrize(
    ("minutes", "digit"), [(1, "0"), (18, "0"), (72, "1"), (360, "5"), (719, "9"), (720, "9")]
)
def test_a_bar_shows_how_much_of_the_day_so_far_was_lost(minutes: int, digit: str) -> None:
    """It is noon: half of the day is all that there was of it."""
    assert days(incident(0, minutes))[-1].digit == digit


def test_eighteen_minutes_of_a_day_that_is_over_are_a_trace() -> None:
    assert [day.digit for day in days(incident(-600, -582))[-2:]] == ["0", "0"]
    assert days(incident(-1440, 0))[-2].digit == "9"
