"""A plausible address for each schema of Apprise, made from what its plugin says of itself."""

import re
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]  # what `re` itself is made of
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_UUID = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
_HEX = "a" * 64
_BY_HAND = {
    "acs": "me@example.com/a2V5a2V5a2V5a2V5/one.communication.azure.com/you@example.com",
    "dapnet": "user:pass-word@DF1ABC",
    "goalert": f"host.example/{_UUID}",
    "humhub": "token@host.example/5",
    "kook": "aaaaaaaaaaaa/1234567890123456",
    "mobilemessage": "user:pass-word@Sender/0412345678",
    "mobilemsg": "user:pass-word@Sender/0412345678",
    "nostr": "0" * 63 + "1",
    "notifiarr": "aaaaaaaaaaaa/123456789012345678",
    "octopush": "me@example.com/aaaaaaaaaaaa/15551234567",
    "pagertree": "int_aaaaaaaaaaaa",
    "session": f"{_HEX}:{_HEX}@host.example/room",
    "sogs": f"{_HEX}:{_HEX}@host.example/room",
    "threema": "*GATEWAY@aaaaaaaaaaaa/15551234567",
}
"""Where a plugin wants more than it says."""


def addresses_for(schema: str, plugin: Any) -> Iterator[str]:
    """Yield addresses of growing length; the plugin may refuse some."""
    known = _BY_HAND.get(schema) or _BY_HAND.get(schema.removesuffix("s"))
    if known:
        yield f"{schema}://{known}"
        return
    for template in plugin.templates:
        yield re.sub(
            r"\{(\w+)\}",
            lambda name: schema if name[1] == "schema" else _fill(plugin.template_tokens, name[1]),
            str(template),
        )


def _fill(tokens: dict[str, Any], name: str) -> str:
    if name != "targets":
        return _value(name, tokens.get(name, {}))
    kinds = [(other, token) for other, token in tokens.items() if token.get("map_to") == "targets"]
    if not kinds:
        return "target1"
    value, prefix = _value(*kinds[0]), kinds[0][1].get("prefix", "")
    return value if value.startswith(prefix) else f"{prefix}{value}"


def _value(name: str, token: dict[str, Any]) -> str:
    words = f"{name} {token.get('name', '')}".lower()
    kind = token.get("type", "string")
    if "values" in token and kind.startswith("choice"):
        return str(next(iter(token["values"])))
    if "phone" in words and "id" not in name:
        return "15551234567"
    if "email" in words:
        return "me@example.com"
    if token.get("regex") and (text := matching(token["regex"][0])):
        return text
    if kind == "int":
        return str(token.get("min", 8080))
    usual = {"host": "host.example", "user": "user", "password": "pass-word", "path": "/path"}
    return usual.get(name, "a" * 12)


def matching(pattern: str) -> str:
    """Return a short text that matches a regular expression."""
    return "".join(_texts(parser.parse(pattern)))


def _texts(parsed: Any) -> Iterator[str]:
    for kind, value in parsed:
        if kind is op.LITERAL:
            yield chr(value)
        elif kind is op.IN:
            yield _one_of(value)
        elif kind is op.ANY:
            yield "a"
        elif kind in {op.MAX_REPEAT, op.MIN_REPEAT}:
            least, most, inner = value
            for _ in range(max(least, min(int(most), 1 if least else 0))):
                yield from _texts(inner)
        elif kind is op.SUBPATTERN:
            yield from _texts(value[3])
        elif kind is op.BRANCH:
            yield from _texts(value[1][0])


def _one_of(choices: Any) -> str:
    for kind, value in choices:
        if kind is op.RANGE:
            return chr(max(value[0], min(value[1], ord("b"))))
        if kind is op.LITERAL and chr(value).isalnum():
            return chr(value)
        if kind is op.CATEGORY:
            return "1" if value is op.CATEGORY_DIGIT else "a"
    return "a"
