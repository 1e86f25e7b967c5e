"""Writes the addresses that Apprise wants, of what other programs keep as fields and webhooks.

A part that is a secret is put aside, and its reference stands in its place; it is percent-encoded there
where Apprise decodes it. Each function returns None where its parts do not make an address.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, parse_qs, quote

from monitor.imports.fields import split_address
from monitor.model.telegram_address import TELEGRAM_API

Keep = Callable[[str, str], str]
"""Puts a secret aside and returns its reference: (value, what it is)."""
Fields = Mapping[str, str]
Writer = Callable[[Keep, Fields], str | None]


def of_fields(writer: Callable[..., str | None], *names: str) -> Writer:
    """Return the writer of an address that takes these fields in this order."""
    return lambda keep, fields: writer(keep, *(fields.get(name, "") for name in names))


def telegram(keep: Keep, token: str, chat: str, topic: str = "") -> str | None:
    chat = chat.strip()
    if not token.strip() or not re.fullmatch(r"-?\d+|@?[A-Za-z]\w*|\$\{\w+\}", chat):
        return None
    thread = f":{topic}" if topic.strip().isdecimal() else ""
    return f"tgram://{keep(token, 'token')}/{chat}{thread}"


def own_telegram_api(url: str) -> str | None:
    """Return the address of one's own server of the Bot API; None for Telegram's."""
    return url if url.rstrip("/") not in {"", TELEGRAM_API} else None


def discord(keep: Keep, webhook: str, thread: str = "") -> str | None:
    parts = split_address(webhook)
    found = parts and re.fullmatch(r"/api(?:/v\d+)?/webhooks/(\d+)/([\w-]+)/?", parts.path)
    if not found:
        return None
    where = f"?thread={thread}" if thread.isdecimal() else ""
    return f"discord://{found[1]}/{keep(found[2], 'token')}{where}"


def slack(keep: Keep, webhook: str) -> str | None:
    parts = split_address(webhook)
    found = parts and re.fullmatch(r"/services/(\w+)/(\w+)/(\w+)/?", parts.path)
    if not (parts and found and parts.hostname == "hooks.slack.com"):
        return None
    return f"slack://{found[1]}/{found[2]}/{keep(found[3], 'token')}"


def mattermost(keep: Keep, webhook: str) -> str | None:
    parts = split_address(webhook)
    found = parts and re.fullmatch(r"(/.*)?/hooks/([a-z0-9]+)/?", parts.path)
    if not (parts and found):
        return None
    return f"mmost{_s(parts)}://{_host(parts)}{found[1] or ''}/{keep(found[2], 'token')}"


def rocket_chat(keep: Keep, webhook: str) -> str | None:
    parts = split_address(webhook)
    found = parts and re.fullmatch(r"/hooks/(\w+)/(\w+)/?", parts.path)
    if not (parts and found):
        return None
    return f"rocket{_s(parts)}://{keep(f'{found[1]}/{found[2]}', 'token')}@{_host(parts)}"


def google_chat(keep: Keep, webhook: str) -> str | None:
    parts = split_address(webhook)
    found = parts and re.fullmatch(r"/v1/spaces/([^/]+)/messages/?", parts.path)
    query = parse_qs(parts.query) if parts else {}
    if not (found and query.get("key") and query.get("token")):
        return None
    key, token = _encoded(query["key"][0]), _encoded(query["token"][0])
    return f"gchat://{found[1]}/{keep(key, 'key')}/{keep(token, 'token')}"


def teams(keep: Keep, webhook: str) -> str | None:
    """Write the address of a Power Automate workflow; the older connectors are switched off."""
    parts = split_address(webhook)
    found = parts and re.search(r"/workflows/([\w-]+)/triggers/", parts.path)
    signature = parse_qs(parts.query).get("sig") if parts else None
    if not (parts and found and signature):
        return None
    return f"workflows://{_host(parts)}/{found[1]}/{keep(_encoded(signature[0]), 'signature')}"


def dingtalk(keep: Keep, webhook: str, secret: str = "") -> str | None:
    parts = split_address(webhook)
    token = parse_qs(parts.query).get("access_token") if parts else None
    if not token:
        return None
    sign = f"{keep(_encoded(secret), 'secret')}@" if secret.strip() else ""
    return f"dingtalk://{sign}{keep(_encoded(token[0]), 'token')}"


def feishu(keep: Keep, webhook: str) -> str | None:
    parts = split_address(webhook)
    found = parts and re.fullmatch(r"/open-apis/bot/v2/hook/([\w-]+)/?", parts.path)
    if not (parts and found):
        return None
    scheme = "lark" if (parts.hostname or "").endswith("larksuite.com") else "feishu"
    return f"{scheme}://{keep(found[1], 'token')}"


def token_alone(scheme: str) -> Callable[[Keep, str], str | None]:
    """Return the writer of an address that is a scheme and one token."""

    def write(keep: Keep, token: str) -> str | None:
        return f"{scheme}://{keep(_encoded(token), 'token')}" if token.strip() else None

    return write


wecom = token_alone("wecombot")
serverchan = token_alone("schan")
pushplus = token_alone("pushplus")
pushbullet = token_alone("pbul")


def opsgenie(keep: Keep, key: str, region: str = "") -> str | None:
    if not key.strip():
        return None
    where = "?region=eu" if region.strip().lower() == "eu" else ""
    return f"opsgenie://{keep(_encoded(key), 'key')}{where}"


def bark(keep: Keep, server: str) -> str | None:
    """Write the address of a device: its key is the last part of the server's address."""
    parts = split_address(server)
    key = parts.path.strip("/").rpartition("/")[2] if parts else ""
    return (
        f"bark{_s(parts)}://{_host(parts)}/{keep(_encoded(key), 'key')}" if parts and key else None
    )


