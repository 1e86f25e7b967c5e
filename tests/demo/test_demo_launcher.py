"""Whatever was started ends, also when whoever started it is gone."""

import os
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from monitor import config
from monitor.clock import SystemClock
from monitor.demo.endpoints import READY_FILE, Addresses
from monitor.demo.faults import ENDPOINT_IDS
from monitor.demo.launcher import Simulation
from monitor.model import MonitorError


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_simulation_answers_while_it_is_entered_and_has_ended_after(tmp_path: Path) -> None:
    with Simulation(tmp_path, clock=SystemClock(), port=8099) as simulation:
        process_id = simulation.process_id
        assert is_alive(process_id)
        loaded = config.load(simulation.config_path, simulation.env)
        context = ssl.create_default_context(cafile=simulation.ca_file)
        for url in simulation.addresses.endpoints.values():
            with urllib.request.urlopen(url, context=context) as answer:
                assert answer.status == 200
        assert simulation.current_faults() == "all endpoints are well"
        assert 0 < simulation.elapsed() < 5
    assert not is_alive(process_id)
    assert [endpoint.id for endpoint in loaded.services[0].endpoints] == list(ENDPOINT_IDS)
    assert len(loaded.checks) == 3 * len(ENDPOINT_IDS)
    assert loaded.listen == ("127.0.0.1", 8099)
    assert loaded.page.dir.is_relative_to(tmp_path)
    assert str(tmp_path) in loaded.store


def test_it_ends_when_what_is_inside_fails(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path, clock=SystemClock(), port=8099, is_calm=True)
    seen: list[int] = []

    def interrupted() -> None:
        seen.append(simulation.process_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), simulation:
        interrupted()
    assert [is_alive(process_id) for process_id in seen] == [False]
    simulation.close()


def test_a_service_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").mkdir()
    with (
        pytest.raises(MonitorError, match=r"did not start: IsADirectoryError"),
        Simulation(tmp_path, clock=SystemClock(), port=8099),
    ):
        pass


def test_the_service_ends_when_its_input_closes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor.demo.service", "--dir", str(tmp_path), "--calm"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        ready = tmp_path / READY_FILE
        end = time.monotonic() + 60
        while not ready.exists() and time.monotonic() < end:
            time.sleep(0.02)
        assert list(Addresses.read(ready).endpoints) == list(ENDPOINT_IDS)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(5) == 0
