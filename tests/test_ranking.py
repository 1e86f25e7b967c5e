"""Which base URL to use now: for the page, `best.txt` and the alerts."""

from dataclasses import replace

import pytest
from check_cast import DEGRADED, DOWN, MINUTE, NOW, UNKNOWN, UP, check, history, run

from monitor.model import (
    Failure,
    FailureKind,
    Incident,
    Result,
    Severity,
)
from monitor.ranking import Answer, Candidate, Pick, RecentAnswers, candidates, choose, covered
from monitor.ranking import ranked as rank_answers


def ranked(*recent: Result, probe: str = "chat") -> list[float]:
    one = check(probe=probe)
    return [each.milliseconds for each in candidates([one], {one.key: history(*recent)}, NOW)]


def test_the_median_of_the_last_half_hour_counts() -> None:
    runs = [run(ttft=value, ago=30) for value in (100, 300, 200, 1000)]
    assert ranked(*runs, run(ttft=150)) == [200]
    assert ranked(*runs, run(ttft=150, ago=30.01)) == []  # too old, and four are too few
    assert ranked(run(ttft=9999, ago=31), *runs, run(ttft=150)) == [200]


@pytest.mark.parametrize(
    ("turns", "needed"),
    [((), 5), (("fra", "cn"), 2), (("fra", "cn", "hk"), 1), (tuple("abcdefg"), 1)],
)
def test_a_place_that_asks_seldom_because_others_take_turns_needs_fewer_results(
    turns: tuple[str, ...], needed: int
) -> None:
    """Else it would recommend nothing for ever, where a chat of every five minutes is asked in turn."""
    one = replace(check(every="5m"), turns=turns)
    for number in range(1, 7):
        found = candidates([one], {one.key: history(*[run()] * number)}, NOW)
        assert bool(found) == (number >= needed)


def test_where_nothing_streams_the_headers_count_and_what_was_not_timed_does_not() -> None:
    assert ranked(*[run(ttft=100, ttfb=10)] * 5, probe="models") == [10]
    assert ranked(*[run(ttft=None)] * 2, *[run(ttft=300)] * 3) == [300]
    assert ranked(*[run(ttft=None)] * 9) == []


@pytest.mark.parametrize(
    ("recent", "is_one"),
    [
        ([run()] * 5, True),
        ([run()] * 4, False),
        ([run(DEGRADED)] * 5, True),
        ([*[run()] * 4, run(UNKNOWN)], False),  # what we could not see does not count
        ([*[run()] * 5, run(UNKNOWN)], True),
        ([*[run()] * 5, *[run(UNKNOWN)] * 2], False),  # nothing is known of now
        ([run(DOWN), *[run()] * 99], True),
        ([run(DOWN), *[run()] * 98], False),
        ([*[run()] * 299, run(DOWN)], False),  # it has just failed
        ([run(DOWN), *[run()] * 299], True),
    ],
)
def test_a_candidate_has_answered_often_and_well_and_to_the_last(
    recent: list[Result], is_one: bool
) -> None:
    assert bool(ranked(*recent)) == is_one


def test_candidates_come_best_first_and_by_name_where_they_are_alike() -> None:
    checks = [check(each) for each in "cabd"]
    speeds = {"a": 200, "b": 100, "c": 200}
    found = candidates(
        checks,
        {f"s/{each}/chat": history(*[run(ttft=ms)] * 5) for each, ms in speeds.items()},
        NOW,
    )
    assert found == [Candidate("s/b", 100), Candidate("s/a", 200), Candidate("s/c", 200)]


def chosen(pick: Pick, **speeds: float) -> Pick:
    return choose(
        pick, sorted((Candidate(*item) for item in speeds.items()), key=lambda c: c.milliseconds)
    )


def test_the_pick_changes_when_another_was_a_tenth_better_three_times_in_a_row() -> None:
    pick = chosen(Pick(), a=100, b=120)
    assert pick == Pick("a")
    assert chosen(pick, a=100, b=90.1) == Pick("a")
    once = chosen(pick, a=100, b=90)
    assert once == Pick("a", "b", 1, (100, 90))
    assert chosen(once, a=100, b=90) == once  # nothing new was measured
    twice = chosen(once, a=100, b=89)
    assert twice == Pick("a", "b", 2, (100, 89))
    assert chosen(twice, a=100, b=88) == Pick("b")
    assert chosen(twice, a=100, b=95) == Pick("a")
    assert chosen(twice, a=100, c=50) == Pick("a", "c", 1, (100, 50))
    assert chosen(twice, a=100, c=89) == Pick("a", "c", 1, (100, 89))
    assert chosen(twice, b=500) == Pick("b")
    assert choose(twice, []) == Pick()


