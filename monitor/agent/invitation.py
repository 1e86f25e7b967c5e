"""The one line that `monitor agent add` prints at the hub, and that the other machine asks for."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from monitor.agent.signature import KeyUnusableError, PrivateKey, check_public, private_key

_ID = re.compile(r"[a-z0-9-]{1,40}")


def is_id(text: str) -> bool:
    """Say whether a text may be the id of a vantage."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Everything that an agent must know: who it is, where the hub is, and the keys of both."""

    vantage: str
    hub: str
    hub_key: str
    key: PrivateKey

    @property
    def line(self) -> str:
        """Return the line; it holds the private key."""
        return f"{self.vantage} {self.hub} {self.hub_key} {self.key.text}"


def read_invitation(line: str) -> Invitation:
    """Read the line. Raises KeyUnusableError, which quotes nothing of the private key."""
    words = line.split()
    if len(words) != 4:
        got = "1 word" if len(words) == 1 else f"{len(words)} words"
        raise KeyUnusableError(
            f"got {got}, want the whole line that `monitor agent add` has printed: four"
        )
    vantage, hub, hub_key, key = words
    parts = urlsplit(hub)
    if not is_id(vantage) or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise KeyUnusableError(
            "want the line that `monitor agent add` has printed: the vantage, the hub's address, two keys"
        )
    return Invitation(
        vantage=vantage, hub=hub.rstrip("/"), hub_key=check_public(hub_key), key=private_key(key)
    )
