"""The stubs of chat and push services."""

import base64
import hashlib
import hmac
import re
from typing import Any, ClassVar
from urllib.parse import unquote

from stubs import HTML, RefusedError, Reply, Sent, Stub, Way, need
from telegram import CHAT, TOKEN

_KEY = "k3Y" * 20
"""Cut to the length that a service wants."""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Telegram(Stub):
    """core.telegram.org/bots/api, `sendMessage`; a mirror may refuse under HTTP 200."""

    schema = "tgram"
    hosts = ("api.telegram.org",)
    url = f"tgram://{TOKEN}/{CHAT}"
    _TAG = re.compile(r"</?(?:b|strong|i|em|u|s|code|pre|a)(?:\s[^<>]*)?>")

    @staticmethod
    def no(code: int, description: str, status: int | None = None, **parameters: object) -> Reply:
        body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
        if parameters:
            body["parameters"] = parameters
        return Reply(status or code, body)

    ways = (
        Way("wrong token", no(401, "Unauthorized"), "Unauthorized", person=True),
        Way("thrown out", no(403, "Forbidden: bot was kicked"), "bot was kicked", person=True),
        Way("flood", no(429, "Too Many Requests", retry_after=9), "Too Many Requests", wait=9),
        Way(
            "a mirror's denial",
            no(429, "Too Many Requests", 200, retry_after=9),
            "Too Many",
            wait=9,
        ),
        Way("a mirror's wrong chat", no(400, "chat not found", 200), "chat not found", person=True),
        Way("an empty answer", Reply(200), "an empty answer"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.chats = {CHAT}
        self.moved: dict[str, int] = {}
        """The supergroups that groups have become."""

    def take(self, sent: Sent) -> Reply:
        need(sent.path == f"/bot{TOKEN}/sendMessage", 404, {"ok": False, "error_code": 404})
        body = sent.json()
        chat = str(body.get("chat_id"))
        if chat in self.moved:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise RefusedError(self.no(400, text, migrate_to_chat_id=self.moved[chat]))
        if chat not in self.chats:
            raise RefusedError(self.no(400, "Bad Request: chat not found"))
        text = str(body.get("text", ""))
        if str(body.get("parse_mode", "")).upper() == "HTML":
            bare = self._TAG.sub("", text)
            if re.search(r"<|>|&(?!(?:lt|gt|amp|quot|#\d+);)", bare):
                raise RefusedError(self.no(400, "Bad Request: can't parse entities"))
        if not text.strip() or units(text) > 4096:
            raise RefusedError(self.no(400, "Bad Request: message is empty or too long"))
        self.taken.append((chat, text))
        return Reply(200, {"ok": True, "result": {"message_id": len(self.taken)}})


class Slack(Stub):
    """api.slack.com/messaging/webhooks: plain words, `ok` or why not."""

    schema = "slack"
    hosts = ("hooks.slack.com",)
    path = f"T{_KEY[:8].upper()}/B{_KEY[:8].upper()}/{_KEY[:24]}"
    url = f"slack://{path}"
    ways = (
        Way("revoked", Reply(403, "invalid_token"), "invalid_token", person=True),
        Way("gone", Reply(404, "no_service"), "no_service", person=True),
        Way("archived", Reply(410, "channel_is_archived"), "channel_is_archived", person=True),
        Way("refused under 200", Reply(200, "no_service"), "no_service", person=True),
        Way(
            "denied under 200",
            Reply(200, {"ok": False, "error": "invalid_auth"}),
            "invalid_auth",
            person=True,
        ),
        Way(
            "busy under 200",
            Reply(200, {"ok": False, "error": "rate_limited"}),
            "rate_limited",
            wait=60,
        ),
        Way("an empty answer", Reply(200), "an empty answer"),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == f"/services/{self.path}", 403, "invalid_token")
        body = sent.json()
        shown = body.get("attachments") or body.get("blocks") or body.get("text")
        need(shown, 400, "no_text")
        self.taken.append(body)
        return Reply(200, "ok")


class Discord(Stub):
    """docs.discord.com, "Execute Webhook": 204, or 200 with the message for `?wait=true`."""

    schema = "discord"
    hosts = ("discord.com",)
    path = f"{'4' * 18}/{_KEY}"
    url = f"discord://{path}"
    unknown: ClassVar = {"message": "Unknown Webhook", "code": 10015}
    ways = (
        Way("no such webhook", Reply(404, unknown), "Unknown Webhook", person=True),
        Way(
            "wrong token",
            Reply(401, {"message": "Invalid Webhook Token", "code": 50027}),
            "Invalid Webhook Token",
            person=True,
        ),
        Way("an error under 200", Reply(200, unknown), "Unknown Webhook", person=True),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == f"/api/webhooks/{self.path}", 404, self.unknown)
        body = sent.json()
        content, embeds = body.get("content", ""), body.get("embeds", [])
        need(content or embeds, 400, {"message": "Cannot send an empty message", "code": 50006})
        long = len(content) > 2000 or any(len(one.get("description", "")) > 4096 for one in embeds)
        need(not long, 400, {"code": 50035, "message": "Invalid Form Body"})
        self.taken.append(body)
        wants_it = sent.query.get("wait") == "true"
        return Reply(200, {"id": "1", "type": 0}) if wants_it else Reply(204)


class Teams(Stub):
    """Power Automate, "When a Teams webhook request is received": 202 and nothing, for an Adaptive Card."""

    schema = "workflow"
    hosts = ("prod-1.westeurope.logic.azure.com",)
    url = f"workflow://{hosts[0]}:443/{_KEY[:32]}/{_KEY[:43]}"

    @staticmethod
    def no(code: str, message: str) -> dict[str, Any]:
        return {"error": {"code": code, "message": message}}

    unsigned: ClassVar = no("DirectApiAuthorizationRequired", "it must have an authorization")
    off: ClassVar = no("WorkflowTriggerIsNotEnabled", "Could not execute workflow")
    ways = (
        Way("a signature that is none", Reply(401, unsigned), "must have an auth", person=True),
        Way("the flow is off", Reply(400, off), "Could not execute workflow", person=True),
    )

    def take(self, sent: Sent) -> Reply:
        right = sent.path.startswith(f"/workflows/{_KEY[:32]}/triggers/")
        need(right, 404, self.no("WorkflowNotFound", "not found"))
        need(sent.query.get("sig") == _KEY[:43], 401, self.unsigned)
        body = sent.json()
        (card,) = body["attachments"]
        schema = self.no("TriggerInputSchemaMismatch", "no Adaptive Card")
        fits = (
            body.get("type") == "message"
            and card.get("contentType") == "application/vnd.microsoft.card.adaptive"
            and card["content"].get("type") == "AdaptiveCard"
            and card["content"].get("body")
        )
        need(fits and len(sent.body) < 28_000, 400, schema)
        self.taken.append(card["content"])
        return Reply(202)


class Matrix(Stub):
    """spec.matrix.org, the client-server API: log in, join, send with a transaction id."""

    schema = "matrixs"
    hosts = ("matrix.example",)
    room = "!alerts:matrix.example"
    password = _KEY[:12]
    url = f"matrixs://monitor:{password}@matrix.example/{room}"

    @staticmethod
    def no(code: str, error: str) -> dict[str, str]:
        return {"errcode": code, "error": error}

    ways = (
        Way(
            "not in the room",
            Reply(403, no("M_FORBIDDEN", "not in room")),
            "not in room",
            person=True,
        ),
        Way("an event that is none", Reply(200, no("M_UNKNOWN", "odd")), "odd", person=True),
        Way("an empty answer", Reply(200, {}), "not the service's"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._transactions: dict[str, str] = {}

    def carries(self, sent: Sent) -> bool:
        return "/send/" in sent.path

    def take(self, sent: Sent) -> Reply:
        unknown = self.no("M_UNRECOGNIZED", "Unrecognized request")
        need(sent.path.startswith("/_matrix/client/"), 404, unknown)
        if sent.path.endswith("/versions"):
            return Reply(200, {"versions": ["v1.11"]})
        if sent.path.endswith("/login"):
            body = sent.json()
            wrong = self.no("M_FORBIDDEN", "Invalid username or password")
            need(body.get("password") == self.password, 403, wrong)
            return Reply(
                200,
                {"user_id": "@monitor:matrix.example", "access_token": _KEY, "device_id": "D"},
            )
        bearer = sent.headers.get("authorization") or f"Bearer {sent.query.get('access_token')}"
        token = self.no("M_UNKNOWN_TOKEN", "Invalid access token")
        need(bearer == f"Bearer {_KEY}", 401, token)
        return self._with_token(sent, unquote(sent.path))

    def _with_token(self, sent: Sent, path: str) -> Reply:
        if path.endswith("/joined_rooms"):
            return Reply(200, {"joined_rooms": [self.room]})
        if "/join" in path:
            need(self.room in path, 404, self.no("M_NOT_FOUND", "no such room"))
            return Reply(200, {"room_id": self.room})
        if "/send/" in path:
            need(sent.method == "PUT", 405, self.no("M_UNRECOGNIZED", "PUT it"))
            body, transaction = sent.json(), path.rpartition("/")[2]
            shaped = body.get("msgtype") == "m.text" and isinstance(body.get("body"), str)
            need(shaped, 400, self.no("M_BAD_JSON", "no m.text"))
            if transaction not in self._transactions:
                self._transactions[transaction] = f"$event{len(self.taken)}"
                self.taken.append(body)
            return Reply(200, {"event_id": self._transactions[transaction]})
        return Reply(200, {})


class Ntfy(Stub):
    """docs.ntfy.sh/publish, as JSON."""

    schema = "ntfy"
    hosts = ("ntfy.sh",)
    topic = "monitor-alerts"
    url = f"ntfy://{topic}"
    ways = (
        Way(
            "forbidden",
            Reply(403, {"code": 40301, "http": 403, "error": "forbidden"}),
            "forbidden",
            person=True,
        ),
        Way(
            "its limit",
            Reply(429, {"code": 42901, "http": 429, "error": "limit reached: too many requests"}),
            "limit reached",
        ),
        Way(
            "an error under 200",
            Reply(200, {"code": 40301, "error": "forbidden"}),
            "forbidden",
            person=True,
        ),
    )

    def take(self, sent: Sent) -> Reply:
        body = sent.json()
        need(
            body.get("topic") == self.topic,
            400,
            {"code": 40009, "http": 400, "error": "topic invalid"},
        )
        need(
            len(body.get("message", "").encode()) <= 4096,
            413,
            {"code": 41301, "error": "too large"},
        )
        self.taken.append(body)
        return Reply(200, {"id": "sPs71M8A2T", "time": 1, "event": "message", **body})


class Pushover(Stub):
    """pushover.net/api: 1,024 characters, a title of 250; `status` 1 is taken, 4xx must not come again."""

    schema = "pover"
    hosts = ("api.pushover.net",)
    user, token = "u" * 30, "a" * 30
    url = f"pover://{user}@{token}"
    ways = (
        Way(
            "wrong user",
            Reply(400, {"user": "invalid", "errors": ["user identifier is invalid"], "status": 0}),
            "user identifier is invalid",
            person=True,
        ),
        Way(
            "status 0 under 200",
            Reply(200, {"errors": ["message was dropped"], "status": 0}),
            "message was dropped",
            person=True,
        ),
        Way(
            "its month is spent",
            Reply(429, {"errors": ["application is over its monthly limit"], "status": 0}),
            "monthly limit",
        ),
    )

    def take(self, sent: Sent) -> Reply:
        body = sent.form()
        right = body.get("token") == self.token and body.get("user") == self.user
        need(right, 400, {"errors": ["token or user is invalid"], "status": 0})
        fits = 0 < len(body.get("message", "")) <= 1024 and len(body.get("title", "")) <= 250
        need(fits, 400, {"errors": ["message cannot be blank or too long"], "status": 0})
        urgent = body.get("priority") != "2" or {"retry", "expire"} <= body.keys()
        need(urgent, 400, {"errors": ["expire must be supplied with priority=2"], "status": 0})
        self.taken.append(body)
        return Reply(200, {"status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"})


class Gotify(Stub):
    """gotify.net/api-docs: `POST /message` with an application's token."""

    schema = "gotify"
    hosts = ("gotify.example",)
    token = f"A{_KEY[:14]}"
    url = f"gotifys://gotify.example/{token}"
    no_token = Reply(
        401,
        {
            "error": "Unauthorized",
            "errorCode": 401,
            "errorDescription": "you need to provide a valid access token",
        },
    )
    ways = (
        Way("wrong token", no_token, "valid access token", person=True),
        Way("another server", Reply(200, {"hello": 1}), "not the service's"),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == "/message", 404, {"error": "Not Found", "errorCode": 404})
        if sent.headers.get("x-gotify-key") != self.token:
            raise RefusedError(self.no_token)
        body = sent.json()
        need(body.get("message"), 400, {"error": "Bad Request", "errorCode": 400})
        self.taken.append(body)
        return Reply(200, {"id": len(self.taken), "appid": 1, **body})


class Webhook(Stub):
    """Anybody's JSON webhook: whatever it answers under 200 is its own affair."""

    schema = "jsons"
    hosts = ("hook.example",)
    url = "jsons://hook.example/alerts"
    promises = False
    ways = (
        Way(
            "its own refusal", Reply(422, {"detail": "unknown field"}), "unknown field", person=True
        ),
    )

    def take(self, sent: Sent) -> Reply:
        body = sent.json()
        need({"title", "message", "type"} <= body.keys(), 422, {"detail": "a field is missing"})
        self.taken.append(body)
        return Reply(200)


class DingTalk(Stub):
    """open.dingtalk.com, custom robots: always HTTP 200; 20 messages a minute, then ten minutes of silence."""

    schema = "dingtalk"
    hosts = ("oapi.dingtalk.com",)
    token, secret = "d" * 64, f"SEC{'5' * 61}"
    url = f"dingtalk://{secret}@{token}"
    no_words: ClassVar = {
        "errcode": 310000,
        "errmsg": "keywords not in content, more: [https://ding-doc]",
    }
    no_sign: ClassVar = {"errcode": 310000, "errmsg": "sign not match, more: [https://ding-doc]"}
    no_token: ClassVar = {"errcode": 300005, "errmsg": "token is not exist"}
    ways = (
        Way("its keywords", Reply(200, no_words), "keywords not in content", person=True),
        Way("wrong token", Reply(200, no_token), "token is not exist", person=True),
        Way(
            "too fast",
            Reply(200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}),
            "send too fast",
            wait=600,
        ),
        Way("it is busy", Reply(200, {"errcode": -1, "errmsg": "system busy"}), "system busy"),
        Way("an empty answer", Reply(200), "an empty answer"),
        Way("another's answer", Reply(200, {"hello": 1}), "not the service's"),
    )

    def take(self, sent: Sent) -> Reply:
        known = sent.path == "/robot/send" and sent.query.get("access_token") == self.token
        need(known, 200, self.no_token)
        text = f"{sent.query.get('timestamp')}\n{self.secret}"
        digest = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        need(sent.query.get("sign") == base64.b64encode(digest).decode(), 200, self.no_sign)
        body = sent.json()
        content = body.get(body.get("msgtype"), {})
        shown = content.get("content") or (content.get("title") and content.get("text"))
        need(shown, 200, {"errcode": 40035, "errmsg": "缺少参数"})
        need(len(sent.body) <= 20_000, 200, {"errcode": 460101, "errmsg": "message too long"})
        self.taken.append(content)
        return Reply(200, {"errcode": 0, "errmsg": "ok"})


class Feishu(Stub):
    """open.feishu.cn, custom bots: HTTP 200 with `code`; 100 a minute, 20 KB."""

    schema = "feishu"
    hosts = ("open.feishu.cn",)
    token = "f" * 36
    url = f"feishu://{token}"
    no_token: ClassVar = {
        "code": 19001,
        "data": {},
        "msg": "param invalid: incoming webhook access token invalid",
    }
    ways = (
        Way(
            "wrong token",
            Reply(
                200,
                no_token,
            ),
            "token invalid",
            person=True,
        ),
        Way(
            "its keywords",
            Reply(200, {"code": 19024, "msg": "Key Words Not Found"}),
            "Key Words Not Found",
            person=True,
        ),
        Way(
            "an old answer",
            Reply(200, {"StatusCode": 19021, "StatusMessage": "sign match fail"}),
            "sign match fail",
            person=True,
        ),
        Way(
            "too fast",
            Reply(200, {"code": 11232, "msg": "frequency limited psm"}),
            "frequency limited",
            wait=60,
        ),
        Way(
            "too many",
            Reply(200, {"code": 9499, "msg": "too many request"}),
            "too many request",
            wait=60,
        ),
        Way("an empty answer", Reply(200), "an empty answer"),
    )

    def take(self, sent: Sent) -> Reply:
        known = sent.path.rstrip("/") == f"/open-apis/bot/v2/hook/{self.token}"
        need(known, 200, self.no_token)
        need(len(sent.body) <= 20_480, 200, {"code": 9499, "msg": "Bad Request", "data": {}})
        body = sent.json()
        kind = body.get("msg_type")
        text = body.get("content", {}).get("text") if kind == "text" else body.get("card")
        need(kind in {"text", "interactive"} and text, 200, {"code": 9499, "msg": "Bad Request"})
        self.taken.append(text)
        return Reply(
            200,
            {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"},
        )


class Lark(Feishu):
    """open.larksuite.com: Feishu outside of China."""

    schema = "lark"
    hosts = ("open.larksuite.com",)
    url = f"lark://{Feishu.token}"


class WeComBot(Stub):
    """developer.work.weixin.qq.com, group robots: `errcode`; 2,048 bytes of text, 20 a minute."""

    schema = "wecombot"
    hosts = ("qyapi.weixin.qq.com",)
    key = f"{'9' * 8}-0000-4000-8000-{'9' * 12}"
    url = f"wecombot://{key}"
    no_key: ClassVar = {"errcode": 93000, "errmsg": "invalid webhook url"}
    ways = (
        Way("wrong key", Reply(200, no_key), "invalid webhook url", person=True),
        Way(
            "too fast",
            Reply(200, {"errcode": 45009, "errmsg": "api freq out of limit"}),
            "freq out of limit",
            wait=60,
        ),
        Way("it is busy", Reply(200, {"errcode": -1, "errmsg": "system busy"}), "system busy"),
        Way("an empty answer", Reply(200), "an empty answer"),
    )

    def take(self, sent: Sent) -> Reply:
        known = sent.path == "/cgi-bin/webhook/send" and sent.query.get("key") == self.key
        need(known, 200, self.no_key)
        body = sent.json()
        kind = body.get("msgtype")
        most = {"text": 2048, "markdown": 4096}.get(kind)
        need(most, 200, {"errcode": 40008, "errmsg": "invalid message type"})
        text = body.get(kind, {}).get("content", "")
        need(text, 200, {"errcode": 44004, "errmsg": "empty content"})
        long = len(text.encode()) > (most or 0)
        need(
            not long, 200, {"errcode": 40058, "errmsg": f"{kind}.content exceed max length {most}"}
        )
        self.taken.append(text)
        return Reply(200, {"errcode": 0, "errmsg": "ok"})


class ServerChan(Stub):
    """sct.ftqq.com: a title of at most 32 characters, which it cuts itself; `code` 0."""

    schema = "schan"
    hosts = ("sctapi.ftqq.com",)
    key = f"SCT1T{_KEY[:20]}"
    url = f"schan://{key}"
    spent: ClassVar = {
        "code": 40001,
        "message": "[AUTH]超过当天的发送次数限制[5]，请稍后再试",
        "scode": 468,
    }
    no_key: ClassVar = {"code": 40001, "message": "[AUTH]错误的Key", "scode": 461}
    ways = (
        Way(
            "wrong key",
            Reply(
                400,
                no_key,
            ),
            "错误的Key",
            person=True,
        ),
        Way("wrong key under 200", Reply(200, no_key), "错误的Key", person=True),
        Way("its day is spent", Reply(400, spent), "次数限制", wait=3600),
        Way(
            "an old refusal",
            Reply(200, {"errno": 1024, "errmsg": "不要重复发送同样的内容"}),
            "不要重复发送",
            person=True,
        ),
        Way("an empty answer", Reply(200), "an empty answer"),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == f"/{self.key}.send", 400, self.no_key)
        body = sent.form()
        need(body.get("title"), 400, {"code": 40001, "message": "[INPUT]标题不能为空"})
        self.taken.append(body)
        done = {"pushid": "1", "readkey": "r", "error": "SUCCESS", "errno": 0}
        return Reply(200, {"code": 0, "message": "", "data": done})


class Bark(Stub):
    """github.com/Finb/bark-server, docs/API_V2.md: `code` 200; an own server's proxy may flatten the status."""

    schema = "barks"
    hosts = ("api.day.app",)
    key = _KEY[:22]
    url = f"barks://api.day.app/{key}"
    unknown: ClassVar = {
        "code": 400,
        "message": "failed to get device token: failed to get [k] device token from database",
        "timestamp": 1,
    }
    ways = (
        Way("no such device", Reply(400, unknown), "failed to get device token", person=True),
        Way(
            "no such device under 200",
            Reply(200, unknown),
            "failed to get device token",
            person=True,
        ),
        Way(
            "Apple refuses",
            Reply(500, {"code": 500, "message": "push failed: InternalServerError"}),
            "push failed",
        ),
        Way(
            "Apple refuses under 200",
            Reply(200, {"code": 500, "message": "push failed: InternalServerError"}),
            "push failed",
        ),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == "/push", 404, {"code": 404, "message": "Cannot POST"})
        body = sent.json()
        need(body.get("device_key") == self.key, 400, self.unknown)
        need(len(sent.body) <= 4096, 500, {"code": 500, "message": "push failed: PayloadTooLarge"})
        self.taken.append(body)
        return Reply(200, {"code": 200, "message": "success", "timestamp": 1})


class PushPlus(Stub):
    """www.pushplus.plus/doc: always HTTP 200; `code` 200 is taken, 900 asks to stop for the day."""

    schema = "pushplus"
    hosts = ("www.pushplus.plus",)
    token = "p" * 32
    url = f"pushplus://{token}"
    no_token: ClassVar = {"code": 903, "msg": "无效的用户令牌", "data": None}
    ways = (
        Way("wrong token", Reply(200, no_token), "无效的用户令牌", person=True),
        Way(
            "its day is spent",
            Reply(200, {"code": 900, "msg": "用户账号使用受限", "data": None}),
            "用户账号使用受限",
            wait=21_600,
        ),
        Way("it has trouble", Reply(200, {"code": 500, "msg": "系统异常，请稍后再试"}), "系统异常"),
        Way("an empty answer", Reply(200), "an empty answer"),
    )

    def take(self, sent: Sent) -> Reply:
        need(sent.path == "/send", 404, HTML)
        body = sent.json()
        need(body.get("token") == self.token, 200, self.no_token)
        need(body.get("content"), 200, {"code": 999, "msg": "服务端验证错误"})
        self.taken.append(body)
        return Reply(200, {"code": 200, "msg": "请求成功", "data": "f" * 32, "count": None})


CHATS: tuple[type[Stub], ...] = (
    Telegram,
    Slack,
    Discord,
    Teams,
    Matrix,
    Ntfy,
    Pushover,
    Gotify,
    Webhook,
    DingTalk,
    Feishu,
    Lark,
    WeComBot,
    ServerChan,
    Bark,
    PushPlus,
)
