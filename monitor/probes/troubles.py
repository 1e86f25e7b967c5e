"""What aiohttp raised, as a `Trouble`: the stage comes from the trace, the break from the error.

aiohttp reports its own parse errors with `status == 400`, so a status on an exception means nothing.
"""

import errno
import os
import socket
import ssl

import aiohttp

from monitor.probes.facts import Break, Stage, Trouble
from monitor.probes.trace import Trace

_NAME_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_NO_ROUTE = {
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EADDRNOTAVAIL,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
}
_CERTIFICATE = {
    62: Break.CERT_HOSTNAME,
    64: Break.CERT_HOSTNAME,
    10: Break.CERT_EXPIRED,
    9: Break.CERT_NOT_YET,
}


def trouble_of(error: BaseException, trace: Trace, *, answered: bool) -> Trouble:
    """`answered`: the response headers had come."""
    cause = _root(error)
    stage = Stage.BODY if answered else _stage(cause, trace)
    return Trouble(stage, _break(cause, stage), _detail(cause))


def _root(error: BaseException) -> BaseException:
    """The error that says most: aiohttp wraps the system's own."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    if error.__cause__ is not None and isinstance(error, aiohttp.ClientError):
        return _root(error.__cause__)
    return error


def _stage(cause: BaseException, trace: Trace) -> Stage:
    if trace.sent and (trace.tls_end or not trace.tls_start):
        return Stage.HEADERS
    if trace.tls_start or isinstance(cause, ssl.SSLError):
        return Stage.TLS
    if (
        isinstance(cause, socket.gaierror)
        or trace.dns_failed
        or (trace.dns_start and not trace.attempts)
    ):
        return Stage.DNS
    return Stage.TLS if trace.connected else Stage.CONNECT


def _break(cause: BaseException, stage: Stage) -> Break:  # noqa: C901  # one table of cases
    match cause:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATE.get(cause.verify_code, Break.CERT_UNTRUSTED)
        case TimeoutError():  # also aiohttp's own, which are both
            return Break.SERVFAIL if stage is Stage.DNS else Break.TIMEOUT
        case socket.gaierror():
            return Break.NXDOMAIN if cause.errno in _NAME_UNKNOWN else Break.SERVFAIL
        case ssl.SSLZeroReturnError() | ssl.SSLEOFError():
            return Break.CLOSED
        case ssl.SSLError():
            return Break.PROTOCOL
        case ConnectionRefusedError():
            return Break.REFUSED
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return Break.RESET if cause.errno else Break.CLOSED
        case aiohttp.ServerDisconnectedError():
            return Break.CLOSED
        case aiohttp.ClientPayloadError():
            return Break.CLOSED
        case OSError() if cause.errno in _NO_ROUTE:
            return Break.UNREACHABLE
        case OSError() if not isinstance(cause, aiohttp.ClientResponseError):
            return Break.SERVFAIL if stage is Stage.DNS else Break.RESET
        case _:
            return Break.PROTOCOL


def _detail(cause: BaseException) -> str:
    """The library's word for it, where it is short and holds nothing of the request."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "").replace("_", " ").lower()
    if isinstance(cause, socket.gaierror):
        return (cause.strerror or "").lower()
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    return ""
