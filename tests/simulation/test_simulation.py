"""The laws of `invariants.py` hold of every history that a seed can draw, and notice known faults."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from double import MemoryStore
from invariants import LAWS, broken
from mutants import MUTANTS
from planted import Mutant
from real import RealStore, still
from run import SMALL, WITH_PEOPLE, Figures, judge
from seen import look
from simulate import Simulation
from stage import Clock
from truth import Sizes

SHORT = replace(SMALL, days=1.5)

_OFTEN = 4
"""Every so many of the mutants are tried in CI, the others in `make proof`."""
_EACH = [
    pytest.param(mutant, marks=[pytest.mark.proof] if place % _OFTEN else [])
    for place, mutant in enumerate(MUTANTS)
]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))]
)
def test_no_law_is_broken(seed: int) -> None:
    verdict = judge(seed, SHORT)
    assert not verdict.complaints, verdict
    assert verdict.figures.probes > 20_000
    assert verdict.figures.taken > 0


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 12))]
)
def test_no_law_is_broken_where_people_take_part(seed: int) -> None:
    verdict = judge(seed, WITH_PEOPLE, whole_cycle=False)
    assert not verdict.complaints, verdict
    assert verdict.figures.asked > 5
    assert verdict.figures.answers > 20
    assert verdict.figures.readers > 5


def test_a_seed_replays_to_the_letter() -> None:
    sizes = replace(SHORT, days=0.5)
    one, other = judge(11, sizes), judge(11, sizes)
    assert replace(one.figures, seconds=0) == replace(other.figures, seconds=0)
    assert one.tail == other.tail


@pytest.mark.slow
def test_the_line_that_is_printed_is_all_that_a_replay_needs() -> None:
    verdict = judge(21, Sizes(days=0.5, services=1, endpoints=4, crashes=20, outages=2))
    root = Path(__file__).parents[2]
    again = subprocess.run(
        [sys.executable, *verdict.line.split()[1:]],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    assert str(verdict.figures).rpartition(",")[0] in again.stdout
    assert verdict.figures.deaths


@pytest.mark.slow
def test_judging_alone_gives_what_the_whole_cycle_gives() -> None:
    """But where a key is turned away, for then the cycle asks less often."""
    whole, brief = judge(13, SHORT), judge(13, SHORT, whole_cycle=False)
    assert whole.figures.incidents
    assert replace(whole.figures, seconds=0) == replace(brief.figures, seconds=0)


@pytest.mark.slow
def test_the_store_in_memory_is_true_to_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still(monkeypatch)
    clock = Clock()
    real = Simulation(5, SHORT, store=RealStore(tmp_path, clock), clock=clock)
    double = Simulation(5, SHORT, store=MemoryStore())
    assert real.run().sends == double.run().sends
    incidents, rows, counts = real.store.finals()
    assert (incidents, dict(rows)) == double.store.finals()[:2]
    assert {check: dict(count) for check, count in counts.items()} == {
        check: dict(count) for check, count in double.store.finals()[2].items()
    }
    assert list(real.history.runs) == list(double.history.runs)
    assert len(real.history.deaths) > 2
    real.store.end()


@pytest.mark.slow
def test_three_days_with_the_real_store() -> None:
    verdict = judge(1, Sizes(days=3, services=2, endpoints=3, crashes=24), real=True)
    assert not verdict.complaints, verdict
    assert verdict.figures.deaths > 10


@pytest.mark.proof
def test_thirty_days_of_a_hundred_endpoints() -> None:
    sizes = Sizes(days=30, services=10, endpoints=10, outages=0.2)
    verdict = judge(2, sizes, whole_cycle=False)
    print(f"\n{verdict.figures}")
    assert not verdict.complaints, verdict
    assert verdict.figures.probes > 4_250_000


@pytest.mark.slow
@pytest.mark.parametrize("mutant", _EACH, ids=[mutant.name for mutant in MUTANTS])
def test_a_known_fault_breaks_a_law(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.put(monkeypatch)
    seeds, sizes = (range(20, 32), SHORT) if mutant.seed is None else ((mutant.seed,), SMALL)
    sizes = WITH_PEOPLE if mutant.people else sizes
    caught = next((law for seed in seeds if (law := _first_broken(seed, sizes))), None)
    print(f"\n{mutant.name}: {caught}")
    assert caught, f"no law notices that {mutant.name}"


def _first_broken(seed: int, sizes: Sizes) -> str | None:
    """Return a law that is broken. An exception is none: then the fault was not put in as it should be."""
    sim = Simulation(seed, sizes, whole_cycle=False)
    sim.run()
    return next(iter(broken(look(sim))), None)


@pytest.mark.proof
def test_two_hundred_seeds_with_people() -> None:
    verdicts = (judge(seed, WITH_PEOPLE, whole_cycle=seed % 4 == 0) for seed in range(200))
    assert not [verdict.line for verdict in verdicts if verdict.complaints]


@pytest.mark.proof
def test_a_thousand_seeds() -> None:
    total, bad = Figures(), []
    for seed in range(1000, 2000):
        verdict = judge(seed, whole_cycle=seed % 4 == 0)
        total += verdict.figures
        if verdict.complaints:
            bad.append(verdict.line)
            print(verdict)
    print(f"\n{len(LAWS)} laws, 1000 seeds: {total}")
    assert not bad
    assert total.deaths > 10_000
