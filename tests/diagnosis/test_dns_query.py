"""Other resolvers are asked over real sockets; whatever they do becomes an answer or the failure of one."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import dns.rcode
import pytest
import trustme
from aiohttp import web
from nameserver import (
    Reply,
    answering,
    coded,
    racing,
    serving_https,
    serving_names,
    silent,
    truncated,
)

from monitor.diagnosis.dns_query import query
from monitor.diagnosis.observations import DnsAnswer, DnsFailure
from monitor.diagnosis.resolver_setting import Resolver, parse_resolver

HOST = "relay.test"
TRUE = {HOST: ("203.0.113.7", "2001:db8::7")}
FORGED = {HOST: ("31.13.94.7",)}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


async def asked(
    over_udp: Reply, session: aiohttp.ClientSession, over_tcp: Reply | None = None
) -> tuple[DnsAnswer, list[str]]:
    async with serving_names(over_udp, over_tcp) as server:
        answer = await query(server.resolver, HOST, session=session, timeout_s=2.0)
        return answer, sorted(server.asked)


async def test_both_families_are_asked_at_once(session: aiohttp.ClientSession) -> None:
    answer, questions = await asked(answering(TRUE), session)
    assert (answer.addresses, answer.failure, answer.raced) == (TRUE[HOST], None, False)
    assert questions == ["udp A relay.test", "udp AAAA relay.test"]
    assert answer.resolver.startswith("127.0.0.1:")


async def test_what_is_too_long_for_udp_comes_over_tcp(session: aiohttp.ClientSession) -> None:
    answer, questions = await asked(truncated(TRUE), session, answering(TRUE))
    assert answer.addresses == TRUE[HOST]
    assert "tcp A relay.test" in questions


async def test_where_udp_is_swallowed_tcp_is_tried(session: aiohttp.ClientSession) -> None:
    answer, questions = await asked(silent, session, answering(TRUE))
    assert answer.addresses == TRUE[HOST]
    assert questions.count("tcp A relay.test") == 1


async def test_a_lost_question_is_sent_again(session: aiohttp.ClientSession) -> None:
    seen: list[int] = []

    def second_time(question: object) -> list[bytes | float]:
        seen.append(1)
        return [] if len(seen) <= 2 else list(answering(TRUE)(question))  # type: ignore[arg-type]

    async with serving_names(second_time, silent) as server:
        answer = await query(server.resolver, HOST, session=session, timeout_s=4.0)
    assert answer.addresses == TRUE[HOST]


async def test_two_answers_that_differ_are_a_race_and_the_later_is_taken(
    session: aiohttp.ClientSession,
) -> None:
    answer, _ = await asked(racing(FORGED, TRUE), session)
    assert (answer.raced, answer.addresses) == (True, TRUE[HOST])
    twice, _ = await asked(racing(TRUE, TRUE), session)
    assert (twice.raced, twice.addresses) == (False, TRUE[HOST])


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (answering({}), DnsFailure.NO_NAME),
        (answering({HOST: ()}), DnsFailure.NO_ADDRESS),
        (coded(dns.rcode.SERVFAIL), DnsFailure.FAILED),
        (coded(dns.rcode.REFUSED), DnsFailure.FAILED),
        (silent, DnsFailure.FAILED),  # over TCP it closes without a word
        (lambda _: [b"no DNS at all"], DnsFailure.BROKEN),
        (lambda _: [b""], DnsFailure.BROKEN),
    ],
)
async def test_why_there_is_no_address(
    reply: Reply, failure: DnsFailure, session: aiohttp.ClientSession
) -> None:
    answer, _ = await asked(reply, session)
    assert (answer.addresses, answer.failure) == ((), failure)


async def test_a_stranger_cannot_answer_in_its_place(session: aiohttp.ClientSession) -> None:
    """Another id, or an answer to another question, is not ours."""

    def meddling(question: object) -> list[bytes | float]:
        true = answering(TRUE)(question)  # type: ignore[arg-type]
        assert isinstance(true[0], bytes)
        other_id = bytes([true[0][0] ^ 0xFF]) + true[0][1:]
        return [other_id, true[0].replace(b"relay", b"relax"), 0.05, true[0]]

    answer, _ = await asked(meddling, session)
    assert (answer.addresses, answer.raced) == (TRUE[HOST], False)


async def test_nobody_there_and_endless_silence_end_in_time(
    session: aiohttp.ClientSession,
) -> None:
    async with serving_names(silent) as gone:
        pass
    answer = await query(gone.resolver, HOST, session=session, timeout_s=2.0)
    assert answer.failure is DnsFailure.FAILED

    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    began = asyncio.get_running_loop().time()
    lost = Resolver("x", address="127.0.0.1", port=port)
    answer = await query(lost, HOST, session=session, timeout_s=0.5)
    assert answer.failure in {DnsFailure.SILENT, DnsFailure.FAILED}
    assert asyncio.get_running_loop().time() - began < 3
    server.close()


async def test_a_name_that_is_none_is_asked_of_nobody(session: aiohttp.ClientSession) -> None:
    nobody = parse_resolver("127.0.0.1:9")
    answer = await query(nobody, "x" * 64 + ".test", session=session, timeout_s=1.0)
    assert answer.failure is DnsFailure.NO_NAME


# --- over HTTPS -----------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return context, path


async def over_https(
    handler: object, tls: tuple[ssl.SSLContext, Path], *, trusted: bool = True
) -> DnsAnswer:
    trust = ssl.create_default_context(cafile=tls[1] if trusted else None)
    connector = aiohttp.TCPConnector(ssl=trust)
    async with (
        serving_https(handler, tls[0]) as url,  # type: ignore[arg-type]
        aiohttp.ClientSession(connector=connector) as session,
    ):
        return await query(parse_resolver(url), HOST, session=session, timeout_s=2.0)


async def test_over_https_the_question_is_a_dns_message(tls: tuple[ssl.SSLContext, Path]) -> None:
    async with serving_names(answering(TRUE)) as server:
        answer = await over_https(server.serve_https, tls)
    assert answer.addresses == TRUE[HOST]
    assert sorted(server.asked) == ["https A relay.test", "https AAAA relay.test"]


async def test_over_https_only_a_trusted_server_and_a_dns_message_count(
    tls: tuple[ssl.SSLContext, Path],
) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>welcome to the hotel</html>", content_type="text/html")

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/dns-message"})
        await response.prepare(request)
        for _ in range(1000):
            await response.write(bytes(65_536))
        return response

    async def stalled(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with serving_names(answering(TRUE)) as server:
        untrusted = await over_https(server.serve_https, tls, trusted=False)
        assert (untrusted.addresses, untrusted.failure) == ((), DnsFailure.FAILED)
        assert server.asked == []
    for handler, failure in (
        (page, DnsFailure.BROKEN),
        (broken, DnsFailure.BROKEN),
        (endless, DnsFailure.BROKEN),
    ):
        assert (await over_https(handler, tls)).failure is failure
    assert (await over_https(stalled, tls)).failure is DnsFailure.SILENT
