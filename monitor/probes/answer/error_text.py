"""Finds an error that was delivered as the assistant's words, under HTTP 200 and with a finish reason.

Relays do so with the error of a channel behind them. It is no wrong answer of a model: no user gets
anything of use, and no client notices.
"""

import re

from monitor.model import Failure, FailureKind, Outcome
from monitor.probes.verdict.classify import is_error_object, judge_error_object
from monitor.probes.verdict.error_body import read_json

_LONGEST = 1000
_LONGEST_VAGUE = 400
"""Errors are short; in a long text such words are its subject."""
_QUOTED = 200
_STATUS = (
    r"(?:bad\ request|unauthorized|payment\ required|forbidden|too\ many\ requests|bad\ gateway"
    r"|internal\ server\ error|service\ (?:temporarily\ )?unavailable|gateway\ time-?out)"
)
_UNMISTAKABLE = re.compile(
    rf"""\A\W*(?:[\w./-]+\s+){{0,3}}(?:error|exception|failure|错误|异常)(?:\s*(?:code|代码|码))?\W*(?:[:\uff1a\]]|\d{{3}})
      | \A\W*(?:HTTP\W*)?(?:[45]\d\d\W*)?{_STATUS}
      | \A\W*(?:HTTP|status|code)\b\W*(?:status\W*|code\W*){{0,2}}[45]\d\d\b
      | \b(?:status|error)[_ ]?code["']?\s*[:=]\s*["']?[45]\d\d\b
      | \brequest[ _]id\s*[:\uff1a]
      | \b(?:rate\ limit|quota|usage\ limit)\ (?:exceeded|reached)
      | \binsufficient[ _](?:balance|quota|credits?|funds)
      | \b(?:invalid|incorrect)\ api\ key | \bno\ available\ (?:channel|account|provider|model)s?
      | 负载已饱和 | 无可用渠道 | 余额不足 | 额度(?:不足|已用尽) | (?:请求|调用)(?:失败|超时)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VAGUE = re.compile(
    r"""\b(?:errors?|exception|failed|failure|unavailable|overloaded|unauthorized|forbidden|upstream|quota|maintenance)\b
      | \btim(?:ed|e)[ -]?out\b | \btoo\ many\ requests\b | \brate[ -]?limit | \btry\ again\b | \bretry\b | \btoo\ busy\b
      | \b(?:out\ of|no)\ credits?\b | \btop\ up\b | \bsubscription\b
      | \bno\ longer\ available\b | \bis\ loading\b
      | エラー | 失敗 | 오류 | 실패 | ошибк | недоступ | 封禁 | 下线 | 登录 | 密钥
      | 错误 | 失败 | 异常 | 超时 | 稍后 | 重试 | 繁忙 | 饱和 | 余额 | 额度 | 限流 | 不可用 | 渠道 | 维护 | 充值 | 过期
    """,
    re.VERBOSE | re.IGNORECASE,
)


def judge_error_text(text: str, *, wrong: bool) -> Failure | None:
    """Judge the whole text of an answer, or of a body that should hold one; None where it is no error.

    With `wrong` the text is not the answer that was asked for, and words that errors use are enough.
    Otherwise only what is unmistakable counts. An account that is said to be empty is the account's
    fault; whatever else the relay says instead of an answer is its own.
    """
    text = text.strip()
    if not 0 < len(text) <= _LONGEST:
        return None
    value = read_json(text.encode()) if text.startswith("{") else None
    vague = wrong and len(text) <= _LONGEST_VAGUE and _VAGUE.search(text)
    if not (is_error_object(value) or _UNMISTAKABLE.search(text) or vague):
        return None
    error = value if is_error_object(value) else {"error": {"message": text}}
    kind = judge_error_object(error, otherwise=FailureKind.SERVER_ERROR).kind
    if kind.outcome is not Outcome.DOWN and kind is not FailureKind.QUOTA_EXHAUSTED:
        kind = FailureKind.SERVER_ERROR
    words = " ".join(text.split())[:_QUOTED]
    return Failure(kind, f'got an error as the answer\'s only words: "{words}", want an answer')
