"""A run fails on its way, and is explained: real probes, name servers, certificates and resets."""

import asyncio
import contextlib
import datetime as dt
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from cast import HandClock
from nameserver import answering, serving_names
from run_check import run_check
from street import HOST, Street, censoring, mute, polite, resetting, telling_time

from monitor.clock import SystemClock
from monitor.cycle import with_explanation
from monitor.diagnosis import DiagnosisSettings, Resolver
from monitor.diagnosis.path_diagnosis import PathDiagnosis
from monitor.model import Check, Endpoint, FailureKind, Fault, Outcome, Proxy
from monitor.probes import PROBES
from monitor.probes.attempt import Attempted
from monitor.probes.wire.client import Client

LIAR, TRUE, SPARE, OTHER = "127.1.0.1", "127.2.0.1", "127.1.0.2", "127.3.0.1"


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


def check(street: Street, host: str = HOST, *, encrypted: bool = True, **settings: object) -> Check:
    scheme = "https" if encrypted else "http"
    endpoint = Endpoint(
        id=host.replace(".", "-"),
        service="s",
        url=f"{scheme}://{host}:{street.port}",
        name=host,
        ca_file=street.ca_file,
    )
    return Check(
        service="s", endpoint=endpoint, probe=PROBES["http"](**{"timeout": "2s"} | settings)
    )


class Clinic:
    """Runs a check and has it explained, as the cycle does."""

    def __init__(
        self, client: Client, doctor: PathDiagnosis, clock: SystemClock | HandClock
    ) -> None:
        self.client, self.doctor, self.clock = client, doctor, clock

    async def run(self, asked: Check) -> Attempted:
        attempted = await run_check(asked, self.client, clock=self.clock)
        return await with_explanation(self.doctor, asked, attempted)


@contextlib.asynccontextmanager
async def clinic(
    street: Street,
    *,
    resolvers: Sequence[Resolver] = (),
    controls: Sequence[str] | None = (),
    others: Sequence[Check] = (),
    clock: HandClock | None = None,
) -> AsyncIterator[Clinic]:
    when = clock or SystemClock()
    settings = DiagnosisSettings(
        resolvers=tuple(resolvers), controls=None if controls is None else tuple(controls)
    )
    doctor = PathDiagnosis(
        settings,
        [other.endpoint for other in others],
        clock=when,
        redact=str,
        resolve=street.resolve,
    )
    async with Client(street.resolve) as client:
        yield Clinic(client, doctor, when)
    await doctor.close()


def kind_of(found: Attempted) -> FailureKind | None:
    return found.result.failure and found.result.failure.kind


def said(found: Attempted) -> str:
    assert found.result.failure is not None
    return found.result.failure.message


def looked(found: Attempted) -> str:
    assert found.evidence is not None
    return found.evidence.note


async def test_what_goes_well_or_is_no_matter_of_the_path_is_left_alone(street: Street) -> None:
    street.where[HOST] = (TRUE,)
    async with street.house(TRUE, polite, street.context(HOST)), clinic(street) as here:
        good = await here.run(check(street))
        assert (good.result.outcome, good.evidence) == (Outcome.UP, None)
        bad = await here.run(check(street, contains="something else"))
        assert kind_of(bad) is FailureKind.UNEXPECTED_BODY
        assert looked(bad) == ""


async def test_a_name_that_leads_to_a_liar_is_poisoned(street: Street) -> None:
    """The certificate proves it: foreign at the address answered here, valid at the other."""
    street.where[HOST] = (LIAR,)
    async with (
        street.house(LIAR, polite, street.context("liar.test")),
        street.house(TRUE, polite, street.context(HOST)),
        serving_names(answering({HOST: (TRUE,)})) as names,
        clinic(street, resolvers=[names.resolver]) as here,
    ):
        attempted = await here.run(check(street))
    assert kind_of(attempted) is FailureKind.DNS_POISONED
    assert attempted.result.outcome is Outcome.DOWN
    assert f"got {LIAR} for {HOST} here, while {names.resolver.name} says {TRUE}" in said(attempted)
    assert "suspected" in said(attempted)
    assert "it is for liar.test, by" in looked(attempted)


