"""One seed, or many, from one line; exit 1 where a law is broken, with what happened last.

python tests/simulation/run.py --seed 1234 --days 3 --services 2 --endpoints 5
python tests/simulation/run.py --seeds 0:1000
python tests/simulation/run.py --seed 7 --real
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from invariants import broken
from people import READERS
from real import RealStore, still
from seen import look
from simulate import Simulation
from stage import Clock
from truth import Sizes

SMALL = Sizes(days=3, services=2, endpoints=5)
WITH_PEOPLE = Sizes(days=0.8, services=3, endpoints=2, outages=4, people=200)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What one seed did."""

    probes: int = 0
    incidents: int = 0
    sends: int = 0
    taken: int = 0
    unsure: int = 0
    rows: int = 0
    deaths: int = 0
    steps: int = 0
    asked: int = 0
    """Requests of people that were carried out."""
    answers: int = 0
    """What the bot wrote to operators and strangers."""
    readers: int = 0
    """What it wrote to readers."""
    seconds: float = 0.0
    """Of CPU."""

    def __add__(self, other: "Figures") -> "Figures":
        names = self.__dataclass_fields__
        return Figures(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def __str__(self) -> str:
        return (
            f"{self.probes} probes, {self.incidents} incidents, {self.rows} messages decided,"
            f" {self.sends} sends, {self.taken} taken, {self.unsure} of them unsure,"
            f" {self.deaths} crashes, {self.steps} clock steps, {self.seconds:.1f} s CPU"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    line: str
    """Runs it again."""
    figures: Figures
    complaints: tuple[str, ...]
    tail: tuple[str, ...]

    def __str__(self) -> str:
        shown = "\n".join(self.complaints[:_SHOWN])
        more = len(self.complaints) - _SHOWN
        rest = f"\nand {more} more" if more > 0 else ""
        return f"{self.line}\n{self.figures}\n{shown}{rest}\nwhat happened last:\n" + "\n".join(
            self.tail
        )


def judge(
    seed: int, sizes: Sizes = SMALL, *, whole_cycle: bool = True, real: bool = False
) -> Verdict:
    began = time.process_time()
    with _simulation(seed, sizes, whole_cycle=whole_cycle or real, real=real) as sim:
        sim.run()
        seen = look(sim)
        complaints = tuple(broken(seen))
    sends = sim.history.sends
    figures = Figures(
        probes=sim.history.probes,
        incidents=len(seen.incidents),
        sends=len(sends),
        taken=sum(send.accepted for send in sends),
        unsure=sum(send.accepted and not (send.reported and send.safe) for send in sends),
        rows=len(seen.rows),
        deaths=len(sim.history.deaths),
        steps=len(sim.truth.steps),
        asked=len(sim.history.carried),
        answers=sum(heard.chat not in READERS for heard in sim.history.heard),
        readers=sum(heard.chat in READERS for heard in sim.history.heard),
        seconds=time.process_time() - began,
    )
    line = f"python tests/simulation/run.py --seed {seed} {_named(sizes)}"
    line += f"{'' if whole_cycle else ' --brief'}{' --real' if real else ''}"
    return Verdict(line, figures, complaints, tuple(sim.tail))


def _named(sizes: Sizes) -> str:
    people = f" --people {sizes.people:g}" if sizes.people else ""
    return (
        f"--days {sizes.days:g} --services {sizes.services} --endpoints {sizes.endpoints}"
        f" --crashes {sizes.crashes:g} --outages {sizes.outages:g}{people}"
    )


@contextmanager
def _simulation(seed: int, sizes: Sizes, *, whole_cycle: bool, real: bool) -> Iterator[Simulation]:
    if not real:
        yield Simulation(seed, sizes, whole_cycle=whole_cycle)
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        still(patch)
        clock = Clock()
        sim = Simulation(seed, sizes, store=RealStore(Path(folder), clock), clock=clock)
        yield sim
        sim.store.end()


def main() -> int:
    chosen = _arguments()
    sizes = Sizes(
        days=chosen.days,
        services=chosen.services,
        endpoints=chosen.endpoints,
        crashes=chosen.crashes,
        outages=chosen.outages,
        people=chosen.people,
    )
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last)) if last else (chosen.seed,)
    total, bad = Figures(), 0
    for seed in seeds:
        verdict = judge(seed, sizes, whole_cycle=not chosen.brief, real=chosen.real)
        total += verdict.figures
        bad += bool(verdict.complaints)
        if verdict.complaints:
            print(verdict, flush=True)
    print(f"{len(seeds)} seeds, {bad} with a broken law: {total}")
    return bool(bad)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", default="", help="FIRST:LAST, the last one left out")
    parser.add_argument("--days", type=float, default=SMALL.days)
    parser.add_argument("--services", type=int, default=SMALL.services)
    parser.add_argument("--endpoints", type=int, default=SMALL.endpoints, help="of each service")
    parser.add_argument("--crashes", type=float, default=SMALL.crashes, help="a day")
    parser.add_argument("--outages", type=float, default=SMALL.outages, help="a day and endpoint")
    parser.add_argument("--people", type=float, default=0.0, help="what they do at Telegram, a day")
    parser.add_argument(
        "--brief", action="store_true", help="judge and record only, not the whole cycle"
    )
    parser.add_argument("--real", action="store_true", help="the real store, not one in memory")
    return parser.parse_args()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main())
