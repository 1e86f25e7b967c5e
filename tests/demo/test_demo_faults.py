"""Laws of the script of faults."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo import faults
from monitor.demo.faults import CYCLE, ENDPOINTS, SCRIPT, Act, act_of, acting, calm, told
from monitor.demo.manners import MANNERS

LETTERS = {
    Act.BAD_GATEWAY: "G",
    Act.REFUSED: "R",
    Act.SLOW: "S",
    Act.CUT: "C",
    Act.EXPIRED: "X",
    Act.BUFFERED: "B",
    Act.KEY_REJECTED: "K",
}
DEGRADING = {Act.SLOW, Act.CUT, Act.BUFFERED}
CHAT_EVERY = 4
EMBEDDINGS_EVERY = 6
moments = st.floats(min_value=0, max_value=100 * CYCLE)


def test_the_drawing_in_the_docstring_is_the_script() -> None:
    drawn = [line.split() for line in (faults.__doc__ or "").splitlines()]
    wanted = [
        [name, "".join(LETTERS.get(act_of(second, name), ".") for second in range(0, CYCLE, 4))]
        for name in ENDPOINTS
    ]
    assert [line for line in drawn if line and line[0] in ENDPOINTS] == wanted


@given(moments, st.sampled_from(ENDPOINTS))
def test_it_repeats_every_other_cycle(second: float, endpoint: str) -> None:
    whole = int(second)
    assert act_of(whole, endpoint) == act_of(whole + 2 * CYCLE, endpoint)


@given(moments)
def test_one_endpoint_works_unless_the_key_is_rejected_by_all(second: float) -> None:
    acts = acting(act_of, second)
    by_key = set(acts.values()) == {Act.KEY_REJECTED}
    assert (len(acts) == len(ENDPOINTS)) if by_key else (len(acts) < len(ENDPOINTS))


@given(moments, st.sampled_from(ENDPOINTS))
def test_the_calm_script_has_no_fault(second: float, endpoint: str) -> None:
    assert calm(second, endpoint) is None


def test_two_cycles_show_every_fault_of_the_script() -> None:
    seen = {act_of(second, name) for second in range(2 * CYCLE) for name in ENDPOINTS}
    assert seen == {None, *LETTERS, Act.RESET, Act.WRONG_NAME}


def test_each_fault_lasts_until_it_is_believed() -> None:
    """Bad runs needed: 3 for down, 5 for degraded, 2 more before a burst counts; 2 for the key."""
    slow_run = 2 * CHAT_EVERY  # it outlasts one interval, so every other run is left out
    needed = {
        Act.BAD_GATEWAY: 3 * EMBEDDINGS_EVERY,
        Act.REFUSED: 3 * EMBEDDINGS_EVERY,
        Act.EXPIRED: 3 * EMBEDDINGS_EVERY,
        Act.SLOW: CHAT_EVERY + 4 * slow_run,
        Act.CUT: 5 * CHAT_EVERY,
        Act.BUFFERED: 7 * CHAT_EVERY,
        Act.KEY_REJECTED: 2 * EMBEDDINGS_EVERY,
    }
    short = [turn for turn in SCRIPT if turn.end - turn.begin < needed[turn.acts[0]]]
    assert short == []


def test_between_two_faults_of_one_severity_there_is_time_to_recover() -> None:
    degrading = [turn for turn in SCRIPT if turn.acts[0] in DEGRADING]
    others = [turn for turn in SCRIPT if turn.acts[0] not in DEGRADING]
    gaps = [
        later.begin - earlier.end
        for turns in (degrading, others)
        for earlier, later in pairwise(turns)
        if earlier.acts != (Act.BAD_GATEWAY,)  # the outage is of two proxies at once
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
        (210, "every endpoint rejects the key"),
    ],
)
def test_what_the_script_does_is_told_in_a_line(second: float, line: str) -> None:
    assert told(acting(act_of, second)) == line


def test_the_script_and_the_manners_know_the_same_endpoints() -> None:
    assert tuple(manner.id for manner in MANNERS) == ENDPOINTS