async def test_a_dead_address_here_and_a_proven_one_there_is_poisoned(street: Street) -> None:
    street.where[HOST] = (LIAR,)
    async with (
        street.house(TRUE, polite, street.context(HOST)),
        serving_names(answering({HOST: (TRUE,)})) as names,
        clinic(street, resolvers=[names.resolver]) as here,
    ):
        assert kind_of(await here.run(check(street))) is FailureKind.DNS_POISONED


async def test_a_denied_name_that_another_resolver_proves_is_poisoned(street: Street) -> None:
    async with (
        street.house(TRUE, polite, street.context(HOST)),
        serving_names(answering({HOST: (TRUE,)})) as names,
        clinic(street, resolvers=[names.resolver]) as here,
    ):
        assert kind_of(await here.run(check(street))) is FailureKind.DNS_POISONED


async def test_an_endpoint_that_is_down_everywhere_is_its_own_fault(street: Street) -> None:
    """The other resolver agrees, or names another address that is no better."""
    street.where[HOST] = (LIAR,)
    async with (
        street.house(OTHER, polite, street.context("other.test")),
        serving_names(answering({HOST: (LIAR, OTHER)})) as names,
        clinic(street, resolvers=[names.resolver]) as here,
    ):
        attempted = await here.run(check(street))
    assert (kind_of(attempted), attempted.result.failure.fault) == (
        FailureKind.TCP_REFUSED,
        Fault.ENDPOINT,
    )  # type: ignore[union-attr]
    assert "(a loopback address), as here" in looked(attempted)


async def test_a_bad_certificate_of_its_own_stays_that(street: Street) -> None:
    street.where[HOST] = (TRUE,)
    stranger = trustme.CA()
    async with (
        street.house(TRUE, polite, street.context(HOST, ca=stranger)),
        serving_names(answering({HOST: (TRUE,)})) as names,
        clinic(street, resolvers=[names.resolver]) as here,
    ):
        assert kind_of(await here.run(check(street))) is FailureKind.CERT_UNTRUSTED


# --- a man in the middle --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drops", "kind"), [(False, FailureKind.TLS_RESET), (True, FailureKind.TLS_TIMEOUT)]
)
async def test_a_reset_or_silence_on_the_name_is_a_block_by_name(
    street: Street, *, drops: bool, kind: FailureKind
) -> None:
    street.where[HOST] = (TRUE,)
    middle = censoring(HOST, street.context(HOST), drops=drops)
    async with street.house(TRUE, middle):
        async with clinic(street, controls=None) as here:
            attempted = await here.run(check(street))
        assert kind_of(attempted) is FailureKind.SNI_BLOCKED
        assert f"at {TRUE} for the name {HOST}" in said(attempted)
        assert "saying another name (example.com)" in looked(attempted)
        async with Client(street.resolve) as client:
            bare = await run_check(check(street), client)
        assert kind_of(bare) is kind, "what it was before it was explained"


async def test_a_server_that_resets_everybody_is_a_reset_and_no_block(street: Street) -> None:
    street.where[HOST] = (TRUE,)
    async with street.house(TRUE, resetting), clinic(street, controls=None) as here:
        attempted = await here.run(check(street))
    assert kind_of(attempted) is FailureKind.TLS_RESET
    assert "saying another name (example.com): a reset" in looked(attempted)


