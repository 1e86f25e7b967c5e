"""What nobody can measure now is not known, since when and why."""

from datetime import timedelta

from alerts_cast import START
from timelines import MINUTE

from monitor.alerts.measurement_gaps import MeasurementGaps
from monitor.alerts.voters import QuorumSettings, Voters, VoterSettings
from monitor.model import Failure, FailureKind, Incident, Outcome, Result, Severity, Unmeasured

CHECK = "s/a/chat"


def run(
    outcome: Outcome, minute: int, kind: FailureKind | None = None, vantage: str = "fra"
) -> Result:
    return Result(
        check=CHECK,
        vantage=vantage,
        at=START + minute * MINUTE,
        outcome=outcome,
        failure=Failure(kind, "") if kind else None,
    )


def gap(gaps: MeasurementGaps, *places: str, minute: int = 4) -> Unmeasured | None:
    """What the gaps say of an incident that these places saw; all of them are heard."""
    voters = Voters(QuorumSettings(own="fra", places={"cn": VoterSettings()}))
    now = START + minute * MINUTE
    voters.hear("cn", now, blind=False)
    incident = Incident(
        id=1,
        service="s",
        severity=Severity.DOWN,
        opened=START,
        failure=Failure(FailureKind.SERVER_ERROR, ""),
        checks=(CHECK,),
        active=frozenset({CHECK}),
        bad_from={CHECK: places},
    )
    return gaps.gap(incident, CHECK, voters, now)


def test_a_gap_lasts_from_the_first_run_that_could_not_tell_to_one_that_can() -> None:
    gaps = MeasurementGaps()
    gaps.note(run(Outcome.DOWN, 0, FailureKind.SERVER_ERROR), is_own=True)
    assert gap(gaps, "fra") is None

    gaps.note(run(Outcome.UNKNOWN, 1, FailureKind.OFFLINE), is_own=True)
    assert gap(gaps, "fra") is None  # one run that could not tell changes no belief
    gaps.note(run(Outcome.UNKNOWN, 2, FailureKind.BUDGET_PAUSED), is_own=True)
    assert gap(gaps, "fra") == Unmeasured(START + MINUTE, FailureKind.BUDGET_PAUSED)

    gaps.note(run(Outcome.UP, 3), is_own=True)
    assert gap(gaps, "fra") is None


def test_after_a_restart_it_is_not_known_which_run_was_the_first_that_could_not_tell() -> None:
    gaps = MeasurementGaps()
    for minute in range(2):
        gaps.note(run(Outcome.UNKNOWN, minute, FailureKind.OFFLINE), is_own=True)
    assert gap(gaps, "fra") == Unmeasured(None, FailureKind.OFFLINE)


def test_what_one_vantage_measures_is_no_gap_and_one_that_never_ran_it_says_nothing() -> None:
    gaps = MeasurementGaps()
    for minute in range(2):
        gaps.note(run(Outcome.UNKNOWN, minute, FailureKind.OFFLINE), is_own=True)
    assert gap(gaps, "cn", "fra") == Unmeasured(None, FailureKind.OFFLINE)

    gaps.note(run(Outcome.DOWN, 2, FailureKind.SERVER_ERROR, vantage="cn"), is_own=False)
    assert gap(gaps, "cn", "fra") is None


def test_the_daemon_sees_again_with_its_own_first_run_that_measures() -> None:
    gaps = MeasurementGaps()
    assert not gaps.sees
    gaps.note(run(Outcome.UP, 0), is_own=True)
    assert gaps.sees
    gaps.note(run(Outcome.UNKNOWN, 1, FailureKind.AUTH_INVALID), is_own=True)
    assert gaps.sees
    gaps.note(run(Outcome.UNKNOWN, 2, FailureKind.OFFLINE), is_own=True)
    gaps.note(run(Outcome.UP, 3, vantage="cn"), is_own=False)
    assert not gaps.sees
    gaps.note(run(Outcome.DOWN, 4, FailureKind.SERVER_ERROR), is_own=True)
    assert gaps.sees


def test_a_gap_moves_with_a_clock_that_is_set_and_goes_with_its_check() -> None:
    gaps = MeasurementGaps()
    gaps.note(run(Outcome.UP, 0), is_own=True)
    for minute in (1, 2):
        gaps.note(run(Outcome.UNKNOWN, minute, FailureKind.OFFLINE), is_own=True)
    gaps.shift(timedelta(hours=1))
    assert gap(gaps, "fra") == Unmeasured(START + 61 * MINUTE, FailureKind.OFFLINE)
    assert gaps.checks == {CHECK}

    gaps.forget(set())
    assert gap(gaps, "fra") is None
    assert gaps.checks == set()
