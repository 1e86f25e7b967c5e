"""Every failure kind, caused by a real server and told by the whole way from the socket to the result."""

from pathlib import Path
from random import Random

import pytest
from every_kind import CASES, Where

from monitor.clock import SystemClock
from monitor.model import Check, Endpoint, FailureKind, Redactor, Secret
from monitor.probes import PROBES, attempt
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
    assert set(CASES) | NOT_FROM_A_SERVER | DIAGNOSED == set(FailureKind)


@pytest.mark.parametrize("kind", SLOW)
async def test_a_server_that_causes_it_is_told_by_its_name(
    kind: FailureKind, tmp_path: Path
) -> None:
    case = CASES[kind]
    async with case.opening(tmp_path) as where, Client(where.resolve) as client:
        attempted = await attempt(
            check_of(kind, where),
            habit=case.habit,
            client=client,
            clock=SystemClock(),
            rng=Random(1),
            vantage="here",
            redact=Redactor(),
        )
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
