"""Asks another resolver: DNS over HTTPS (RFC 8484), or plain DNS over UDP, then TCP (RFC 1035)."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import aiohttp
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from monitor.diagnosis.observations import DnsAnswer, DnsFailure
from monitor.diagnosis.resolver_setting import Resolver

_MOST = 65_535
_AGAIN_S = 1.0
"""UDP is lossy: an unanswered question is sent a second time."""
_RACE_S = 0.3
"""Seconds to wait for a second, differing answer: a forged one comes first, the true one soon after."""
_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)

Session = aiohttp.ClientSession
Message = dns.message.Message


class _NonsenseError(Exception):
    """The resolver answered, and not with an answer to our question."""


async def query(resolver: Resolver, host: str, *, session: Session, timeout_s: float) -> DnsAnswer:
    """Ask for IPv4 and IPv6 addresses of `host`. What the resolver does never raises."""
    began = time.monotonic()
    try:
        questions = [_question(host, kind) for kind in _TYPES]
    except dns.exception.DNSException:
        return DnsAnswer(resolver=resolver.name, failure=DnsFailure.NO_NAME)
    replies = await asyncio.gather(
        *(_one(resolver, question, session, timeout_s) for question in questions)
    )
    return _together(resolver.name, replies, (time.monotonic() - began) * 1000)


def _question(host: str, kind: dns.rdatatype.RdataType) -> Message:
    """Make a query with a random ID; ID 0, as RFC 8484 advises for caches, is easy to forge over UDP."""
    return dns.message.make_query(dns.name.from_text(host), kind)


Replies = Sequence[Message] | DnsFailure


async def _one(
    resolver: Resolver, question: Message, session: Session, timeout_s: float
) -> Replies:
    try:
        async with asyncio.timeout(timeout_s):
            if resolver.url is not None:
                return [await _over_https(resolver.url, question, session)]
            return await _plain(resolver, question, timeout_s)
    except TimeoutError:
        return DnsFailure.SILENT
    except (OSError, EOFError, aiohttp.ClientError):  # a bad certificate is a ValueError too
        return DnsFailure.FAILED
    except (_NonsenseError, dns.exception.DNSException, ValueError):
        return DnsFailure.BROKEN


async def _over_https(url: str, question: Message, session: Session) -> Message:
    kind = "application/dns-message"
    async with session.post(
        url,
        data=question.to_wire(),
        headers={"Content-Type": kind, "Accept": kind, "User-Agent": "monitor"},
        allow_redirects=False,
    ) as response:
        if response.status != 200 or response.content_type != kind:
            raise _NonsenseError
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > _MOST:
                raise _NonsenseError
    return _answer(question, bytes(body))


async def _plain(resolver: Resolver, question: Message, timeout_s: float) -> Sequence[Message]:
    """Ask over UDP first, as the system does; over TCP where the answer is too long, or nothing came."""
    try:
        async with asyncio.timeout(timeout_s / 2):
            answers = await _over_udp(resolver, question)
    except TimeoutError:
        answers = []
    if answers and not answers[-1].flags & dns.flags.TC:
        return answers
    return [await _over_tcp(resolver, question)]


class _UdpReceiver(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.packets: asyncio.Queue[bytes | Exception] = asyncio.Queue(32)

    def datagram_received(self, data: bytes, _: object) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.packets.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.packets.put_nowait(exc)


async def _over_udp(resolver: Resolver, question: Message) -> list[Message]:
    """Return the first answer, and what else comes soon after it."""
    transport, receiver = await asyncio.get_running_loop().create_datagram_endpoint(
        _UdpReceiver, remote_addr=(resolver.address, resolver.port)
    )
    try:
        wire = question.to_wire()
        transport.sendto(wire)
        try:
            async with asyncio.timeout(_AGAIN_S):
                first = await _next_answer(receiver, question)
        except TimeoutError:
            transport.sendto(wire)
            first = await _next_answer(receiver, question)
        answers = [first]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RACE_S):
                while len(answers) < 4:
                    answers.append(await _next_answer(receiver, question))
        return answers
    finally:
        transport.close()


async def _next_answer(receiver: _UdpReceiver, question: Message) -> Message:
    """Return the next answer to the question, and skip what does not fit it."""
    while True:
        data = await receiver.packets.get()
        if isinstance(data, Exception):
            raise data
        with contextlib.suppress(_NonsenseError, dns.exception.DNSException, ValueError):
            return _answer(question, data)


async def _over_tcp(resolver: Resolver, question: Message) -> Message:
    reader, writer = await asyncio.open_connection(resolver.address, resolver.port)
    try:
        wire = question.to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
        size = int.from_bytes(await reader.readexactly(2))
        return _answer(question, await reader.readexactly(size))
    finally:
        writer.transport.abort()


def _answer(question: Message, wire: bytes) -> Message:
    answer = dns.message.from_wire(wire, ignore_trailing=True)
    if not question.is_response(answer):
        raise _NonsenseError
    return answer


def _together(name: str, replies: Sequence[Replies], ms: float) -> DnsAnswer:
    """Merge the answers to A and AAAA; of racing answers the last counts, which came from farther away."""
    answered = [reply for reply in replies if not isinstance(reply, DnsFailure)]
    addresses = [address for answers in answered for address in _addresses(answers[-1])]
    raced = any(
        len({frozenset(_addresses(answer)) for answer in answers}) > 1 for answers in answered
    )
    return DnsAnswer(
        resolver=name,
        addresses=tuple(dict.fromkeys(addresses)),
        failure=None if addresses else _failure_of(replies),
        raced=raced,
        ms=ms,
    )


def _addresses(answer: Message) -> list[str]:
    return [record.address for rrset in answer.answer if rrset.rdtype in _TYPES for record in rrset]


def _failure_of(replies: Sequence[Replies]) -> DnsFailure:
    """Say why there is no address. NXDOMAIN outweighs a question that was lost."""
    codes = [reply[-1].rcode() for reply in replies if not isinstance(reply, DnsFailure)]
    if dns.rcode.NXDOMAIN in codes:
        return DnsFailure.NO_NAME
    failures = [reply for reply in replies if isinstance(reply, DnsFailure)]
    if failures:
        return failures[0]
    return (
        DnsFailure.NO_ADDRESS
        if all(code == dns.rcode.NOERROR for code in codes)
        else DnsFailure.FAILED
    )
