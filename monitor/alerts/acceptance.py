"""Decides from what a service answered whether it took a message. Pure.

Apprise mostly looks at the status alone, and many services refuse with HTTP 200 and an error inside.
Of the services in `_SERVICES` the form of a success is known: what has another form is not taken,
such as the login page of a captive portal. Of the others the status decides.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from monitor.model.duration import read_pause
from monitor.model.errors import MENDED_BY_A_PERSON

NO_REQUEST = "the channel made no request"
_SHOWN = 180
"""The most characters of a service's own words."""
_LONG_MS = 10**12
"""Milliseconds that nobody means."""
_PASSES = frozenset({408, 425, 429})
"""The statuses under 500 after which the same request may succeed."""


@dataclass(frozen=True, slots=True)
class ChannelAnswer:
    """Holds one HTTP response, or one reply of a mail server; the names of `headers` are in small letters."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    protocol: str = "HTTP"
    sent: bytes = b""
    """The body of the request."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < (400 if self.protocol == "SMTP" else 300)

    @property
    def is_page(self) -> bool:
        """Say whether it is an HTML page, which no API answers."""
        return self.body.lstrip()[:200].lower().startswith((b"<!doctype html", b"<html"))

    def json(self) -> dict[str, Any]:
        """Return the JSON object that the body is; empty where it is none."""
        return _object(self.body)