async def test_what_stays_cut_for_a_while_is_tested_at_another_address_of_the_host(
    street: Street,
) -> None:
    """On the address that was hit every name is cut now; the neighbour was not hit yet."""
    street.where[HOST] = (TRUE, "127.2.0.2")
    good = street.context(HOST)
    async with (
        street.house(TRUE, censoring(HOST, good, stays_s=60)),
        street.house("127.2.0.2", censoring(HOST, good, stays_s=60)),
        clinic(street, controls=None) as here,
    ):
        asked = check(street)
        async with Client(lambda _, port: street.resolve(HOST, port)[:1]) as first:
            here.client, whole = first, here.client
            attempted = await here.run(asked)
            here.client = whole
    assert kind_of(attempted) is FailureKind.SNI_BLOCKED
    assert "at 127.2.0.2 for the name" in said(attempted)


async def test_the_name_is_tested_once_an_hour_and_what_was_proven_holds_meanwhile(
    street: Street, clock: HandClock
) -> None:
    street.where[HOST] = (TRUE,)
    middle = censoring(HOST, street.context(HOST))
    async with street.house(TRUE, middle), clinic(street, controls=None, clock=clock) as here:
        visits = []
        for _ in range(62):
            before = street.visits.get(TRUE, 0)
            assert kind_of(await here.run(check(street))) is FailureKind.SNI_BLOCKED
            visits.append(street.visits[TRUE] - before - 1)
            clock.tick(60)
    assert [number for number, more in enumerate(visits) if more] == [0, 60]


async def test_a_block_that_cannot_be_proven_again_is_forgotten(
    street: Street, clock: HandClock
) -> None:
    """After an hour it is tested anew, and now every name is cut."""
    street.where[HOST] = (TRUE,)
    async with clinic(street, controls=None, clock=clock) as here:
        async with street.house(TRUE, censoring(HOST, street.context(HOST))):
            asked = check(street)
            assert kind_of(await here.run(asked)) is FailureKind.SNI_BLOCKED
        async with street.house(TRUE, resetting):
            seen = []
            for _ in range(63):
                clock.tick(60)
                seen.append(kind_of(await here.run(asked)))
    assert seen[:59] == [FailureKind.SNI_BLOCKED] * 59
    assert seen[-2:] == [FailureKind.TLS_RESET] * 2


# --- is it us? ------------------------------------------------------------------------------------


async def test_when_nobody_else_answers_either_it_is_our_own_network(street: Street) -> None:
    street.where |= {HOST: ("224.0.0.1",), "other.test": ("225.0.0.1",)}
    street.port = 9
    other = check(street, "other.test")
    async with clinic(street, others=[check(street), other]) as here:
        attempted = await here.run(check(street))
    assert (kind_of(attempted), attempted.result.outcome) == (FailureKind.OFFLINE, Outcome.UNKNOWN)
    assert "none of 1 control answered" in said(attempted)


async def test_who_answered_before_the_failing_run_began_is_no_witness_that_our_network_works(
    street: Street,
) -> None:
    """A moment ago another host answered; then our network goes, and the first run that fails says so."""
    street.where |= {HOST: (TRUE,), "other.test": (OTHER,)}
    async with street.house(OTHER, polite):
        other = check(street, "other.test", encrypted=False)
        async with clinic(street, others=[check(street), other]) as here:
            assert (await here.run(other)).result.outcome is Outcome.UP
            street.where |= {HOST: ("224.0.0.1",), "other.test": ("225.0.0.1",)}
            assert kind_of(await here.run(check(street))) is FailureKind.OFFLINE


async def test_another_host_that_answers_shows_that_our_network_is_fine(street: Street) -> None:
    street.where |= {HOST: ("224.0.0.1",), "other.test": (OTHER,)}
    async with street.house(OTHER, polite):
        other = check(street, "other.test", encrypted=False)
        async with clinic(street, others=[check(street), other]) as here:
            assert kind_of(await here.run(check(street))) is FailureKind.TCP_UNREACHABLE
            before = street.visits[OTHER]
            await here.run(other)
            attempted = await here.run(check(street, timeout="3s"))
            assert "1 of 1 control answered" in looked(attempted)
            assert street.visits[OTHER] == before + 1, "its own run was enough"


