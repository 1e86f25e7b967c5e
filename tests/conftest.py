"""Fixtures that every test may ask for, and which tests run; the cast itself is in cast.py."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cast import CORPUS, HandClock
from hypothesis import HealthCheck, Phase, is_hypothesis_test, settings
from purity import is_pure

# The program is started some hundred times: it is compiled once, whatever the shell asks for.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

FEW = 10
"""So many examples of each law are enough while one writes."""
settings.register_profile("unhurried", deadline=None, max_examples=40)  # `make proof` asks far more
settings.load_profile("unhurried")
settings.register_profile(  # for many runs of one test, each of which may fail: see tests/mutation.py
    "quick",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=30,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", action="store_true", help="rewrite the golden pages, then look at the diff"
    )
    parser.addoption(
        "--laws", type=int, metavar="N", help="the laws alone, each with N times as many examples"
    )

    parser.addoption(
        "--pure", action="store_true", help="the tests alone that open nothing; see purity.py"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    path = collection_path
    is_test = path.name.startswith("test_") or path.is_dir()
    return True if config.getoption("--pure") and is_test and not is_pure(path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    laws = [item for item in items if is_hypothesis_test(getattr(item, "obj", None))]
    times = config.getoption("--laws")
    for law in {law.obj for law in laws if isinstance(law, pytest.Function)}:
        own = law._hypothesis_internal_use_settings
        most = min(own.max_examples, FEW) if config.getoption("--pure") else own.max_examples
        law._hypothesis_internal_use_settings = settings(own, max_examples=most * (times or 1))
    if times is not None:
        config.hook.pytest_deselected(items=[item for item in items if item not in laws])
        items[:] = laws


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip(f"the recorded corpus is not at {CORPUS}")
    return CORPUS


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own clock is not set to UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()
