"""TLS: certificates with every fault, handshakes that stop at each flight, alerts, and no TLS at all."""

import asyncio
import contextlib
import datetime as dt
import functools
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from behaviour import LONG, SHORT, Behaviour, sized
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from every_kind import Opening, Where
from hostile_http import half_closing, stall
from servers import Script, loopback, reset, saying, serving

from monitor.model import FailureKind

NOW = dt.datetime.now(dt.UTC)  # noqa: TID251
DAY = dt.timedelta(days=1)
HOST = "relay.test"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def ec_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Issuer:
    key: Key
    cert: x509.Certificate


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A certificate to be made; every field but the first is one way to spoil it."""

    hosts: tuple[str, ...] = (HOST,)
    subject: str = HOST
    begins: dt.datetime = NOW - DAY
    ends: dt.datetime = NOW + 300 * DAY
    make_key: Callable[[], Key] = ec_key
    purpose: x509.ObjectIdentifier | None = None
    is_ca: bool = False
    extra: int = 0
    """Bytes of padding."""


def make(wish: Wish, issuer: Issuer | None = None) -> Issuer:
    """Signed by itself without an issuer."""
    key = wish.make_key()
    by = issuer.cert.subject if issuer else name(wish.subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(wish.subject))
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.begins)
        .not_valid_after(wish.ends)
        .add_extension(x509.BasicConstraints(ca=wish.is_ca, path_length=None), critical=True)
    )
    for extension in _extensions(wish):
        builder = builder.add_extension(extension, critical=False)
    return Issuer(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def _extensions(wish: Wish) -> Iterable[x509.ExtensionType]:
    if wish.hosts:
        yield x509.SubjectAlternativeName([x509.DNSName(host) for host in wish.hosts])
    if wish.purpose:
        yield x509.ExtendedKeyUsage([wish.purpose])
    if wish.extra:
        yield x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.9999.1"), bytes(wish.extra))


@functools.cache
def root() -> Issuer:
    return make(Wish(subject="the root", hosts=(), is_ca=True))


@functools.cache
def stranger() -> Issuer:
    return make(Wish(subject="a stranger", hosts=(), is_ca=True))


def pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)


def context_of(leaf: Issuer, *chain: Issuer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # we are the ones with the weak key
    key = leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + pem(leaf.cert) + b"".join(pem(link.cert) for link in chain))
        file.flush()
        context.load_cert_chain(file.name)
    return context


# --- openings --------------------------------------------------------------------------------------

Making = Callable[[], ssl.SSLContext]
OK = saying(sized(b"ok"))


def behind(make_context: Making | None, script: Callable[[], Script]) -> Opening:
    """Made when it is opened: an import should be quick."""

    @contextlib.asynccontextmanager
    async def opening(folder: Path) -> AsyncIterator[Where]:
        ca = folder / "ca.pem"
        ca.write_bytes(pem(root().cert))
        context = make_context() if make_context else None
        async with serving(script(), context) as server:
            counted = None if context else server  # a handshake that fails is never counted
            yield Where(f"https://{HOST}:{server.port}", ca, loopback, counted)

    return opening


def row(name: str, opening: Opening, wants: FailureKind | None, timeout: str = LONG) -> Behaviour:
    return Behaviour(
        "TLS",
        name,
        opening,
        wants,
        settings={"timeout": timeout},
        resolve=loopback,
        connections=None,
    )


def cert(name: str, wish: Wish, wants: FailureKind | None) -> Behaviour:
    return row(name, behind(lambda: context_of(make(wish, root())), lambda: OK), wants)


def by(name: str, making: Making, wants: FailureKind | None) -> Behaviour:
    return row(name, behind(making, lambda: OK), wants)


def spoken(name: str, script: Script, wants: FailureKind | None, timeout: str = LONG) -> Behaviour:
    """A server that scripts its bytes, whatever TLS would say."""
    found = row(name, behind(None, lambda: script), wants, timeout)
    return replace(found, connections=1)


def over(name: str, script: Script, wants: FailureKind | None, timeout: str = LONG) -> Behaviour:
    """A good handshake, and then."""
    opening = behind(lambda: context_of(make(Wish(), root())), lambda: script)
    return row(name, opening, wants, timeout)


# --- certificates -----------------------------------------------------------------------------------


def by_intermediate(*, sent: bool) -> ssl.SSLContext:
    middle = make(Wish(subject="the middle", hosts=(), is_ca=True), root())
    leaf = make(Wish(), middle)
    return context_of(leaf, middle) if sent else context_of(leaf)


def by_no_authority() -> ssl.SSLContext:
    middle = make(Wish(subject="a shop", hosts=("shop.test",)), root())
    return context_of(make(Wish(), middle), middle)


def endless_chain() -> ssl.SSLContext:
    more = [make(Wish(subject=f"more {n}", extra=60_000), stranger()) for n in range(4)]
    return context_of(make(Wish(), root()), *more)


UNTRUSTED, HOSTNAME, EXPIRED = (
    FailureKind.CERT_UNTRUSTED,
    FailureKind.CERT_HOSTNAME,
    FailureKind.CERT_EXPIRED,
)
_CERTIFICATES = (
    cert("a good certificate", Wish(), None),
    cert("expired", Wish(begins=NOW - 9 * DAY, ends=NOW - DAY), EXPIRED),
    cert(
        "expired decades ago",
        Wish(
            begins=dt.datetime(1971, 1, 1, tzinfo=dt.UTC),
            ends=dt.datetime(1972, 1, 1, tzinfo=dt.UTC),
        ),
        EXPIRED,
    ),
    cert("not yet valid", Wish(begins=NOW + DAY, ends=NOW + 9 * DAY), EXPIRED),
    cert("ends soon", Wish(begins=NOW - 80 * DAY, ends=NOW + 9 * DAY), FailureKind.CERT_EXPIRING),
    cert(
        "ends in the year 9999",
        Wish(ends=dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
        None,
    ),
    cert("for another host", Wish(hosts=("other.test",)), HOSTNAME),
    cert("for a host above", Wish(hosts=("test",)), HOSTNAME),
    cert("wildcard for the hosts below", Wish(hosts=(f"*.{HOST}",)), HOSTNAME),
    cert("wildcard for everything", Wish(hosts=("*",)), HOSTNAME),
    cert("wildcard that fits", Wish(hosts=("*.test",)), HOSTNAME),
    cert("no alternative name, only a common one", Wish(hosts=()), HOSTNAME),
    cert("NUL in its name", Wish(hosts=(f"{HOST}\0.evil.test",)), HOSTNAME),
    cert("for clients only", Wish(purpose=ExtendedKeyUsageOID.CLIENT_AUTH), UNTRUSTED),
    cert("a weak key", Wish(make_key=lambda: rsa.generate_private_key(65537, 1024)), UNTRUSTED),
    cert("hostile words for a subject", Wish(subject="\x1b[31m<script>\u202e"), None),
    by("signed by itself", lambda: context_of(make(Wish())), UNTRUSTED),
    by("signed by a stranger", lambda: context_of(make(Wish(), stranger())), UNTRUSTED),
    by(
        "a stranger and expired",
        lambda: context_of(make(Wish(ends=NOW - DAY, begins=NOW - 9 * DAY), stranger())),
        UNTRUSTED,
    ),
    by("an intermediate that is sent", lambda: by_intermediate(sent=True), None),
    by("an intermediate that is not sent", lambda: by_intermediate(sent=False), UNTRUSTED),
    by("signed by one who may not", by_no_authority, UNTRUSTED),
    by("a chain of 240 kB", endless_chain, FailureKind.TLS_PROTOCOL),
)

# --- handshakes --------------------------------------------------------------------------------------


def stopping(
    flight: int, share: float, latest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, curve: str = ""
) -> Script:
    """Shakes hands by the book, but of its n-th flight it sends only a share, and then nothing."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = context_of(make(Wish(), root()))
        context.maximum_version = latest
        if curve:
            context.set_ecdh_curve(curve)  # one the client made no key for: it is asked again
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(heard, said, server_side=True)
        for number in range(1, flight + 1):
            flown = b""
            while not flown:
                heard.write(await reader.read(65536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                flown = said.read()
            writer.write(flown if number < flight else flown[: int(len(flown) * share)])
        await asyncio.sleep(60)

    return script


def answering(*records: bytes, then: float = 60.0) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        for record in records:
            writer.write(record)
        await writer.drain()
        await asyncio.sleep(then)

    return script


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The beginning of a ServerHello, byte by byte."""
    await reader.read(65536)
    for byte in b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(99):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def dropping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.close()


async def slamming(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    reset(writer)


def flooding(piece: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return script


def refusing(make_context: Making) -> Script:
    """Shakes hands, and says why it will not: asyncio's own server would only hang up."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = make_context().wrap_bio(heard, said, server_side=True)
        while data := await reader.read(65536):
            heard.write(data)
            with contextlib.suppress(ssl.SSLError):
                tls.do_handshake()
            writer.write(said.read())

    return script


TIMEOUT, PROTOCOL, CUT = FailureKind.TLS_TIMEOUT, FailureKind.TLS_PROTOCOL, FailureKind.TLS_RESET
V12 = ssl.TLSVersion.TLSv1_2
_HANDSHAKES = (
    spoken("silence before the first flight", stall, TIMEOUT, SHORT),
    spoken("silence after a byte of it", stopping(1, 0.001), TIMEOUT, SHORT),
    spoken("silence amid the first flight", stopping(1, 0.5), TIMEOUT, SHORT),
    spoken("silence before its last bytes", stopping(1, 0.99), TIMEOUT, SHORT),
    spoken(
        "silence after a retry of the hello", stopping(2, 0.0, curve="secp521r1"), TIMEOUT, SHORT
    ),
    spoken("TLS 1.2: silence amid the first flight", stopping(1, 0.5, V12), TIMEOUT, SHORT),
    spoken("TLS 1.2: silence before the second flight", stopping(2, 0.0, V12), TIMEOUT, SHORT),
    spoken("TLS 1.2: silence amid the second flight", stopping(2, 0.5, V12), TIMEOUT, SHORT),
    over("silence after the handshake", stall, FailureKind.HEADERS_TIMEOUT, SHORT),
    spoken("drip of the hello", dripping, TIMEOUT, SHORT),
    spoken("close after the hello", dropping, CUT),
    spoken("reset amid the hello", slamming, CUT),
    spoken(
        "flood of records that say nothing", flooding(b"\x14\x03\x03\x00\x01\x01" * 2000), PROTOCOL
    ),
    spoken("half-close instead of a hello", answering(then=0.0), CUT),
    spoken("random bytes", answering(bytes(range(255, 0, -1)) * 8), PROTOCOL),
    spoken(
        "a record that is too long", answering(b"\x16\x03\x03\xff\xff" + bytes(65535)), PROTOCOL
    ),
    spoken(
        "SSL 3 as the version",
        answering(b"\x16\x03\x00\x00\x2a\x02\x00\x00\x26\x03\x00" + bytes(36)),
        PROTOCOL,
    ),
    spoken("plain HTTP on the port", answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), PROTOCOL),
    spoken(
        "a redirect in plain HTTP",
        answering(b"HTTP/1.1 301 X\r\nLocation: http://x.test/\r\n\r\n"),
        PROTOCOL,
    ),
    spoken("an endless page in plain HTTP", flooding(b"HTTP/1.1 200 OK\r\n\r\n" * 99), PROTOCOL),
    spoken("SSH on the port", answering(b"SSH-2.0-OpenSSH_9\r\n"), PROTOCOL),
    over(
        "half-close over TLS",
        half_closing(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
        FailureKind.UNEXPECTED_BODY,
    ),
)


def alert(name: str, number: int, level: int = 2, wants: FailureKind = PROTOCOL) -> Behaviour:
    record = bytes((21, 3, 3, 0, 2, level, number))
    return spoken(f"alert: {name}", answering(record, then=0.2), wants)


def wants_client_certificate(latest: ssl.TLSVersion) -> ssl.SSLContext:
    context = context_of(make(Wish(), root()))
    context.maximum_version = latest
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pem(root().cert).decode())
    return context


_ALERTS = (
    alert("close notify", 0, 1),
    alert("handshake failure", 40),
    alert("illegal parameter", 47),
    alert("access denied", 49),
    alert("protocol version", 70),
    alert("insufficient security", 71),
    alert("internal error", 80),
    alert("unrecognized name", 112),
    alert("no application protocol", 120),
    alert("one that nobody knows", 255),
    spoken(
        "wants a client's certificate, TLS 1.2",
        refusing(lambda: wants_client_certificate(V12)),
        PROTOCOL,
    ),
    spoken(
        "wants a client's certificate, TLS 1.3",
        refusing(lambda: wants_client_certificate(ssl.TLSVersion.TLSv1_3)),
        PROTOCOL,
    ),
)

ROWS = (*_CERTIFICATES, *_HANDSHAKES, *_ALERTS)
