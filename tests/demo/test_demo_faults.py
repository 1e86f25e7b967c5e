"""Laws of the script of faults."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo import faults
from monitor.demo.endpoints import ENDPOINTS, HUB, PLACES, SHANGHAI
from monitor.demo.faults import (
    CYCLE,
    ENDPOINT_IDS,
    SCRIPT,
    SimulatedFault,
    describe,
    fault_at,
    faults_now,
    no_faults,
)

PLACE_IDS = tuple(place.id for place in PLACES)
EVERYWHERE = [step for step in SCRIPT if step.places == PLACE_IDS]
LETTERS = {
    SimulatedFault.BAD_GATEWAY: "G",
    SimulatedFault.REFUSED: "R",
    SimulatedFault.SLOW: "S",
    SimulatedFault.CUT: "C",
    SimulatedFault.EXPIRED: "X",
    SimulatedFault.BUFFERED: "B",
    SimulatedFault.KEY_REJECTED: "K",
}
DEGRADING = {SimulatedFault.SLOW, SimulatedFault.CUT, SimulatedFault.BUFFERED}
CHAT_EVERY = 4
EMBEDDINGS_EVERY = 6
moments = st.floats(min_value=0, max_value=100 * CYCLE)


def test_the_drawing_in_the_docstring_is_the_script() -> None:
    drawn = [line.split() for line in (faults.__doc__ or "").splitlines()]
    alone = ["cf-worker", line_of("cf-worker", SHANGHAI.id, {SimulatedFault.POISONED: "P"})]
    wanted = [*([name, line_of(name, HUB.id, LETTERS)] for name in ENDPOINT_IDS), alone]
    assert [line for line in drawn if line and line[0] in ENDPOINT_IDS] == wanted


def line_of(endpoint: str, place: str, letters: dict[SimulatedFault, str]) -> str:
    """Draw a cycle of one endpoint, as it is seen from a place, with the faults that have letters."""
    seen = (fault_at(second, endpoint, place) for second in range(0, CYCLE, 4))
    return "".join(letters.get(fault, ".") if fault else "." for fault in seen)


def test_one_base_url_fails_from_shanghai_alone_and_soon_enough_to_be_seen_in_three_minutes() -> (
    None
):
    alone = [step for step in SCRIPT if step not in EVERYWHERE]
    assert [(step.endpoints, step.places) for step in alone] == [(("cf-worker",), (SHANGHAI.id,))]
    assert (alone[0].begin, alone[0].end) == (48, 140)


@given(moments, st.sampled_from(ENDPOINT_IDS), st.sampled_from(PLACE_IDS))
def test_it_repeats_every_other_cycle(second: float, endpoint: str, place: str) -> None:
    whole = int(second)
    assert fault_at(whole, endpoint, place) == fault_at(whole + 2 * CYCLE, endpoint, place)


@given(moments, st.sampled_from(PLACE_IDS))
def test_one_endpoint_works_from_each_place_unless_the_key_is_rejected_by_all(
    second: float, place: str
) -> None:
    seen = [fault_at(second, endpoint, place) for endpoint in ENDPOINT_IDS]
    assert None in seen or {*seen} == {SimulatedFault.KEY_REJECTED}


@given(moments, st.sampled_from(ENDPOINT_IDS), st.sampled_from(PLACE_IDS))
def test_the_calm_script_has_no_fault(second: float, endpoint: str, place: str) -> None:
    assert no_faults(second, endpoint, place) is None


def test_two_cycles_show_every_fault_of_the_script() -> None:
    seen = {fault_at(second, name, HUB.id) for second in range(2 * CYCLE) for name in ENDPOINT_IDS}
    assert seen == {None, *LETTERS, SimulatedFault.RESET, SimulatedFault.WRONG_NAME}


def test_each_fault_lasts_until_it_is_believed() -> None:
    """Bad runs needed: 3 for down, 5 for degraded, 2 more before a burst counts; 2 for the key."""
    slow_run = 2 * CHAT_EVERY  # it outlasts one interval, so every other run is left out
    needed = {
        SimulatedFault.BAD_GATEWAY: 3 * EMBEDDINGS_EVERY,
        SimulatedFault.REFUSED: 3 * EMBEDDINGS_EVERY,
        SimulatedFault.EXPIRED: 3 * EMBEDDINGS_EVERY,
        SimulatedFault.SLOW: CHAT_EVERY + 4 * slow_run,
        SimulatedFault.CUT: 5 * CHAT_EVERY,
        SimulatedFault.BUFFERED: 7 * CHAT_EVERY,
        SimulatedFault.KEY_REJECTED: 2 * EMBEDDINGS_EVERY,
    }
    short = [step for step in EVERYWHERE if step.end - step.begin < needed[step.faults[0]]]
    assert short == []


def test_between_two_faults_of_one_severity_there_is_time_to_recover() -> None:
    degrading = [step for step in EVERYWHERE if step.faults[0] in DEGRADING]
    others = [step for step in EVERYWHERE if step.faults[0] not in DEGRADING]
    gaps = [
        later.begin - earlier.end
        for steps in (degrading, others)
        for earlier, later in pairwise(steps)
        if earlier.faults != (SimulatedFault.BAD_GATEWAY,)  # the outage is of two proxies at once
    ]
    assert min(gaps) >= 2 * EMBEDDINGS_EVERY
    assert CYCLE - SCRIPT[-1].end + SCRIPT[0].begin >= 2 * EMBEDDINGS_EVERY


def test_the_first_incident_is_soon_and_short() -> None:
    first = SCRIPT[0]
    assert first.begin + 3 * CHAT_EVERY < 40
    assert first.end + 2 * EMBEDDINGS_EVERY < 180


@pytest.mark.parametrize(
    ("second", "line"),
    [
        (0, "all endpoints are well"),
        (20, "proxy-1 answers 502; proxy-2 refuses connections"),
        (CYCLE + 20, "proxy-1 answers 502; proxy-2 resets connections"),
        (100, "cf-worker resolves to a false address from Shanghai"),
        (CYCLE + 100, "cf-worker resets connections from Shanghai"),
        (210, "every endpoint rejects the key"),
    ],
)
def test_what_the_script_does_is_told_in_a_line(second: float, line: str) -> None:
    assert describe(faults_now(fault_at, second)) == line


def test_the_script_and_the_list_of_endpoints_know_the_same_endpoints() -> None:
    assert tuple(endpoint.id for endpoint in ENDPOINTS) == ENDPOINT_IDS
