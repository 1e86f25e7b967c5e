"""The one line that leads another machine to the hub."""

import pytest

from monitor.agent.invitation import Invitation, read_invitation
from monitor.agent.signature import KeyUnusableError, PrivateKey

KEY, HUB = PrivateKey(b"a" * 32), PrivateKey(b"h" * 32)
LINE = Invitation(vantage="cn", hub="https://status.example", hub_key=HUB.public, key=KEY).line


def test_the_line_is_read_as_it_was_printed() -> None:
    found = read_invitation(f"  {LINE}\n")
    assert (found.vantage, found.hub, found.hub_key, found.key) == (
        "cn",
        "https://status.example",
        HUB.public,
        KEY,
    )
    assert KEY.text not in repr(found)


@pytest.mark.parametrize(
    "line",
    ["", "cn", LINE[:-9], LINE.replace("https", "ftp"), LINE.replace("cn ", "CN "), f"{LINE} more"],
)
def test_what_is_no_such_line_is_refused_without_quoting_its_key(line: str) -> None:
    with pytest.raises(KeyUnusableError) as caught:
        read_invitation(line)
    assert KEY.text.removeprefix("ed25519-private:")[:12] not in str(caught.value)
