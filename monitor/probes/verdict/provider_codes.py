"""Maps what providers, relays and edges call things to our failure kinds.

Sources: the public documentation of the providers, public reports of their users, and the sources of
one-api, new-api and sub2api. Relays re-brand their error *types*, so only codes and phrases are relied on.
Codes stand here as `error_body.spelled` writes them: lower case, no punctuation, no closing `Error`.
What tells of money stands in `quota`.
"""

import re

from monitor.model import FailureKind

ACCOUNT_CODES = {
    "unsupportedcountryregionterritory": FailureKind.REGION_BLOCKED,
    "accessdenied": FailureKind.PERMISSION_DENIED,
    "permission": FailureKind.PERMISSION_DENIED,
    "permissiondenied": FailureKind.PERMISSION_DENIED,
    "apikeyinvalid": FailureKind.AUTH_INVALID,
    "invalidapikey": FailureKind.AUTH_INVALID,
    "apikeyrequired": FailureKind.AUTH_INVALID,
    "apikeydisabled": FailureKind.AUTH_INVALID,
    "authentication": FailureKind.AUTH_INVALID,
    "invalidauthentication": FailureKind.AUTH_INVALID,
    "unauthenticated": FailureKind.AUTH_INVALID,
}
"""On 4xx the key's owner must act. In order: region outranks permission."""

NUMBERS = {
    # MiniMax
    "base_resp:1002": FailureKind.RATE_LIMITED,
    "base_resp:1004": FailureKind.AUTH_INVALID,
    "base_resp:1008": FailureKind.QUOTA_EXHAUSTED,
    "base_resp:1026": FailureKind.CONTENT_FILTERED,
    "base_resp:1027": FailureKind.CONTENT_FILTERED,
    "base_resp:1039": FailureKind.RATE_LIMITED,
    "base_resp:1041": FailureKind.RATE_LIMITED,
    "base_resp:2013": FailureKind.REQUEST_REJECTED,
    "base_resp:2045": FailureKind.RATE_LIMITED,
    "base_resp:2049": FailureKind.AUTH_INVALID,
    "base_resp:2056": FailureKind.QUOTA_EXHAUSTED,
    # Zhipu, Z.ai
    "code:1110": FailureKind.PERMISSION_DENIED,
    "code:1112": FailureKind.PERMISSION_DENIED,
    "code:1113": FailureKind.QUOTA_EXHAUSTED,
    "code:1121": FailureKind.PERMISSION_DENIED,
    "code:1211": FailureKind.MODEL_NOT_FOUND,
    "code:1220": FailureKind.PERMISSION_DENIED,
    "code:1301": FailureKind.CONTENT_FILTERED,
    "code:1302": FailureKind.RATE_LIMITED,
    "code:1303": FailureKind.RATE_LIMITED,
    "code:1304": FailureKind.QUOTA_EXHAUSTED,
    "code:1305": FailureKind.OVERLOADED,
    "code:1308": FailureKind.QUOTA_EXHAUSTED,
    "code:1309": FailureKind.QUOTA_EXHAUSTED,
    "code:1310": FailureKind.QUOTA_EXHAUSTED,
    "code:1311": FailureKind.PERMISSION_DENIED,
    "code:1312": FailureKind.OVERLOADED,
    "code:1313": FailureKind.RATE_LIMITED,
    # SiliconFlow
    "code:20012": FailureKind.MODEL_NOT_FOUND,
    "code:30001": FailureKind.QUOTA_EXHAUSTED,
    "code:30003": FailureKind.MODEL_NOT_FOUND,
    "code:50505": FailureKind.OVERLOADED,
    # Baidu
    "error_code:4": FailureKind.RATE_LIMITED,
    "error_code:6": FailureKind.PERMISSION_DENIED,
    "error_code:14": FailureKind.AUTH_INVALID,
    "error_code:17": FailureKind.QUOTA_EXHAUSTED,
    "error_code:18": FailureKind.RATE_LIMITED,
    "error_code:19": FailureKind.QUOTA_EXHAUSTED,
    "error_code:100": FailureKind.AUTH_INVALID,
    "error_code:110": FailureKind.AUTH_INVALID,
    "error_code:111": FailureKind.AUTH_INVALID,
    # iFlytek Spark
    "header:10013": FailureKind.CONTENT_FILTERED,
    "header:10014": FailureKind.CONTENT_FILTERED,
    "header:11200": FailureKind.QUOTA_EXHAUSTED,
    "header:11201": FailureKind.QUOTA_EXHAUSTED,
    "header:11202": FailureKind.RATE_LIMITED,
    "header:11203": FailureKind.RATE_LIMITED,
    "code:11200": FailureKind.QUOTA_EXHAUSTED,
    "code:11201": FailureKind.QUOTA_EXHAUSTED,
    "code:11202": FailureKind.RATE_LIMITED,
    "code:11203": FailureKind.RATE_LIMITED,
}
"""Numeric codes of single providers, with the field that they stand in, as `ErrorBody.numbers` has them."""

MODEL_CODES = frozenset(
    {
        "modelnotfound",
        "modelnotexist",
        "deploymentnotfound",
        "modeldeprecated",
        "modeldecommissioned",
        "invalidendpointormodelnotfound",
        "modelnotopen",
        "invalidmodel",
        "unknownmodel",
        "modelnotsupported",
    }
)

