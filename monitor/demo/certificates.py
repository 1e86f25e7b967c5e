"""A temporary certificate authority, and its good and bad certificates for an endpoint."""

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import trustme

HOST = "127.0.0.1"
_ISSUED_AGO = timedelta(days=90)
_EXPIRED_AGO = timedelta(days=2)
_EXPIRES_SOON = timedelta(days=5)
_VALID_FOR = timedelta(days=80)


@dataclass(frozen=True, slots=True)
class Certificates:
    good: trustme.LeafCert
    expired: trustme.LeafCert
    expiring: trustme.LeafCert
    wrong_name: trustme.LeafCert
    untrusted: trustme.LeafCert


def issue(ca_file: Path, now: datetime) -> Certificates:
    """Make an authority and its certificates, and write the authority's own certificate to `ca_file`."""
    authority = trustme.CA(organization_name="monitor demo")
    authority.cert_pem.write_to_path(str(ca_file))
    begin = now - _ISSUED_AGO
    return Certificates(
        good=authority.issue_cert(HOST, "localhost", not_before=begin, not_after=now + _VALID_FOR),
        expired=authority.issue_cert(
            HOST, "localhost", not_before=begin, not_after=now - _EXPIRED_AGO
        ),
        expiring=authority.issue_cert(
            HOST, "localhost", not_before=begin, not_after=now + _EXPIRES_SOON
        ),
        wrong_name=authority.issue_cert(
            "parked.example", not_before=begin, not_after=now + _VALID_FOR
        ),
        untrusted=trustme.CA(organization_name="nobody").issue_cert(HOST, "localhost"),
    )


def context_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
