"""One daemon a store: a second one would write over the first one's history."""

from pathlib import Path

import pytest
from cast import HandClock

from monitor.model import StoreError
from monitor.store import Store


@pytest.mark.parametrize("name", ["monitor.db", "link.db"])
async def test_a_second_daemon_is_refused_while_the_first_one_runs(
    tmp_path: Path, clock: HandClock, name: str
) -> None:
    path = tmp_path / "monitor.db"
    (tmp_path / "link.db").symlink_to(path)
    first, second = (Store(f"sqlite:///{each}", clock=clock) for each in (path, tmp_path / name))
    first.open()
    with pytest.raises(StoreError, match="is in use by another monitor; stop that one first"):
        second.open()

    await first.close()
    second.open()
    await second.close()


def test_a_place_that_cannot_be_written_is_a_sentence(clock: HandClock) -> None:
    with pytest.raises(StoreError, match=r"/proc/monitor/monitor.db cannot be written: "):
        Store("sqlite:////proc/monitor/monitor.db", clock=clock).open()


def test_a_folder_in_the_place_of_the_store_is_a_sentence(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(StoreError, match="cannot be opened: unable to open database file"):
        Store(f"sqlite:///{tmp_path}", clock=clock).open()
