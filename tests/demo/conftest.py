"""The simulated service in this process, with faults forced by hand."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import trustme
from demo_cast import Demo, Forced

from monitor import config
from monitor.agent.signature import new_key
from monitor.config import Config
from monitor.demo.endpoints import CA_FILE, HUB, PLACES
from monitor.demo.faults import ENDPOINT_IDS
from monitor.demo.launcher import config_text, environment
from monitor.demo.service import serving
from monitor.probes.wire.client import Client


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    forced = Forced()
    async with (
        serving(tmp_path, seconds=forced.seconds, script=forced.script, rng=Random(3)) as addresses,
        Client() as client,
    ):
        text = config_text(
            channel=addresses.channel,
            listen="127.0.0.1:0",
            page_url="http://127.0.0.1:8080/",
            resolver=addresses.resolver,
        )
        env = environment(addresses.endpoints, ca_file=tmp_path / CA_FILE, key=addresses.key)
        loaded = config.parse(text, path=tmp_path / "monitor.toml", env=env)
        yield Demo(addresses, tmp_path / CA_FILE, forced, loaded, client)


@pytest.fixture
def loaded(tmp_path: Path) -> Config:
    """The demo's config with addresses that nobody answers."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / CA_FILE))
    urls = {name: f"https://127.0.0.1:{4430 + n}" for n, name in enumerate(ENDPOINT_IDS)}
    text = config_text(
        channel="http://127.0.0.1:1/",
        listen="127.0.0.1:8080",
        page_url="http://127.0.0.1:8080/",
        resolver="127.0.0.1:53",
        keys={place.id: new_key().public for place in PLACES if place is not HUB},
    )
    env = environment(urls, ca_file=tmp_path / CA_FILE, key="demo-key")
    return config.parse(text, path=tmp_path / "monitor.toml", env=env)
