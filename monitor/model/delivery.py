"""What a person can do about a message that its channel did not take, from why it did not."""

import re

_STATUS = re.compile(r"error=(\d{3})\b")
ADDRESS = "Its token or address is refused: copy it again into `url` of the channel."
CHAT = "Its chat refuses us: check the chat's number, and that the bot is in the chat and may write there."
GONE = (
    "The channel left the configuration: put it back, or read on the page what it would have told."
)
REACH = "See whether this machine reaches the channel: `monitor test-alert` says what it answers."
REMEDIES = (ADDRESS, CHAT, GONE, REACH)


def remedy(why: str) -> str:
    """`why` is `Outgoing.last_error`; in English, as the key of its translation."""
    if why.startswith("there is no channel"):
        return GONE
    found = _STATUS.search(why)
    status = int(found[1]) if found else 0
    if status in {401, 404}:
        return ADDRESS
    return CHAT if status in {400, 403} else REACH
