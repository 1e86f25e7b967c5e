"""Tries one connection to one address with one name in the handshake, and says how it ended."""

import asyncio
import errno
import ipaddress
import socket
import ssl
import time
from dataclasses import replace

from monitor.diagnosis.observations import ConnectionEnd, ConnectionTrial, PeerCertificate

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES}
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
)


def unverified_context() -> ssl.SSLContext:
    """Make a context that takes any certificate, to look at it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def try_connection(
    address: str, port: int, name: str, context: ssl.SSLContext | None, timeout_s: float
) -> ConnectionTrial:
    """Open a connection and close it; TCP alone without `context`. What the other side does never raises.

    With a verifying context, a certificate that is not valid is fetched once more to be shown.
    """
    began = time.monotonic()
    connected = [False]
    end, detail, certificate = ConnectionEnd.SILENT, "", None
    try:
        async with asyncio.timeout(timeout_s):
            end, certificate = await _connect(address, port, name, context, connected)
    except TimeoutError:
        pass
    except ssl.SSLError as error:
        end, detail = _tls_end(error)
    except OSError as error:
        end, detail = _end(error, connected=connected[0])
    except ValueError:  # a resolver may say anything
        end, detail = ConnectionEnd.UNREACHABLE, "no address"
    trial = ConnectionTrial(
        address=address,
        name=name,
        end=end,
        connected=connected[0],
        detail=detail,
        certificate=certificate,
        ms=(time.monotonic() - began) * 1000,
    )
    if end is ConnectionEnd.FOREIGN:
        shown = await try_connection(address, port, name, unverified_context(), timeout_s)
        return replace(trial, certificate=shown.certificate)
    return trial


async def _connect(
    address: str, port: int, name: str, context: ssl.SSLContext | None, connected: list[bool]
) -> tuple[ConnectionEnd, PeerCertificate | None]:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, (address, port))
        connected[0] = True
        if context is None:
            sock.close()
            return ConnectionEnd.OPEN, None
        transport, _ = await loop.create_connection(
            asyncio.Protocol, sock=sock, ssl=context, server_hostname=name.rstrip(".") or address
        )
    except BaseException:
        sock.close()
        raise
    tls = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True)
    transport.abort()
    certificate = await asyncio.to_thread(_read, der)
    verified = context.verify_mode is not ssl.CERT_NONE
    return (ConnectionEnd.VALID if verified else ConnectionEnd.ANSWERED), certificate


def _read(der: bytes | None) -> PeerCertificate | None:
    """Read a certificate; called in a thread, because of the import."""
    from monitor.diagnosis.peer_certificate import read_certificate  # noqa: PLC0415  # 8 MB for bad days alone

    return read_certificate(der)


def _tls_end(error: ssl.SSLError) -> tuple[ConnectionEnd, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionEnd.FOREIGN, error.verify_message
    if isinstance(error, ssl.SSLZeroReturnError):
        return ConnectionEnd.ANSWERED, "goodbye"
    if isinstance(error, ssl.SSLEOFError):
        return ConnectionEnd.CLOSED, ""
    reason = error.reason or ""
    words = reason.replace("_", " ").lower()
    return (ConnectionEnd.GARBLED if reason.startswith(_NOT_TLS) else ConnectionEnd.ANSWERED), words


def _end(error: OSError, *, connected: bool) -> tuple[ConnectionEnd, str]:
    if error.errno == errno.ECONNREFUSED:
        return ConnectionEnd.REFUSED, ""
    if error.errno in _UNREACHABLE:
        return ConnectionEnd.UNREACHABLE, ""
    if error.errno == errno.ETIMEDOUT:
        return ConnectionEnd.SILENT, ""
    if error.errno in {errno.ECONNRESET, errno.EPIPE}:
        return ConnectionEnd.RESET, ""
    if isinstance(error, ConnectionError):
        return ConnectionEnd.CLOSED, ""  # asyncio's own, for an end without an error number
    return (ConnectionEnd.RESET if connected else ConnectionEnd.UNREACHABLE), error.strerror or ""
