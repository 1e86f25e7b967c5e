"""Translates what aiohttp raised into where and how a request broke. No bytes of the answer are quoted."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, ContentLengthError, TransferEncodingError

from monitor.probes.exchange import ErrorType, TransportError, TransportPhase
from monitor.probes.wire.http_proxy import TunnelError, error_by_proxy_status
from monitor.probes.wire.trace import Route, Trace

_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES}
_CERT = {
    9: ErrorType.CERT_NOT_YET,
    10: ErrorType.CERT_EXPIRED,
    62: ErrorType.CERT_HOSTNAME,
    64: ErrorType.CERT_HOSTNAME,  # the host is an address
}


_NO_ISSUER = frozenset({2, 20, 21})
"""OpenSSL's codes for a certificate whose issuer was neither sent nor is known."""


def phase_of(trace: Trace, *, answered: bool) -> TransportPhase:
    if answered:
        return TransportPhase.BODY
    if trace.route is not Route.DIRECT and not trace.arrived:
        return TransportPhase.PROXY
    if trace.dns_error is not None or (trace.dns_start is not None and trace.dns_end is None):
        return TransportPhase.DNS
    if not trace.connected:
        return TransportPhase.CONNECT
    return (
        TransportPhase.TLS if trace.encrypted and trace.tls_end is None else TransportPhase.HEADERS
    )


def transport_error_of(error: BaseException, trace: Trace, *, answered: bool) -> TransportError:
    phase = phase_of(trace, answered=answered)
    if trace.dns_error is not None and phase in {TransportPhase.DNS, TransportPhase.PROXY}:
        return replace(_dns(trace.dns_error), phase=phase)
    for cause in _chain(error):
        transport_error = _refused_by_proxy(cause) or _one(cause, phase)
        if transport_error is None:
            continue
        if transport_error.what is ErrorType.CERT_UNTRUSTED and trace.certificates_sent == 1:
            lacks_issuer = (
                isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _NO_ISSUER
            )
            what = ErrorType.CERT_INCOMPLETE if lacks_issuer else ErrorType.CERT_UNTRUSTED
            return replace(transport_error, what=what)
        return transport_error
    return TransportError(phase, ErrorType.PROTOCOL, type(error).__name__)


def _dns(error: OSError | UnicodeError | None) -> TransportError:
    if isinstance(error, UnicodeError):
        return TransportError(TransportPhase.DNS, ErrorType.NXDOMAIN, "not a valid name")
    if isinstance(error, socket.gaierror) and error.errno in _NO_NAME:
        return TransportError(TransportPhase.DNS, ErrorType.NXDOMAIN, error.strerror or "")
    return TransportError(TransportPhase.DNS, ErrorType.SERVFAIL, (error and error.strerror) or "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """List the causes of an error, the innermost first, which knows what happened."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
        error = inner or error.__cause__ or error.__context__
    return reversed(chain)


def _refused_by_proxy(error: BaseException) -> TransportError | None:
    if isinstance(error, TunnelError):
        return error.error
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error_by_proxy_status(error.status)
    return None


def _one(error: BaseException, phase: TransportPhase) -> TransportError | None:
    if isinstance(error, ssl.SSLError):
        return _tls(error, phase)
    if isinstance(error, aiohttp.ServerDisconnectedError | ContentLengthError):
        return TransportError(phase, ErrorType.CLOSED)
    if isinstance(error, TransferEncodingError) and "Not enough data" in error.message:
        return TransportError(phase, ErrorType.CLOSED)
    if isinstance(error, BadHttpMessage | aiohttp.ClientResponseError):
        return TransportError(phase, ErrorType.PROTOCOL)
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
        return _os(error, phase)
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransportError(phase, ErrorType.CLOSED)
    return None


def _os(error: OSError, phase: TransportPhase) -> TransportError:
    number = error.errno
    detail = os.strerror(number) if number else ""
    if number == errno.ECONNREFUSED:
        return TransportError(phase, ErrorType.REFUSED, detail)
    if number in _UNREACHABLE:
        return TransportError(phase, ErrorType.UNREACHABLE, detail)
    if number == errno.ETIMEDOUT:
        return TransportError(phase, ErrorType.TIMEOUT, detail)
    if number in {errno.ECONNRESET, errno.EPIPE}:
        return TransportError(phase, ErrorType.RESET, detail)
    if isinstance(error, ConnectionError):
        return TransportError(
            phase, ErrorType.CLOSED
        )  # asyncio's own, for an end without an error number
    return TransportError(
        phase, ErrorType.UNREACHABLE if phase is TransportPhase.CONNECT else ErrorType.RESET, detail
    )


def _tls(error: ssl.SSLError, phase: TransportPhase) -> TransportError | None:
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return None  # only how OpenSSL waits; what broke the wait stands around it
    if isinstance(error, ssl.SSLCertVerificationError):
        what = _CERT.get(error.verify_code, ErrorType.CERT_UNTRUSTED)
        return TransportError(phase, what, error.verify_message)
    if isinstance(error, ssl.SSLZeroReturnError) and phase is TransportPhase.TLS:
        return TransportError(phase, ErrorType.PROTOCOL, "it said goodbye during the handshake")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return TransportError(phase, ErrorType.CLOSED)
    # TLS 1.3: a server refuses our part of the handshake only after we think it done.
    phase = TransportPhase.TLS if phase is TransportPhase.HEADERS else phase
    return TransportError(phase, ErrorType.PROTOCOL, (error.reason or "").replace("_", " ").lower())
