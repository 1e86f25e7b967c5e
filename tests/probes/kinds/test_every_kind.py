"""Every failure kind, caused by a real server and told by the whole way from the socket to the result."""

from pathlib import Path

import pytest
from every_kind import CASES, Where
from run_check import run_check

from monitor.model import Check, Endpoint, FailureKind, Secret
from monitor.probes import PROBES
from monitor.probes.wire.client import Client

NOT_FROM_A_SERVER = {
    FailureKind.BUDGET_PAUSED,  # tests/test_budget.py
    FailureKind.BALANCE_LOW,  # tests/alerts/test_policies.py
    FailureKind.INTERNAL,  # tests/probes/test_attempt.py
}
DIAGNOSED = {
    FailureKind.DNS_POISONED,
    FailureKind.SNI_BLOCKED,
    FailureKind.OFFLINE,
    FailureKind.RESOLVER_FAILED,
    FailureKind.CLOCK_WRONG,
}
SLOW = [pytest.param(kind, marks=pytest.mark.slow if CASES[kind].slow else ()) for kind in CASES]


def test_no_kind_is_missing() -> None:
    remedy = "want a server that causes it in CASES (tests/probes/every_kind.py), or its place here"
    assert set(CASES) | NOT_FROM_A_SERVER | DIAGNOSED == set(FailureKind), remedy


@pytest.mark.parametrize("kind", SLOW)
async def test_a_server_that_causes_it_is_told_by_its_name(
    kind: FailureKind, tmp_path: Path
) -> None:
    case = CASES[kind]
    async with case.opening(tmp_path) as where, Client(where.resolve) as client:
        attempted = await run_check(check_of(kind, where), client, habit=case.habit)
        if attempted.result.failure is None and not attempted.result.trusted_timings:
            # This machine was busy, and a run that our own lag spoils is not called bad.
            attempted = await run_check(check_of(kind, where), client, habit=case.habit)
    got = attempted.result.failure
    assert got is not None
    assert got.kind is kind, got.message
    assert attempted.result.outcome is kind.outcome
    assert got.message.startswith(("got ", "ttfb ", "total ")), got.message


def check_of(kind: FailureKind, where: Where) -> Check:
    case = CASES[kind]
    endpoint = Endpoint(
        id="e",
        service="s",
        url=where.url,
        name="E",
        ca_file=where.ca_file,
        key=Secret(case.key) if case.key else None,
    )
    probe = PROBES[case.probe](**case.settings)
    return Check(
        service="s", endpoint=endpoint, probe=probe, model="model-x", asked_models=case.asked
    )
