"""Which base URLs an alert names: ranked as on the page, never one with a flaw, three at most."""

from dataclasses import replace
from datetime import timedelta

import pytest
from alerts_cast import BEGUN, START

from monitor.alerts import Alternatives, find_alternatives
from monitor.alerts.alternatives import Others
from monitor.model import Endpoint, Failure, FailureKind, Incident, Outcome
from monitor.ranking import Answer

CUT = FailureKind.TRUNCATED


def endpoint(name: str, **more: object) -> Endpoint:
    url = f"https://{name}.example"
    return Endpoint(id=name, service="s", url=url, name=name.upper(), **more)  # type: ignore[arg-type]


def answers(*kinds: FailureKind | None, ms: float = 100) -> list[Answer]:
    return [
        Answer(
            START,
            kind.outcome if kind else Outcome.UP,
            kind,
            None if kind and kind.outcome is Outcome.DOWN else ms,
        )
        for kind in kinds
    ]


def good(ms: float = 100, times: int = 9) -> list[Answer]:
    return answers(*[None] * times, ms=ms)


def find(
    seen: dict[str, list[Answer]],
    incident: Incident = BEGUN,
    covered: set[str] | None = None,
    **more: object,
) -> Alternatives:
    endpoints = {f"s/{name}": endpoint(name) for name in "abcdef"}
    endpoints["s/f"] = endpoint("f", cut_after=timedelta(seconds=60))
    return find_alternatives(
        incident,
        endpoints,
        {"s/a": good(), **{f"s/{name}": runs for name, runs in seen.items()}},
        covered or {"s/a"},
        START,
        **more,  # type: ignore[arg-type]
    )


def names(found: Alternatives) -> str:
    return "".join(each.name for each in found.named)


def test_the_three_fastest_by_the_pages_ranking_with_their_times() -> None:
    found = find(
        {"b": good(400), "c": good(100), "d": good(300), "e": good(200)}, streaming={"s/c"}
    )
    assert [(each.name, each.url, each.milliseconds) for each in found.named] == [
        ("C", "https://c.example", 100),
        ("E", "https://e.example", 200),
        ("D", "https://d.example", 300),
    ]
    assert [each.is_first_token for each in found.named] == [True, False, False]


def test_after_those_that_are_proven_come_those_whose_last_answers_were_all_good() -> None:
    recovered = answers(*[FailureKind.SERVER_ERROR] * 9, *[None] * 5, ms=10)
    assert names(find({"b": good(900), "c": good(50, times=1), "d": recovered})) == "BDC"


@pytest.mark.parametrize(
    ("runs", "others"),
    [
        ([], Others.UNKNOWN),
        (answers(None, FailureKind.QUOTA_EXHAUSTED), Others.UNKNOWN),
        (answers(*[None] * 9, FailureKind.NO_KEY), Others.UNKNOWN),
        (answers(*[None] * 9, FailureKind.SERVER_ERROR), Others.DOWN),
        (answers(*[CUT] * 9), Others.FAULTY),
        (answers(*[None] * 99, CUT), Others.FAULTY),
        (answers(*[None] * 90, FailureKind.SERVER_ERROR, None), Others.FAULTY),
    ],
)
def test_one_that_is_not_known_to_be_well_is_never_named(
    runs: list[Answer], others: Others
) -> None:
    assert find({"b": runs}) == Alternatives(others=others)
    assert names(find({"b": runs, "c": good()})) == "C"


def test_one_that_we_missed_once_ourselves_is_named_all_the_same() -> None:
    assert names(find({"b": answers(*[None] * 9, FailureKind.OVERRUN)})) == "B"


def test_neither_the_bad_one_nor_one_in_an_open_incident_or_in_maintenance() -> None:
    assert find({}) == Alternatives(others=Others.NONE)
    assert find({"b": good()}, covered={"s/a", "s/b"}) == Alternatives(others=Others.FAULTY)
    assert find({"b": good()}, paused={"s/b"}) == Alternatives(others=Others.UNKNOWN)


def test_the_others_are_all_down_only_where_each_of_them_is() -> None:
    down = answers(FailureKind.SERVER_ERROR)
    assert find({"b": down, "c": down}).others is Others.DOWN
    assert find({"b": down, "c": answers(CUT)}).others is Others.FAULTY
    assert find({"b": down, "c": []}).others is Others.UNKNOWN


def test_where_a_cdn_cuts_long_calls_one_that_is_known_to_cut_comes_last() -> None:
    cut = replace(BEGUN, failure=Failure(FailureKind.EDGE_TIMEOUT, ""))
    assert names(find({"f": good(10), "b": good(900)})) == "FB"
    assert names(find({"f": good(10), "b": good(900)}, cut)) == "BF"