RELAY_CODES = {
    "getchannelfailed": FailureKind.NO_CHANNEL,
    "channelnoavailablekey": FailureKind.NO_CHANNEL,
    "channelinvalidkey": FailureKind.BAD_GATEWAY,
    "channelresponsetimeexceeded": FailureKind.UPSTREAM_TIMEOUT,
    "dorequestfailed": FailureKind.SERVER_ERROR,
    "badresponsestatuscode": FailureKind.SERVER_ERROR,
    "emptyresponse": FailureKind.SERVER_ERROR,
    "cfgatewaytimeout": FailureKind.EDGE_TIMEOUT,
    "functioninvocationtimeout": FailureKind.UPSTREAM_TIMEOUT,
}
"""The relay (or what stands before it) speaks of itself."""

FILTER_CODE = re.compile(
    r"datainspection|riskdetection|sensitive(?:words?|content)|content(?:filter|policy)|promptblocked"
    r"|safetycheck|contentmoderation|responsibleaipolicy"
)
"""Part of a code with which a provider refuses a question because of what it says."""

BUSY_CODES = frozenset(
    {
        "serverisoverloaded",
        "serveroverloaded",
        "overloaded",
        "engineoverloaded",
        "serviceunavailable",
        "unavailable",
        "slowdown",
        "capacityexceeded",
        "insufficientsystemresource",
    }
)
BUSY_PHRASES = ("overload", "饱和", "负载", "too busy", "server busy", "at capacity", "繁忙")

NO_CHANNEL_PHRASES = ("无可用渠道", "no available channel", "no available account")

DISABLED_PHRASES = (
    "has been disabled",
    "has been restricted",
    "has been suspended",
    "has been banned",
    "已被封禁",
    "已被禁用",
)
"""The key is good for nothing any more."""

KEY_PHRASES = (
    "incorrect api key",
    "api key not valid",
    "invalid api key",
    "invalid x-api-key",
    "access token invalid",
    "access token expired",
)
KEY_PHRASES_403 = (
    "invalid access token",
    "authentication error",
    "security token included in the request is invalid",
    "未提供 access token",
    "无效的令牌",
    "未提供令牌",
    "令牌已过期",
)
RATE_PHRASES = (
    "rate limit",
    "too many requests",
    "request limit reached",
    "qps",
    "限流",
    "频率",
    "并发",
)
REGION_PHRASES = (
    "location is not supported",
    "country, region, or territory not supported",
    "not available in your country",
    "not available in your region",
)
CONTEXT_PHRASES = (
    "prompt is too long",
    "prompt too long",
    "too many tokens",
    "maximum context length",
    "context window",
    "context length",
    "all messages is too long",
    "input token count",
)
CONTEXT_CODES = frozenset(
    {"contextlengthexceeded", "toomanytokens", "toomanyprompttokens", "stringabovemaxlength"}
)
BUDGET_PHRASES = (
    "output limit was reached",
    "output limit reached",
    "max_tokens or model output limit",
    "max_tokens was reached",
    "max_output_tokens was reached",
    "could not finish the message",
)
MODEL_PHRASES = (
    "does not exist",
    "is not found",
    "not found",
    "was removed",
    "has been deprecated",
    "is deprecated",
    "is not supported",
    "no longer available",
    "not exist",
    "not a valid model",
    "no endpoints found",
    "unknown model",
    "不存在",
)
NO_MODEL_PHRASES = (
    "invalid model name",
    "no such model",
    "not a valid model id",
    "model identifier is invalid",
    "no endpoints found for",
    "模型已下线",
    "模型不存在",
)
"""The model is what is wrong, wherever in the sentence they stand."""
IMPLIED_STATUS = {
    "invalidrequest": 400,
    "invalidargument": 400,
    "invalidparameter": 400,
    "failedprecondition": 400,
    "authentication": 401,
    "invalidapikey": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "billing": 402,
    "permission": 403,
    "permissiondenied": 403,
    "notfound": 404,
    "modelnotfound": 404,
    "requesttoolarge": 413,
    "ratelimit": 429,
    "ratelimitexceeded": 429,
    "ratelimitreached": 429,
    "toomanyrequests": 429,
    "requestlimitexceeded": 429,
    "throttling": 429,
    "throttlingratequota": 429,
    "throttlingallocationquota": 429,
    "resourceexhausted": 429,
    "insufficientquota": 429,
    "api": 500,
    "server": 500,
    "internal": 500,
    "internalserver": 500,
    "timeout": 504,
    "deadlineexceeded": 504,
    "overloaded": 529,
    "serverisoverloaded": 529,
    "engineoverloaded": 529,
    "insufficientsystemresource": 529,
    "unavailable": 503,
}
"""The status that an error would have had, had it come before the first byte of a stream."""

EDGE_DENIED = frozenset({1005, 1006, 1007, 1008, 1010, 1011, 1012, 1013, 1020, 1106})
EDGE_REGION_BLOCKED = frozenset({1009})
EDGE_RATE_LIMITED = frozenset({1015})
EDGE_STATUS = {
    520: "the edge got an answer from the origin that it cannot understand",
    521: "the origin refused the edge's connection",
    522: "the origin did not answer the edge's connection",
    523: "the edge finds no route to the origin",
    524: "the origin gave the edge no byte within its read timeout",
    525: "the TLS handshake between edge and origin failed",
    526: "the origin's certificate does not satisfy the edge",
    527: "the edge's tunnel to the origin broke",
    530: "the edge cannot resolve or reach the origin",
}