def ntfy(
    keep: Keep, server: str, topic: str, token: str = "", login: tuple[str, str] | None = None
) -> str | None:
    parts = split_address(server or "https://ntfy.sh")
    if parts is None or not re.fullmatch(r"[\w-]+", topic.strip()):
        return None
    who, how = "", ""
    if token.strip():
        who, how = f"{keep(_encoded(token), 'token')}@", "?auth=token"
    elif login:
        who = f"{quote(login[0], safe='')}:{keep(_encoded(login[1]), 'password')}@"
    return f"ntfy{_s(parts)}://{who}{_host(parts)}/{topic.strip()}{how}"


def gotify(keep: Keep, server: str, token: str) -> str | None:
    parts = split_address(server)
    if parts is None or not token.strip():
        return None
    path = parts.path.strip("/")
    folder = f"{path}/" if path else ""
    return f"gotify{_s(parts)}://{_host(parts)}/{folder}{keep(_encoded(token), 'token')}"


def pushover(keep: Keep, user: str, token: str) -> str | None:
    if not (user.strip() and token.strip()):
        return None
    return f"pover://{keep(_encoded(user), 'user')}@{keep(_encoded(token), 'token')}"


def matrix(keep: Keep, server: str, token: str, room: str) -> str | None:
    parts = split_address(server)
    if parts is None or not token.strip() or not room.strip().startswith("!"):
        return None
    return f"matrix{_s(parts)}://{keep(_encoded(token), 'token')}@{_host(parts)}/{quote(room.strip(), safe='!:')}"


def email(
    keep: Keep,
    *,
    host: str,
    port: int | None,
    sender: str,
    to: str,
    login: tuple[str, str] | None = None,
    mode: str = "starttls",
) -> str | None:
    """Write the address of a mailbox; `mode` is `ssl`, `starttls` or `insecure`."""
    receivers = ",".join(filter(None, (part.strip() for part in re.split(r"[,;]", to))))
    if not re.fullmatch(r"[\w.-]+", host.strip()) or "@" not in receivers:
        return None
    scheme = "mailto" if mode == "insecure" else "mailtos"
    options = {"from": sender.strip(), "to": receivers}
    query = [f"{name}={quote(value, safe='@,')}" for name, value in options.items() if value]
    if login:
        query += [
            f"user={quote(login[0], safe='')}",
            f"pass={keep(_encoded(login[1]), 'password')}",
        ]
    return f"{scheme}://{host.strip()}{f':{port}' if port else ''}/?{'&'.join([*query, f'mode={mode}'])}"


def own_address(keep: Keep, address: str) -> str | None:
    """Take an address that is Apprise's already: all behind its scheme may be secret."""
    scheme, sign, rest = address.strip().partition("://")
    if not (sign and rest and re.fullmatch(r"[a-z][a-z0-9]*", scheme, re.IGNORECASE)):
        return None
    if re.search(r"\s", rest):
        return None
    return f"{scheme}://{keep(rest, 'address')}"


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _s(parts: SplitResult) -> str:
    return "s" if parts.scheme == "https" else ""


def _encoded(value: str) -> str:
    """Percent-encode a part; a reference is left as it stands."""
    return value.strip() if "${" in value else quote(value.strip(), safe="")
