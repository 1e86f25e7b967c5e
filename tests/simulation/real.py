"""The real store under the simulation's time: it commits when the simulation says, and a crash is a
copy of its file, as a power cut would leave it."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from double import Finals

from monitor.clock import Clock
from monitor.model import OutboxMessage, Resolution
from monitor.model.rollup import merge
from monitor.store import Store, writer
from monitor.store.small_tables import MESSAGE


class RealStore(Store):
    def __init__(self, folder: Path, clock: Clock, generation: int = 0) -> None:
        self.folder, self.generation = folder, generation
        self.file = folder / f"{generation:03}.db"
        super().__init__(f"sqlite:///{self.file}", clock=clock)
        self.open()

    async def flush(self) -> None:
        """Also until the writer has done what follows a commit, so that a copy finds it at rest."""
        await super().flush()
        await self._write(lambda _: None)

    def saw(self, check: str, at: datetime) -> None:
        raise AssertionError("the real store sees whole entries only")

    def crashed(self) -> "RealStore":
        heir = RealStore.heir_of(self)
        self.end()
        return heir

    @classmethod
    def heir_of(cls, dead: "RealStore") -> "RealStore":
        for ending in ("", "-wal"):
            source = Path(f"{dead.file}{ending}")
            if source.exists():
                shutil.copy(source, dead.folder / f"{dead.generation + 1:03}.db{ending}")
        return cls(dead.folder, dead._clock, dead.generation + 1)

    def end(self) -> None:
        asyncio.run(self.close())

    def finals(self) -> Finals:
        """Read beside the store, from its file."""
        assert self._reader
        incidents = self._reader.incidents()
        rows: dict[int, tuple[OutboxMessage, str]] = {}
        with closing(sqlite3.connect(self.file)) as connection:
            for number, body, state in connection.execute("select id, body, state from outbox"):
                rows[number] = (MESSAGE.validate_json(body), state)
        counts: dict[str, Counter[str]] = {}
        for known in self._reader.checks():
            hours = self._reader.rollups(known.check, Resolution.HOUR)
            counts[known.check] = Counter(merge(hour.rollup for hour in hours).outcomes)
        return tuple(sorted(incidents, key=lambda incident: incident.id)), rows, counts


def still(patch: pytest.MonkeyPatch) -> None:
    """Nothing is committed before the simulation asks for it."""
    patch.setattr(writer, "_GATHER_S", 1e6)
