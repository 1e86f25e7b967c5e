"""A storm: much that breaks at once has one cause, and its news waits longer for the rest."""

from collections.abc import Iterable

import pytest
from alerts_cast import state
from timelines import START

from monitor.alerts import routing
from monitor.model import AlertState, Outcome, Phase


def storm(states: Iterable[AlertState], endpoints: str = "a") -> bool:
    """Four services are watched, each with these endpoints."""
    latest = {
        f"{service}/{endpoint}/x": Outcome.DOWN for service in "stuv" for endpoint in endpoints
    }
    return routing.is_storm(states, latest, START)


def test_three_services_that_begin_to_fail_together_are_a_storm_and_two_are_none() -> None:
    assert storm(state(f"{each}/a/x") for each in "stu")
    assert storm(state(f"{each}/a/x", Phase.SUSPECT, ago=2) for each in "stuv")
    assert not storm(state(f"{each}/a/x") for each in "st")
    assert not storm([*(state(f"s/a/{each}") for each in "xyz"), state("t/a/x")])


@pytest.mark.parametrize(
    "other",
    [
        state("u/a/x", ago=2.1),
        state("u/a/x", Phase.RECOVERING),
        state("u/a/x", rule="degraded"),
        AlertState(check="u/a/x", vantage="local", rule="down", phase=Phase.BAD),
    ],
)
def test_what_failed_before_or_is_only_slow_makes_no_storm(other: AlertState) -> None:
    assert not storm([state("s/a/x"), state("t/a/x"), other])


def test_it_takes_most_base_urls_of_each_of_the_services() -> None:
    def hit(**endpoints: str) -> list[AlertState]:
        return [state(f"{s}/{each}/x") for s, found in endpoints.items() for each in found]

    assert storm(hit(s="ab", t="bc", u="abc"), "abc")
    assert not storm(hit(s="ab", t="ab", u="a"), "abc")
    assert not storm(hit(s="ab", t="ab", u="ab"), "abcd")  # half is not most


def test_a_service_that_nothing_is_known_of_counts_by_what_was_hit() -> None:
    assert routing.is_storm([state(f"{each}/a/x") for each in "stu"], {}, START)
