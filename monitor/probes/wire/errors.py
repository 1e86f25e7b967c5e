"""From what aiohttp raised to where and how a request broke. No bytes of the answer are quoted."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, ContentLengthError, TransferEncodingError

from monitor.probes.exchange import Break, Stage, Trouble
from monitor.probes.wire.http_proxy import TunnelError, trouble_by_status
from monitor.probes.wire.trace import Trace, Way

_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES}
_CERT = {
    9: Break.CERT_NOT_YET,
    10: Break.CERT_EXPIRED,
    62: Break.CERT_HOSTNAME,
    64: Break.CERT_HOSTNAME,  # the host is an address
}


def stage_of(trace: Trace, *, answered: bool) -> Stage:
    if answered:
        return Stage.BODY
    if trace.way is not Way.DIRECT and not trace.arrived:
        return Stage.PROXY
    if trace.dns_error is not None or (trace.dns_start is not None and trace.dns_end is None):
        return Stage.DNS
    if not trace.connected:
        return Stage.CONNECT
    return Stage.TLS if trace.encrypted and trace.tls_end is None else Stage.HEADERS


def trouble_of(error: BaseException, trace: Trace, *, answered: bool) -> Trouble:
    stage = stage_of(trace, answered=answered)
    if trace.dns_error is not None and stage in {Stage.DNS, Stage.PROXY}:
        return replace(_dns(trace.dns_error), stage=stage)
    for cause in _chain(error):
        found = _refused_by_proxy(cause) or _one(cause, stage)
        if found is not None:
            return found
    return Trouble(stage, Break.PROTOCOL, type(error).__name__)


def _dns(error: OSError | UnicodeError | None) -> Trouble:
    if isinstance(error, UnicodeError):
        return Trouble(Stage.DNS, Break.NXDOMAIN, "not a valid name")
    if isinstance(error, socket.gaierror) and error.errno in _NO_NAME:
        return Trouble(Stage.DNS, Break.NXDOMAIN, error.strerror or "")
    return Trouble(Stage.DNS, Break.SERVFAIL, (error and error.strerror) or "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The innermost first: that one knows what happened."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
        error = inner or error.__cause__ or error.__context__
    return reversed(seen)


def _refused_by_proxy(error: BaseException) -> Trouble | None:
    if isinstance(error, TunnelError):
        return error.trouble
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return trouble_by_status(error.status)
    return None


def _one(error: BaseException, stage: Stage) -> Trouble | None:
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return None  # only how OpenSSL waits; what broke the wait stands around it
    if isinstance(error, ssl.SSLCertVerificationError):
        what = _CERT.get(error.verify_code, Break.CERT_UNTRUSTED)
        return Trouble(stage, what, error.verify_message)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Trouble(stage, Break.CLOSED)
    if isinstance(error, ssl.SSLError):
        # TLS 1.3: a server refuses our part of the handshake only after we think it done.
        stage = Stage.TLS if stage is Stage.HEADERS else stage
        return Trouble(stage, Break.PROTOCOL, (error.reason or "").replace("_", " ").lower())
    if isinstance(error, aiohttp.ServerDisconnectedError | ContentLengthError):
        return Trouble(stage, Break.CLOSED)
    if isinstance(error, TransferEncodingError) and "Not enough data" in error.message:
        return Trouble(stage, Break.CLOSED)
    if isinstance(error, BadHttpMessage | aiohttp.ClientResponseError):
        return Trouble(stage, Break.PROTOCOL)
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
        return _os(error, stage)
    if isinstance(error, aiohttp.ClientPayloadError):
        return Trouble(stage, Break.CLOSED)
    return None


def _os(error: OSError, stage: Stage) -> Trouble:
    number = error.errno
    detail = os.strerror(number) if number else ""
    if number == errno.ECONNREFUSED:
        return Trouble(stage, Break.REFUSED, detail)
    if number in _UNREACHABLE:
        return Trouble(stage, Break.UNREACHABLE, detail)
    if number == errno.ETIMEDOUT:
        return Trouble(stage, Break.TIMEOUT, detail)
    if number in {errno.ECONNRESET, errno.EPIPE}:
        return Trouble(stage, Break.RESET, detail)
    if isinstance(error, ConnectionError):
        return Trouble(stage, Break.CLOSED)  # asyncio's own, for an end without an error number
    return Trouble(stage, Break.UNREACHABLE if stage is Stage.CONNECT else Break.RESET, detail)