async def test_declared_controls_and_none(street: Street) -> None:
    street.where |= {HOST: ("224.0.0.1",), "control.test": (OTHER,)}
    async with street.house(OTHER, polite):
        url = f"http://control.test:{street.port}"
        async with clinic(street, controls=[url]) as here:
            assert kind_of(await here.run(check(street))) is FailureKind.TCP_UNREACHABLE
        async with clinic(street, controls=["http://226.0.0.1"]) as here:
            assert kind_of(await here.run(check(street))) is FailureKind.OFFLINE
        async with clinic(street, controls=None) as here:
            attempted = await here.run(check(street))
            assert kind_of(attempted) is FailureKind.TCP_UNREACHABLE
            assert "the controls are off" in looked(attempted)


async def test_a_single_host_has_nothing_to_compare_with_and_is_believed(street: Street) -> None:
    street.where[HOST] = (TRUE,)
    street.port = 9
    async with clinic(street, others=[check(street)]) as here:
        attempted = await here.run(check(street))
    assert kind_of(attempted) is FailureKind.TCP_REFUSED
    assert "there is nothing to compare with" in looked(attempted)


async def test_when_no_name_resolves_though_hosts_answer_the_resolver_is_broken(
    street: Street,
) -> None:
    street.where |= {HOST: (TRUE,), "other.test": (OTHER,)}
    async with street.house(OTHER, polite), street.house(TRUE, polite):
        here_, other = (check(street, name, encrypted=False) for name in (HOST, "other.test"))
        clock = HandClock()
        async with clinic(street, others=[here_, other], clock=clock) as here:
            assert (await here.run(other)).result.outcome is Outcome.UP
            clock.tick(60)
            street.where = {HOST: socket.EAI_AGAIN, "other.test": socket.EAI_AGAIN}
            attempted = await here.run(here_)
    assert (kind_of(attempted), attempted.result.outcome) == (
        FailureKind.RESOLVER_FAILED,
        Outcome.UNKNOWN,
    )


@pytest.mark.parametrize("days", [-40, 400])
async def test_a_wrong_clock_is_told_from_a_bad_certificate(street: Street, days: int) -> None:
    """Theirs say what time it is; by that the certificate is good, or it is really out of date."""
    street.where |= {HOST: (TRUE,), "other.test": (OTHER,)}
    now = SystemClock().now()
    validity = {"not_before": now - dt.timedelta(days=90), "not_after": now - dt.timedelta(days=10)}
    their_time = now + dt.timedelta(days=days)
    async with (
        street.house(TRUE, polite, street.context(HOST, **validity)),
        street.house(OTHER, telling_time(lambda: their_time), street.context("other.test")),
    ):
        pair = [check(street), check(street, "other.test")]
        async with clinic(street, others=pair) as here:
            attempted = await here.run(pair[0])
    want = FailureKind.CLOCK_WRONG if days == -40 else FailureKind.CERT_EXPIRED
    assert kind_of(attempted) is want
    if want is FailureKind.CLOCK_WRONG:
        assert "got a clock that is 40 days ahead" in said(attempted)


# --- bounds ---------------------------------------------------------------------------------------


async def test_many_runs_that_fail_together_share_one_examination(street: Street) -> None:
    street.where |= {HOST: (LIAR,), "other.test": (OTHER,)}
    async with (
        street.house(OTHER, polite),
        street.house(TRUE, polite, street.context(HOST)),
        serving_names(answering({HOST: (TRUE,)})) as names,
    ):
        other = check(street, "other.test")
        async with clinic(street, resolvers=[names.resolver], others=[other]) as here:
            found = await asyncio.gather(*(here.run(check(street)) for _ in range(30)))
    assert {kind_of(each) for each in found} == {FailureKind.DNS_POISONED}
    assert len(names.asked) == 2, "one A, one AAAA"
    assert street.visits == {TRUE: 1, OTHER: 1}


