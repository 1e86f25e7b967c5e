"""The chart of a day says of each half hour what its runs say, whichever of them are rolled up."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.store.chart import POINTS, Chart, points
from monitor.store.tally import HALVES, POINT, Tally
from monitor.store.times import EPOCH
from monitor.store.varint import pack

FIRST = 490_000
"""A unix hour."""
numbers = st.lists(st.integers(0, 30_000), min_size=HALVES * POINT, max_size=HALVES * POINT)
silent = st.just([0] * HALVES * POINT)
plain = numbers.map(lambda found: [0 if at % POINT in {2, 3} else n for at, n in enumerate(found)])
hours = st.dictionaries(st.integers(FIRST - 30, FIRST + 1), numbers | plain | silent, max_size=8)


class Drawn(Tally):
    """With these points."""

    def __init__(self, given: list[int]) -> None:
        super().__init__()
        self.given = given

    def points(self) -> list[int]:
        return self.given


@given(over=hours, going_on=hours, later=st.integers(0, 3))
def test_a_chart_that_is_kept_says_what_one_that_is_drawn_anew_says(
    over: dict[int, list[int]], going_on: dict[int, list[int]], later: int
) -> None:
    kept = Chart({hour: pack(found) for hour, found in over.items()})
    for half in range(later + 1):
        now = EPOCH + FIRST * timedelta(hours=1) + half * timedelta(minutes=30)
        shown = dict([*going_on.items()][:half])
        halves = {
            HALVES * hour + at: found[at * POINT : (at + 1) * POINT]
            for hour, found in (over | shown).items()
            for at in range(HALVES)
        }
        found = kept.points({hour: Drawn(given) for hour, given in shown.items()}, now)
        assert found == points(halves, now)
        assert len(found) == POINTS
