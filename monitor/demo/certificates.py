"""A throw-away certificate authority, and what an endpoint may show: good, or bad in every way."""

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import trustme

HOST = "127.0.0.1"
_OLD = timedelta(days=90)
_LATE = timedelta(days=2)
_SOON = timedelta(days=5)
_GOOD_FOR = timedelta(days=80)


@dataclass(frozen=True, slots=True)
class Certificates:
    good: trustme.LeafCert
    expired: trustme.LeafCert
    expiring: trustme.LeafCert
    wrong_name: trustme.LeafCert
    untrusted: trustme.LeafCert


def issue(ca_file: Path, now: datetime) -> Certificates:
    """Make the authority, write its certificate to `ca_file`, forget its key with this process."""
    authority = trustme.CA(organization_name="monitor demo")
    authority.cert_pem.write_to_path(str(ca_file))
    begin = now - _OLD
    return Certificates(
        good=authority.issue_cert(HOST, "localhost", not_before=begin, not_after=now + _GOOD_FOR),
        expired=authority.issue_cert(HOST, "localhost", not_before=begin, not_after=now - _LATE),
        expiring=authority.issue_cert(HOST, "localhost", not_before=begin, not_after=now + _SOON),
        wrong_name=authority.issue_cert(
            "parked.example", not_before=begin, not_after=now + _GOOD_FOR
        ),
        untrusted=trustme.CA(organization_name="nobody").issue_cert(HOST, "localhost"),
    )


def context_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
