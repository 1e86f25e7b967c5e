"""The names of the demo, asked over real sockets: a place that is given a false address finds it out."""

import asyncio
import socket
from dataclasses import replace
from random import Random

import pytest
from demo_cast import Demo

from monitor.clock import SystemClock
from monitor.cycle import with_explanation
from monitor.daemon.components import make_path_diagnosis
from monitor.demo.endpoints import SHANGHAI
from monitor.demo.faults import SimulatedFault
from monitor.demo.faulty_listener import HOST, host_name
from monitor.demo.name_server import FALSE_ADDRESS, resolver_of, serving_names
from monitor.model import Failure, FailureKind, Habit, Redactor, Result
from monitor.probes import attempt
from monitor.probes.wire.client import Client
from monitor.probes.wire.resolver import Resolve

WORKER = host_name("cf-worker")


async def test_a_name_server_lies_about_one_name_and_knows_no_strangers() -> None:
    async with serving_names(lambda endpoint: endpoint == "cf-worker") as port:
        resolve = resolver_of(port)
        assert await _address(resolve, WORKER) == (FALSE_ADDRESS, 443)
        assert await _address(resolve, host_name("Us-Direct")) == (HOST, 443)
        for name in ("localhost", "example.org"):
            with pytest.raises(socket.gaierror) as caught:
                await _address(resolve, name)
            assert caught.value.errno == socket.EAI_NONAME


async def test_a_name_server_that_is_gone_is_no_denial_of_the_name() -> None:
    async with serving_names(lambda _: False) as port:
        resolve = resolver_of(port)
    with pytest.raises(socket.gaierror) as caught:
        await _address(resolve, WORKER)
    assert caught.value.errno == socket.EAI_AGAIN


async def _address(resolve: Resolve, name: str) -> tuple[str, int]:
    (info,) = await asyncio.to_thread(resolve, name, 443)
    address: tuple[str, int] = info[4]
    return address


async def test_a_probe_at_a_false_address_is_explained_by_the_resolver_that_does_not_lie(
    demo: Demo,
) -> None:
    demo.forced.faults["cf-worker"] = SimulatedFault.POISONED
    resolver = demo.addresses.resolver
    assert (await _by_name(demo, "cf-worker")).failure == Failure(
        FailureKind.DNS_POISONED,
        f"got {FALSE_ADDRESS} for {WORKER} here, while {resolver} says {HOST}, where a valid certificate for the name"
        " came: a false answer on the way is suspected; another resolver or base URL helps",
    )
    assert (await _by_name(demo, "us-direct")).failure is None
    demo.forced.faults.clear()
    assert (await _by_name(demo, "cf-worker")).failure is None


async def _by_name(demo: Demo, endpoint: str) -> Result:
    """Run the free check of an endpoint as it is run in Shanghai: by name, and explained."""
    check = next(each for each in demo.config.checks if each.key == f"demo/{endpoint}/models")
    url = check.endpoint.url.replace(HOST, host_name(endpoint))
    check = replace(check, endpoint=replace(check.endpoint, url=url))
    resolve = resolver_of(demo.addresses.name_servers[SHANGHAI.id])
    redact = Redactor(demo.config.secrets)
    doctor = make_path_diagnosis(demo.config, SystemClock(), redact, resolve)
    async with Client(resolve) as client:
        attempted = await attempt(
            check,
            habit=Habit(),
            client=client,
            clock=SystemClock(),
            rng=Random(1),
            vantage=SHANGHAI.id,
            redact=redact,
        )
        try:
            return (await with_explanation(doctor, check, attempted)).result
        finally:
            await doctor.close()