async def test_a_run_waits_for_its_explanation_at_most_half_its_interval(street: Street) -> None:
    street.where |= {HOST: (LIAR,), "other.test": (OTHER,)}
    async with street.house(TRUE, mute), serving_names(answering({HOST: (TRUE,)})) as names:
        asked = check(street, every="1s")
        async with clinic(street, resolvers=[names.resolver]) as here:
            began = time.monotonic()
            first = await here.run(asked)
            assert time.monotonic() - began < 2.0, "0.5 s, and what a busy machine adds"
            assert (kind_of(first), looked(first)) == (FailureKind.TCP_REFUSED, "")
            await asyncio.sleep(3.5)
            later = await here.run(asked)
            assert f"TLS to {TRUE}" in looked(later), "by now it has ended, and speaks for this run"


async def test_a_fault_of_the_doctor_leaves_the_verdict_as_it_was(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    street.where[HOST] = (TRUE,)
    street.port = 9
    broken = Resolver("broken", address="no address", port=9)
    async with clinic(street, resolvers=[broken]) as here:
        assert kind_of(await here.run(check(street))) is FailureKind.TCP_REFUSED
        here.doctor._settings = None  # type: ignore[assignment]
        here.doctor._cases.clear()
        attempted = await here.run(check(street))
    assert (kind_of(attempted), looked(attempted)) == (FailureKind.TCP_REFUSED, "")
    assert "event=internal diagnosis=relay.test" in caplog.text


async def test_other_resolvers_count_from_the_next_examination_after_a_reload(
    street: Street,
) -> None:
    street.where[HOST] = (LIAR,)
    async with (
        street.house(TRUE, polite, street.context(HOST)),
        serving_names(answering({HOST: (TRUE,)})) as names,
        clinic(street) as here,
    ):
        asked = check(street)
        assert kind_of(await here.run(asked)) is FailureKind.TCP_REFUSED
        settings = DiagnosisSettings(resolvers=(names.resolver,))
        here.doctor.change(settings, [asked.endpoint], str)
        assert kind_of(await here.run(asked)) is FailureKind.DNS_POISONED


async def test_behind_a_proxy_nothing_is_examined(street: Street) -> None:
    street.where[HOST] = (LIAR,)
    street.port = 9
    asked = check(street)
    proxy = Proxy(socks=False, host="127.0.0.1", port=9, login=None)
    proxied = replace(asked, endpoint=replace(asked.endpoint, proxy=proxy))
    async with clinic(street) as here:
        attempted = await here.run(proxied)
    assert kind_of(attempted) is FailureKind.OFFLINE, "the proxy's own word for it"
    assert looked(attempted) == ""


async def test_tcp_and_tls_probes_are_examined_at_their_own_port(street: Street) -> None:
    street.where[HOST] = (TRUE,)
    async with street.house(TRUE, censoring(HOST, street.context(HOST))):
        endpoint = replace(check(street).endpoint, url=f"http://{HOST}")
        for kind, want in (("tls", FailureKind.SNI_BLOCKED), ("tcp", None)):
            probe = PROBES[kind](port=street.port, timeout="2s")
            asked = Check(service="s", endpoint=endpoint, probe=probe)
            async with clinic(street, controls=None) as here:
                assert kind_of(await here.run(asked)) is want


async def test_hosts_that_fail_together_share_one_look_at_a_control(street: Street) -> None:
    hosts = [f"h{number}.test" for number in range(10)]
    street.where |= dict.fromkeys(hosts, ("224.0.0.1",)) | {"control.test": (OTHER,)}
    async with street.house(OTHER, polite):
        url = f"http://control.test:{street.port}"
        async with clinic(street, controls=[url]) as here:
            found = await asyncio.gather(*(here.run(check(street, host)) for host in hosts))
            assert {kind_of(each) for each in found} == {FailureKind.TCP_UNREACHABLE}
            assert street.visits == {OTHER: 1}
