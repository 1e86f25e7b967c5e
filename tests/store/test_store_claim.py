"""One daemon a store: a second one would write over the first one's history."""

from contextlib import closing
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import CHAT, NOON, entry, opened, streamed

from monitor.model import StoreError
from monitor.store import Store


@pytest.mark.parametrize("name", ["monitor.db", "link.db"])
async def test_a_second_daemon_is_refused_while_the_first_one_runs(
    tmp_path: Path, clock: HandClock, name: str
) -> None:
    path = tmp_path / "monitor.db"
    (tmp_path / "link.db").symlink_to(path)
    first, second = (
        Store(f"sqlite:///{address}", clock=clock) for address in (path, tmp_path / name)
    )
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


@pytest.mark.parametrize("folder", ["", "elsewhere"])
async def test_a_hard_link_of_a_store_is_the_same_store(
    tmp_path: Path, clock: HandClock, folder: str
) -> None:
    """In the same folder it is also read as the same one; elsewhere its journal cannot be found."""
    path, link = tmp_path / "monitor.db", tmp_path / folder / "other.db"
    link.parent.mkdir(exist_ok=True)
    async with opened(f"sqlite:///{path}", clock) as store:
        store.record(entry(streamed()))
        await store.flush()
        link.hardlink_to(path)
        with pytest.raises(StoreError, match="is in use by another monitor; stop that one first"):
            Store(f"sqlite:///{link}", clock=clock).open()
        if not folder:
            with closing(Store.read_only(f"sqlite:///{link}")) as reader:
                assert reader.results(CHAT, since=NOON) == (streamed(),)
    async with opened(f"sqlite:///{link}", clock) as store:
        assert await store.results(CHAT, since=NOON) == (streamed(),)
        with pytest.raises(StoreError, match="is in use by another monitor"):
            Store(f"sqlite:///{path}", clock=clock).open()
