"""Rollups while they grow, and as bytes.

A `Tally` adds in place what `Rollup` would copy each time. The bytes hold counts first, then each
figure's histogram as steps between buckets, one byte for most; histograms of a stored rollup are
read only when somebody asks, because ninety days of them for every check would fill the memory.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from monitor.model import Rollup
from monitor.model.rollup import FIGURES, Histogram
from monitor.store.codec import Run
from monitor.store.varint import pack, take, unpack, unzigzag, zigzag

_OUTCOMES = ("up", "degraded", "down", "unknown")


class Tally:
    __slots__ = ("_cost", "_counts", "_figures", "_kinds", "_outcomes")

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._counts = [0, 0, 0, 0, 0]  # maintenance, late, missed, tokens in, tokens out
        self._cost = 0
        self._figures: dict[str, dict[int, int]] = {}

    def add_run(self, run: Run) -> None:
        self.add(Rollup.of(run.result, in_maintenance=run.in_maintenance))
        self._counts[2] += run.missed

    def add(self, rollup: Rollup) -> None:
        for name, count in rollup.outcomes.items():
            self._outcomes[name] += count
        for name, count in rollup.kinds.items():
            self._kinds[name] += count
        counts = self._counts
        counts[0] += rollup.maintenance
        counts[1] += rollup.late
        counts[2] += rollup.missed
        counts[3] += rollup.tokens_in
        counts[4] += rollup.tokens_out
        self._cost += rollup.cost_e8
        for name, histogram in rollup.figures.items():
            mine = self._figures.setdefault(name, {})
            for bucket, count in histogram.items():
                mine[bucket] = mine.get(bucket, 0) + count

    def rollup(self) -> Rollup:
        maintenance, late, missed, tokens_in, tokens_out = self._counts
        return Rollup(
            outcomes=dict(self._outcomes),
            kinds=dict(self._kinds),
            maintenance=maintenance,
            late=late,
            missed=missed,
            figures={name: dict(histogram) for name, histogram in self._figures.items()},
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_e8=self._cost,
        )


def to_bytes(rollup: Rollup) -> bytes:
    kinds = ",".join(f"{name}={count}" for name, count in sorted(rollup.kinds.items())).encode()
    head = pack(
        (
            *(rollup.outcomes.get(name, 0) for name in _OUTCOMES),
            rollup.maintenance, rollup.late, rollup.missed,
            max(rollup.tokens_in, 0), max(rollup.tokens_out, 0), max(rollup.cost_e8, 0),
            len(kinds),
        )
    )  # fmt: skip
    return head + kinds + b"".join(_figure(rollup, place) for place in range(len(FIGURES)))


def from_bytes(data: bytes) -> Rollup:
    head: list[int] = []
    start = 0
    while len(head) < 11:
        number, start = take(data, start)
        head.append(number)
    kinds = data[start : start + head[10]].decode()
    return Rollup(
        outcomes={name: count for name, count in zip(_OUTCOMES, head, strict=False) if count},
        kinds={
            name: int(count)
            for name, count in (pair.split("=") for pair in kinds.split(",") if pair)
        },
        maintenance=head[4],
        late=head[5],
        missed=head[6],
        figures=StoredFigures(data, start + head[10]),
        tokens_in=head[7],
        tokens_out=head[8],
        cost_e8=head[9],
    )


class StoredFigures(Mapping[str, Histogram]):
    """Histograms that stay bytes until they are asked for."""

    __slots__ = ("_data", "_start")

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start

    def __getitem__(self, name: str) -> Histogram:
        for found, body in self._parts():
            if found == name:
                return _histogram(body)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._parts())

    def __len__(self) -> int:
        return sum(1 for _ in self._parts())

    def _parts(self) -> Iterator[tuple[str, bytes]]:
        start = self._start
        while start < len(self._data):
            place, start = take(self._data, start)
            length, start = take(self._data, start)
            yield FIGURES[place], self._data[start : start + length]
            start += length


def _figure(rollup: Rollup, place: int) -> bytes:
    histogram = rollup.figures.get(FIGURES[place])
    if not histogram:
        return b""
    numbers: list[int] = []
    previous = min(histogram)
    numbers.append(zigzag(previous))
    for bucket in sorted(histogram):
        count = histogram[bucket]
        numbers.append((bucket - previous) << 1 | (count > 1))
        if count > 1:
            numbers.append(count)
        previous = bucket
    body = pack(numbers)
    return pack((place, len(body))) + body


def _histogram(body: bytes) -> Histogram:
    numbers = iter(unpack(body))
    bucket = unzigzag(next(numbers))
    histogram: dict[int, int] = {}
    for step in numbers:
        bucket += step >> 1
        histogram[bucket] = next(numbers) if step & 1 else 1
    return histogram
