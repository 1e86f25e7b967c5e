"""The pages of a crowd take a small part of one core, and leave room for probes between them."""

from datetime import timedelta

import pytest

from monitor.page import RenderThrottle


class World:
    """A clock that making files moves, and the rests that were taken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []
        self.pace = RenderThrottle(lambda: self.now, self.rests.append)

    def make(self, name: str, seconds: float, *, hurry: bool = False) -> bytes:
        def content() -> bytes:
            self.now += seconds
            return name.encode()

        return self.pace.make(name, content, hurry=hurry)


@pytest.fixture
def world() -> World:
    return World()


def test_a_thousand_pages_of_two_milliseconds_follow_in_about_a_minute(world: World) -> None:
    for number in range(1000):
        assert world.make(f"{number}", 0.002) == f"{number}".encode()
    assert world.pace.patience.total_seconds() == pytest.approx(66.7, abs=0.1)


def test_small_crowds_wait_forty_seconds(world: World) -> None:
    assert world.pace.patience == timedelta(seconds=40)
    for number in range(100):
        world.make(f"{number}", 0.002)
    assert world.pace.patience == timedelta(seconds=40)


def test_what_counts_is_what_each_took_last_and_what_is_still_there(world: World) -> None:
    for number in range(100):
        world.make(f"{number}", 0.05)
    assert world.pace.patience.total_seconds() == pytest.approx(5 / 0.03)
    for number in range(50):
        world.make(f"{number}", 0.03)
    assert world.pace.patience.total_seconds() == pytest.approx(4 / 0.03)
    for number in range(50):
        world.pace.forget(f"{number}")
    world.pace.forget("never made")
    assert world.pace.patience.total_seconds() == pytest.approx(2.5 / 0.03)


def test_after_each_file_it_rests_as_long_unless_there_is_hurry(world: World) -> None:
    world.make("a", 0.002)
    world.make("b", 0.0)
    world.make("c", 0.003, hurry=True)
    assert world.rests == pytest.approx([0.002])


def test_who_was_kept_from_it_neither_counts_that_nor_rests_as_long(world: World) -> None:
    world.make("a", 3600)
    assert world.rests == [0.1]
    assert world.pace.patience == timedelta(seconds=40)
