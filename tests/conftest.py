"""Fixtures that every test may ask for; the cast itself is in cast.py."""

from pathlib import Path

import pytest
from cast import CORPUS, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip(f"the recorded corpus is not at {CORPUS}")
    return CORPUS