# --- flaws ----------------------------------------------------------------------------------------


def answers(*kinds: FailureKind | None, ms: float = 100) -> list[Answer]:
    return [Answer(NOW, kind.outcome if kind else UP, kind, ms) for kind in kinds]


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind.outcome is DEGRADED])
def test_an_answer_that_is_cut_held_back_or_wrong_is_no_good_one(kind: FailureKind) -> None:
    (candidate,) = rank_answers({"s/a": answers(*[kind] * 5)}, NOW)
    assert candidate.flaw == kind.row.spoils_answer


def test_one_that_cuts_its_answers_ranks_behind_a_slower_one_that_does_not() -> None:
    good, cut = answers(*[None] * 5, ms=900), answers(*[FailureKind.TRUNCATED] * 5, ms=100)
    assert rank_answers({"s/a": cut, "s/b": good}, NOW) == [
        Candidate("s/b", 900),
        Candidate("s/a", 100, flaw=True, is_bad_now=True),
    ]
    once = answers(*[None] * 4, FailureKind.TRUNCATED, *[None] * 95)
    lately = answers(*[None] * 99, FailureKind.TRUNCATED)
    assert [answer.flaw for answer in rank_answers({"s/a": once, "s/b": lately}, NOW)] == [
        False,
        True,
    ]


def incident(severity: Severity, *checks: str, cause: str = "") -> Incident:
    return Incident(
        id=1,
        service="s",
        severity=severity,
        opened=NOW,
        cause=cause,
        failure=Failure(FailureKind.BAD_GATEWAY, ""),
        checks=checks,
        active=frozenset(checks),
    )


def test_one_that_an_open_incident_covers_has_a_flaw_though_its_main_check_is_well() -> None:
    assert covered([incident(Severity.DOWN, "s/a/long"), incident(Severity.DEGRADED, "s/b/x")]) == {
        "s/a",
        "s/b",
    }
    assert (
        covered([incident(Severity.ACCOUNT, "s/a/x"), incident(Severity.MONITOR, "s/a/x")]) == set()
    )
    assert covered([incident(Severity.DEGRADED, "s/a/x", cause="certificate")]) == set()
    good = answers(*[None] * 5)
    assert rank_answers({"s/a": good, "s/b": good}, NOW, {"s/a"}) == [
        Candidate("s/b", 100),
        Candidate("s/a", 100, flaw=True, is_bad_now=True),
    ]


def test_of_those_with_a_flaw_the_ones_whose_trouble_is_over_rank_first() -> None:
    over = answers(*[FailureKind.TRUNCATED] * 5, *[None] * 5, ms=500)
    now = answers(*[None] * 5, *[FailureKind.TRUNCATED] * 5, ms=100)
    ranking = rank_answers({"s/now": now, "s/over": over}, NOW)
    assert ranking == [
        Candidate("s/over", 500, flaw=True),
        Candidate("s/now", 100, flaw=True, is_bad_now=True),
    ]
    assert choose(Pick("s/now"), ranking) == Pick("s/over")


def test_one_with_a_flaw_is_picked_only_while_there_is_no_other_and_left_at_once() -> None:
    flawed, good = Candidate("a", 10, flaw=True), Candidate("b", 500)
    assert choose(Pick(), [flawed]) == Pick("a")
    assert choose(Pick("a"), [good, flawed]) == Pick("b")
    assert choose(Pick("b"), [good, flawed]) == Pick("b")


# --- in memory ------------------------------------------------------------------------------------


def test_answers_of_main_checks_are_kept_for_half_an_hour() -> None:
    chat, models = check(), check(probe="models")
    recent = RecentAnswers([chat, models])
    for minute in range(60, -1, -10):
        recent.add(run(ago=minute))
    assert [answer.at for answer in recent.of_service("s", NOW, "v")["s/a"]] == [
        NOW - minute * MINUTE for minute in (30, 20, 10, 0)
    ]
    assert recent.of_service("t", NOW, "v") == {}
    assert recent.streams("s/a")
    assert not recent.streams("s/b")
    recent.change([chat, check("b")])
    assert [len(each) for each in recent.of_service("s", NOW, "v").values()] == [4, 0]
    recent.change([models])
    recent.add(run())
    assert recent.of_service("s", NOW, "v") == {"s/a": []}


def test_a_check_that_is_rarely_asked_speaks_of_now_until_it_should_have_been_asked_twice() -> None:
    hourly = check(every="1h")
    recent = RecentAnswers([hourly])
    recent.add(run(ago=119))
    assert len(recent.of_service("s", NOW, "v")["s/a"]) == 1
    assert recent.of_service("s", NOW + 2 * MINUTE, "v")["s/a"] == []
