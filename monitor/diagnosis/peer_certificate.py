"""Reads an unverified certificate; Python itself parses only verified ones."""

from datetime import UTC

from cryptography import x509
from cryptography.x509.oid import NameOID

from monitor.diagnosis.observations import PeerCertificate

_NAMES_SHOWN = 3


def read_certificate(der: bytes | None) -> PeerCertificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der or b"")
        return PeerCertificate(
            names=_names(certificate),
            issuer=_issuer(certificate),
            not_before=certificate.not_valid_before_utc.astimezone(UTC),
            not_after=certificate.not_valid_after_utc.astimezone(UTC),
        )
    except Exception:  # noqa: BLE001  # a stranger's bytes: whatever is wrong with them, they say nothing
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(_values(certificate.subject, NameOID.COMMON_NAME))
    known = [*names.get_values_for_type(x509.DNSName)]
    known += map(str, names.get_values_for_type(x509.IPAddress))
    return tuple(known[:_NAMES_SHOWN])


def _issuer(certificate: x509.Certificate) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for text in _values(certificate.issuer, kind):
            return text
    return "nobody"


def _values(name: x509.Name, kind: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(kind)][:1]