def _object(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Says why a message was not taken, what the service wants, and whether trying again can help."""

    why: str
    wait: timedelta | None = None
    """As long as the service asks to be left alone."""
    needs_person: bool = False
    """The same message will be refused until somebody mends the channel's address, rights or settings."""
    moved: tuple[str, str] | None = None
    """The numbers of a Telegram group before and after it became a supergroup."""


@dataclass(frozen=True, slots=True)
class _Service:
    """Knows how one service answers: `taken` the form of a success, `code` the error code in a body."""

    taken: Callable[[ChannelAnswer], bool]
    code: Callable[[Mapping[str, Any]], object] = lambda _: None
    waits: Mapping[object, timedelta] = field(default_factory=dict)
    """The codes, or words, that ask for time, and how long to wait by the service's documentation."""
    passes: frozenset[object] = frozenset()
    """The codes of trouble that passes by itself."""
    about: str = ""
    """Part of the URL of the requests that carry a message, where others come before it."""


def refusal(
    schema: str,
    answers: Iterable[ChannelAnswer],
    *,
    reported: bool,
    log: str = "",
    is_http: bool = True,
) -> Refusal | None:
    """Return why the service did not take the message; None where it did.

    `reported` is what Apprise believes, `log` what it logged. `is_http` says whether the plugin speaks
    HTTP, so that no answer means that it did not ask.
    """
    heard = tuple(answers)
    service = _SERVICES.get(schema)
    if not reported:
        return _refused(service, heard, log, is_http=is_http)
    if not is_http:
        return None
    carried = [answer for answer in heard if _carries(service, answer) and answer.is_success]
    if not carried:
        return Refusal(NO_REQUEST)
    bad = [answer for answer in carried if service and not service.taken(answer)]
    return _read(service, bad[-1]) if bad else None


def retry_after(answer: ChannelAnswer) -> timedelta | None:
    """Return how long a service wants to be left alone, by its header or body; a day at most."""
    body = answer.json()
    parameters = body.get("parameters")
    asked = parameters if isinstance(parameters, dict) else body
    milliseconds = body.get("retry_after_ms")
    if not isinstance(milliseconds, int) or abs(milliseconds) > _LONG_MS:
        milliseconds = None
    return (
        read_pause(asked.get("retry_after"))
        or read_pause(milliseconds / 1000 if milliseconds else None)
        or read_pause(answer.headers.get("retry-after"), answer.headers.get("date"))
    )


def _refused(
    service: _Service | None, heard: tuple[ChannelAnswer, ...], log: str, *, is_http: bool
) -> Refusal:
    """Say why from the last answer that is none of a success, else from what Apprise logged."""
    bad = [
        answer
        for answer in heard
        if not answer.is_success
        or (service and _carries(service, answer) and not service.taken(answer))
    ]
    if bad:
        return _read(service, bad[-1])
    if log:
        return Refusal(log)
    silent = is_http and not heard
    return Refusal(NO_REQUEST if silent else "the channel did not take it and gave no reason")


def _carries(service: _Service | None, answer: ChannelAnswer) -> bool:
    """Say whether it answers a request that carries a message, and not one before it."""
    return service is None or service.about in answer.url


def _read(service: _Service | None, answer: ChannelAnswer) -> Refusal:
    """Read one answer that is no success."""
    body = answer.json()
    code = service.code(body) if service else None
    own = _words(answer, body)
    text = (
        f"{answer.protocol} {answer.status}{', but not delivered' if answer.is_success else ''}: "
    )
    text += own or _no_words(answer)
    if code is not None and str(code) not in {str(answer.status), own}:
        text += f" (code {code})"
    if moved := _moved(answer):
        return Refusal(text, moved=moved)
    wait = retry_after(answer) if answer.status in {200, 429, 503} else None
    if wait := wait or _documented(service, code, own):
        return Refusal(text, wait)
    if answer.is_success:
        lasts = bool(own or code is not None) and not (service and code in service.passes)
    elif answer.protocol == "SMTP":
        lasts = answer.status >= 500
    else:
        lasts = 400 <= answer.status < 500 and answer.status not in _PASSES
    return _lasting(text) if lasts else Refusal(text)


def _documented(service: _Service | None, code: object, words: str) -> timedelta | None:
    """Return how long to wait after this code, or these words, by the service's documentation."""
    return next(
        (
            wait
            for sign, wait in (service.waits if service else {}).items()
            if sign == code or (isinstance(sign, str) and sign in words)
        ),
        None,
    )


def _moved(answer: ChannelAnswer) -> tuple[str, str] | None:
    parameters = answer.json().get("parameters")
    after = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
    before = _object(answer.sent).get("chat_id")
    return (str(before), str(after)) if isinstance(after, int) and before else None


def _lasting(text: str) -> Refusal:
    return Refusal(f"{text}; {MENDED_BY_A_PERSON}", needs_person=True)


_KEYS = (
    *("description", "errmsg", "errorDescription", "error_message", "message", "msg", "error"),
    *("info", "StatusMessage", "detail", "title", "reason", "meta"),
)


def _words(answer: ChannelAnswer, body: Mapping[str, Any]) -> str:
    """Return the service's own words for what is wrong, or nothing."""
    if not body:
        is_text = not answer.is_page and not answer.body.lstrip().startswith((b"{", b"[", b"<"))
        return _cut(answer.body[: 4 * _SHOWN].decode("utf-8", "replace")) if is_text else ""
    general = next(filter(None, (_text(body.get(key)) for key in _KEYS)), "")
    return _cut(": ".join(filter(None, dict.fromkeys((general, _text(body.get("errors")))))))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        named = next((value[key] for key in _KEYS if isinstance(value.get(key), str)), None)
        return named or "; ".join(text for text in value.values() if isinstance(text, str))
    if isinstance(value, list):
        texts = (_text(part) for part in value[:3] if not isinstance(part, list))
        return "; ".join(filter(None, texts))
    return ""


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _no_words(answer: ChannelAnswer) -> str:
    if answer.is_page:
        return "a web page answered in place of the service"
    return "an empty answer" if not answer.body.strip() else "an answer that is not the service's"


def _has(*keys: str) -> Callable[[ChannelAnswer], bool]:
    return lambda answer: all(key in answer.json() for key in keys)


def _is(key: str, *values: object) -> Callable[[ChannelAnswer], bool]:
    """Return what judges by one field, into which services put their success; `True` is not 1."""
    kinds = {(type(value), value) for value in values}

    def taken(answer: ChannelAnswer) -> bool:
        value = answer.json().get(key)
        return not isinstance(value, dict | list) and (type(value), value) in kinds

    return taken


def _coded(
    *keys: str,
    good: int = 0,
    waits: Mapping[object, timedelta] | None = None,
    passes: Iterable[object] = (),
) -> _Service:
    """Return a service that answers HTTP 200 with a number that says whether it took the message."""

    def code(body: Mapping[str, Any]) -> object:
        return next((body[key] for key in keys if isinstance(body.get(key), int)), None)

    def taken(answer: ChannelAnswer) -> bool:
        return code(answer.json()) == good

    return _Service(taken, code, waits or {}, frozenset(passes))


def _is_slack(answer: ChannelAnswer) -> bool:
    """Judge Slack's answer: a webhook says `ok`, the API a document with `ok`."""
    return answer.body.strip() == b"ok" or answer.json().get("ok") is True


def _is_discord(answer: ChannelAnswer) -> bool:
    return answer.status == 204 or "id" in answer.json()


def _is_no_page(answer: ChannelAnswer) -> bool:
    """Judge services that promise nothing of the body: anything but a page is success."""
    return not answer.is_page


_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_ALERTS = _Service(_has("requestId"))
_LARK = _coded("code", "StatusCode", waits={11232: _MINUTE, "too many request": _MINUTE})
_MATRIX = _Service(
    _has("event_id"), lambda body: _text(body.get("errcode")) or None, about="/send/"
)
_PUSHPLUS = _coded("code", good=200, waits={900: 6 * _HOUR}, passes={302, 500})
_SERVICES: Mapping[str, _Service] = {
    "tgram": _Service(_is("ok", True)),
    "slack": _Service(_is_slack, waits={"ratelimited": _MINUTE, "rate_limited": _MINUTE}),
    "discord": _Service(_is_discord),
    "workflow": _Service(_is_no_page),
    "workflows": _Service(_is_no_page),
    "matrix": _MATRIX,
    "matrixs": _MATRIX,
    "ntfy": _Service(_is("event", "message")),
    "ntfys": _Service(_is("event", "message")),
    "pover": _Service(_is("status", 1)),
    "gotify": _Service(_has("id", "message")),
    "gotifys": _Service(_has("id", "message")),
    "pagerduty": _Service(_is("status", "success")),
    "opsgenie": _ALERTS,
    "jira": _ALERTS,
    "squadcast": _Service(_is_no_page),
    "incidentio": _Service(_is("status", "success")),
    "dingtalk": _coded("errcode", waits={130101: 10 * _MINUTE, 130102: 10 * _MINUTE}, passes={-1}),
    "feishu": _LARK,
    "lark": _LARK,
    "wecombot": _coded("errcode", waits={45009: _MINUTE}, passes={-1}),
    "schan": _coded("code", "errno", waits={"次数限制": _HOUR}),
    "bark": _coded("code", good=200, passes={500, 503}),
    "barks": _coded("code", good=200, passes={500, 503}),
    "pushplus": _PUSHPLUS,
    "wecom": _PUSHPLUS,
}
"""Schemas of Apprise. The sources of each form are its service's documentation; see `tests/channels`."""
