"""Percentiles of a look are those of the histograms behind it, however they are found."""

import gc
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_cast import CHAT, NOON, entry, opened, streamed

from monitor.clock import Clock
from monitor.model import Rollup
from monitor.model.rollup import merge, quantile
from monitor.store import Reader
from monitor.store.answers import Nested, SummedFigures
from monitor.store.lanes import Lanes

histograms = st.dictionaries(st.integers(-300, 900), st.integers(1, 10**6), min_size=1, max_size=30)
figures = st.dictionaries(st.sampled_from(["ttfb", "ttft", "total"]), histograms, max_size=3)
windows = st.lists(st.lists(figures, max_size=3), min_size=1, max_size=4)
quantiles = st.sampled_from([0.5, 0.95, 0.99]) | st.floats(0, 1)


@given(own=windows, wanted=st.sets(st.sampled_from(["ttfb", "ttft", "total"])), q=quantiles)
def test_a_window_answers_for_its_own_rollups_and_for_those_of_the_windows_within(
    own: list[list[dict[str, dict[int, int]]]], wanted: set[str], q: float
) -> None:
    parts = [[{n: Lanes.of_histogram(h) for n, h in each.items()} for each in some] for some in own]
    nested = Nested(parts, wanted)
    for at in reversed(range(len(own))):
        inside = [Rollup(figures=each) for some in own[: at + 1] for each in some]
        whole = {name: found for name, found in merge(inside).figures.items() if name in wanted}
        found = Rollup(figures=SummedFigures(nested, at))
        assert dict(found.figures) == whole
        assert len(found.figures) == len(whole)
        for name in ("ttfb", "ttft", "total"):
            expected = quantile(whole.get(name, {}), q)
            assert (found.quantile(name, q), found.quantile(name, q)) == (expected, expected)


@given(histogram=histograms, rank=st.integers(1, 2**31))
def test_each_rank_has_its_value(histogram: dict[int, int], rank: int) -> None:
    """Also where counts add up to more than half of what a lane holds."""
    histogram = {bucket: count * 70 for bucket, count in histogram.items()}
    found = sorted(Counter(histogram).items())
    rank = 1 + rank % sum(histogram.values())
    q = (rank - 0.5) / sum(histogram.values())
    assert math.ceil(q * sum(histogram.values())) == rank
    upto, expected = 0, None
    for bucket, count in found:
        if upto < rank <= upto + count:
            expected = quantile({bucket: 1}, 0.5)
        upto += count
    assert Lanes.of_histogram(histogram).quantiles((q,)) == [expected]


@contextmanager
def searched(eagerly: int) -> Iterator[list[str]]:
    """Each search for garbage, of which there is one for every so many new objects."""
    found: list[str] = []

    def note(phase: str, _: object) -> None:
        found.append(phase)

    before = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(eagerly)
    try:
        yield found
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(note)


@pytest.mark.parametrize("collecting", [True, False])
async def test_what_a_look_makes_is_not_searched_for_garbage_while_it_grows(
    tmp_path: Path, url: str, clock: Clock, collecting: bool
) -> None:
    async with opened(url, clock) as store:
        for run in range(200):
            store.record(entry(streamed(NOON - run * timedelta(seconds=5))))
        await store.flush()
    reader = Reader(url)
    if not collecting:
        gc.disable()
    try:
        with searched(eagerly=50) as found:
            seen = reader.snapshot(NOON)
        assert gc.isenabled() == collecting
    finally:
        gc.enable()
    assert len(seen.checks[CHAT].recent) == 200
    assert len(found) < 40
    reader.close()
