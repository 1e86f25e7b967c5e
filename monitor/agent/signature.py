"""Ed25519 keys and signatures: what is signed, as text and as canonical strings.

A batch and a GET are signed by the agent, a configuration by the hub. `cryptography` is imported where a key
is used, so that a daemon without agents does not load it for them.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from monitor.model import MonitorError

PUBLIC, PRIVATE = "ed25519:", "ed25519-private:"
_KEY_BYTES = 32
TAG_LENGTH = 20
"""Letters of the digest of a configuration that name it."""


class KeyUnusableError(MonitorError):
    """Raised where a key is missing, cannot be read, or is none."""


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A signing key. It is never shown; `text` is for its file and for the one line of `monitor agent add`."""

    seed: bytes

    def __repr__(self) -> str:
        return "***"

    @property
    def text(self) -> str:
        return PRIVATE + base64.b64encode(self.seed).decode()

    @property
    def public(self) -> str:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # see above
            Ed25519PrivateKey,
        )

        raw = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return PUBLIC + base64.b64encode(raw).decode()

    def sign(self, message: bytes) -> str:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # see above
            Ed25519PrivateKey,
        )

        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)
        return "v1=" + base64.b64encode(signature).decode()


def new_key() -> PrivateKey:
    return PrivateKey(os.urandom(_KEY_BYTES))


def private_key(text: str) -> PrivateKey:
    """Read a private key. Raises KeyUnusableError, which quotes nothing of it."""
    return PrivateKey(_bytes_of(text.strip(), PRIVATE))


def check_public(text: str) -> str:
    """Return a public key that is one. Raises KeyUnusableError."""
    _bytes_of(text, PUBLIC)
    return text


def _bytes_of(text: str, prefix: str) -> bytes:
    try:
        raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not text.startswith(prefix) or len(raw) != _KEY_BYTES:
        raise KeyUnusableError(
            f'want a key that begins with "{prefix}", as `monitor agent add` prints it'
        )
    return raw


def is_signed(public: str, signature: str, message: bytes) -> bool:
    """Say whether `signature` is that of the holder of this key; never raises."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # see above
        Ed25519PublicKey,
    )

    try:
        raw = base64.b64decode(signature.removeprefix("v1="), validate=True)
        Ed25519PublicKey.from_public_bytes(_bytes_of(public, PUBLIC)).verify(raw, message)
    except (InvalidSignature, KeyUnusableError, ValueError):
        return False
    return signature.startswith("v1=")


def digest(body: bytes) -> str:
    """Return the SHA-256 of a body, in hex."""
    return hashlib.sha256(body).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """Everything that an agent signs of a request; a GET has no stream and no numbers."""

    method: str
    path: str
    agent: str
    stream: str = ""
    first: str = ""
    last: str = ""
    time: str
    body_digest: str

    @property
    def message(self) -> bytes:
        parts = (
            self.method,
            self.path,
            self.agent,
            self.stream,
            self.first,
            self.last,
            self.time,
            self.body_digest,
        )
        return "\n".join(parts).encode("utf-8", "surrogateescape")  # a stranger's may be any bytes


def config_message(agent: str, request: str, tag: str, time: str, body: bytes) -> bytes:
    """Return what the hub signs of a configuration.

    `request` is the signature of the agent's GET: no older answer can be given in the place of this one.
    """
    return "\n".join(("config", agent, request, tag, time, digest(body))).encode()


def load_or_make(path: Path) -> PrivateKey:
    """Return the key of a file, which is written where there is none. Raises KeyUnusableError."""
    try:
        return load_key(path)
    except FileNotFoundError:
        key = new_key()
        write_secret(path, key.text + "\n")
        return key


def load_key(path: Path) -> PrivateKey:
    """Read a key file that nobody else can read. Raises KeyUnusableError or FileNotFoundError."""
    text = read_secret(path)
    try:
        return private_key(text)
    except KeyUnusableError as error:
        raise KeyUnusableError(f"{path}: {error}") from None


def read_secret(path: Path) -> str:
    """Return the text of a file that nobody else can read. Raises KeyUnusableError or FileNotFoundError."""
    try:
        open_to_others = path.stat().st_mode & 0o077
        text = path.read_text()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise KeyUnusableError(
            f"{path} cannot be read: {getattr(error, 'strerror', error)}"
        ) from None
    if open_to_others:
        raise KeyUnusableError(f"{path} can be read by others; run: chmod 600 {path}")
    return text


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises KeyUnusableError."""
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if os.geteuid() == 0:  # the daemon may be another user, whose folder this is
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        draft.replace(path)
    except OSError as error:
        raise KeyUnusableError(f"{path} cannot be written: {error.strerror}") from None
