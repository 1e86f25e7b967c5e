"""What nobody can measure now is not known, since when and why."""

from datetime import timedelta

from alerts_cast import START
from timelines import MINUTE

from monitor.alerts.measurement_gaps import MeasurementGaps, Unmeasured
from monitor.model import Failure, FailureKind, Outcome, Result

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


def test_a_gap_lasts_from_the_first_run_that_could_not_tell_to_one_that_can() -> None:
    gaps = MeasurementGaps()
    gaps.note(run(Outcome.DOWN, 0, FailureKind.SERVER_ERROR), is_own=True)
    assert gaps.gap(CHECK, ["fra"]) is None

    gaps.note(run(Outcome.UNKNOWN, 1, FailureKind.OFFLINE), is_own=True)
    gaps.note(run(Outcome.UNKNOWN, 2, FailureKind.BUDGET_PAUSED), is_own=True)
    assert gaps.gap(CHECK, ["fra"]) == Unmeasured(START + MINUTE, FailureKind.BUDGET_PAUSED)

    gaps.note(run(Outcome.UP, 3), is_own=True)
    assert gaps.gap(CHECK, ["fra"]) is None


def test_after_a_restart_it_is_not_known_which_run_was_the_first_that_could_not_tell() -> None:
    gaps = MeasurementGaps()
    gaps.note(run(Outcome.UNKNOWN, 0, FailureKind.OFFLINE), is_own=True)
    assert gaps.gap(CHECK, ["fra"]) == Unmeasured(None, FailureKind.OFFLINE)


def test_what_one_vantage_measures_is_no_gap_and_one_that_never_ran_it_says_nothing() -> None:
    gaps = MeasurementGaps()
    gaps.note(run(Outcome.UNKNOWN, 0, FailureKind.OFFLINE), is_own=True)
    assert gaps.gap(CHECK, ["cn", "fra"]) == Unmeasured(None, FailureKind.OFFLINE)

    gaps.note(run(Outcome.DOWN, 1, FailureKind.SERVER_ERROR, vantage="cn"), is_own=False)
    assert gaps.gap(CHECK, ["cn", "fra"]) is None


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
    gaps.note(run(Outcome.UNKNOWN, 1, FailureKind.OFFLINE), is_own=True)
    gaps.shift(timedelta(hours=1))
    assert gaps.gap(CHECK, ["fra"]) == Unmeasured(START + 61 * MINUTE, FailureKind.OFFLINE)
    assert gaps.checks == {CHECK}

    gaps.forget(set())
    assert gaps.gap(CHECK, ["fra"]) is None
    assert gaps.checks == set()
