"""Recognises the refusal of a relay that admits only certain client programs, such as Claude Code or Codex.

The wordings are those that users report of relays and of subscriptions whose keys are for one program alone.
A sentence must name a client and say that only it is admitted; a client's name alone proves nothing, since
models and plans have such names too.
"""

import re

from monitor.probes.verdict.error_body import ErrorBody

STATUSES = frozenset({400, 401, 403, 404, 405, 406, 422, 426, 451, 500, 503})
"""What such a refusal comes under: 503 where a relay finds no account that serves the client, 500 inside a stream."""
_CODES = frozenset(
    {
        "clientvalidation",
        "clientnotallowed",
        "clientrestricted",
        "clientrestriction",
        "invalidclientversion",
    }
)
_CLIENT = r"""(?<![A-Za-z0-9_-])(?:
      claude[ _-]?code | codex | gemini[ _-]?cli | kimi[ _-]?(?:cli|code) | droid[ _-]?cli | qwen[ _-]?code
    | coding\ (?:agents?|clients?|tools?) | (?:official|cli|the\ official)\ clients? | 官方客户端 | 指定客户端 | 编程工具
    )(?![A-Za-z0-9_])(?!-(?!only\b)\w)(?!\W{0,2}(?:models?|plans?|subscri|quota|limits?|usage|credits?|tier|模型|套餐|额度|分组|系列))"""
_ONLY = re.compile(
    rf"""\b(?:only|exclusively)\s+(?:be\s+)?
          (?:authori[sz]ed|available|allow\w*|accept\w*|admit\w*|support\w*|permit\w*|serve[sd]?|usable|used?|works?|for|via|from|through|with)
          \b[^.。;\n]{{0,40}}?{_CLIENT}
      | \bonly\s+(?:the\s+)?(?:official\s+)?{_CLIENT}[^.。;\n]{{0,20}}\b(?:clients?|requests?|can|may|is|are)\b
      | {_CLIENT}(?:\s+(?:cli|clients?))?[ -]only\b
      | \b(?:restricted|limited|reserved)\s+(?:to|for)\b[^.。;\n]{{0,20}}?{_CLIENT}
      | \boutside\s+(?:of\s+)?(?:the\s+)?{_CLIENT}
      | (?:仅限?|只(?:能|允许|支持|限|接受)|仅(?:允许|支持|供|能|接受))[^。\n]{{0,16}}?{_CLIENT}
      | (?:请勿|禁止|不得|不能|不允许)在?[^。\n]{{0,6}}{_CLIENT}[^。\n]{{0,10}}(?:之外|以外|外)
      | 请(?:使用|通过|在)[^。\n]{{0,8}}{_CLIENT}[^。\n]{{0,8}}(?:访问|调用|使用|客户端|请求)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_REFUSED = re.compile(
    r"""\bclient\ (?:is\ )?not\ (?:allowed|authori[sz]ed|permitted|supported)\b
      | \b(?:unsupported|unauthori[sz]ed)\ client\b | \bunapproved\ channel\b
      | (?:非法|未授权的?|不支持的?|不被允许的?|禁止的?)客户端 | 客户端(?:不被允许|未授权|受限|不受支持)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\bip\b|\bip[ _-]?address|white ?list|allow ?list|白名单|oauth|grant", re.IGNORECASE
)
"""Where a "client" is an address, or one of OAuth."""


def refuses_client(status: int, error: ErrorBody) -> bool:
    """Say whether an error refuses the program that asks, whoever's key it has."""
    if status not in STATUSES:
        return False
    if error.codes & _CODES or _ONLY.search(error.text):
        return True
    return _REFUSED.search(error.text) is not None and not _ADDRESS.search(error.text)
