"""Maps what providers, relays and edges call things to our failure kinds.

Sources: the public documentation of the providers, and the sources of one-api, new-api and sub2api.
Relays re-brand their error *types*, so only codes and phrases are relied on.
"""

from monitor.model import FailureKind

ACCOUNT_WORDS = {
    "insufficient_quota": FailureKind.QUOTA_EXHAUSTED,
    "insufficient_user_quota": FailureKind.QUOTA_EXHAUSTED,
    "pre_consume_token_quota_failed": FailureKind.QUOTA_EXHAUSTED,
    "credit_balance_exhausted": FailureKind.QUOTA_EXHAUSTED,
    "organization_spend_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "project_spend_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "organization_usage_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "enforced_spend_limit_reached": FailureKind.QUOTA_EXHAUSTED,
    "billing_error": FailureKind.QUOTA_EXHAUSTED,
    "billing_hard_limit_reached": FailureKind.QUOTA_EXHAUSTED,
    "billing_not_active": FailureKind.QUOTA_EXHAUSTED,
    "insufficient_balance": FailureKind.QUOTA_EXHAUSTED,
    "usage_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "unsupported_country_region_territory": FailureKind.REGION_BLOCKED,
    "access_denied": FailureKind.PERMISSION_DENIED,
    "permission_error": FailureKind.PERMISSION_DENIED,
    "permission_denied": FailureKind.PERMISSION_DENIED,
    "api_key_invalid": FailureKind.AUTH_INVALID,
    "invalid_api_key": FailureKind.AUTH_INVALID,
    "api_key_required": FailureKind.AUTH_INVALID,
    "api_key_disabled": FailureKind.AUTH_INVALID,
    "authentication_error": FailureKind.AUTH_INVALID,
    "unauthenticated": FailureKind.AUTH_INVALID,
}
"""On 4xx the key's owner must act. In order: money outranks region, region outranks permission."""

ALWAYS_ACCOUNT = frozenset({"insufficient_user_quota", "pre_consume_token_quota_failed"})
"""Codes that a relay uses for our own account only, whatever the status says."""

MODEL_WORDS = frozenset(
    {"model_not_found", "deploymentnotfound", "model_deprecated", "model_decommissioned"}
)

RELAY_WORDS = {
    "get_channel_failed": FailureKind.NO_CHANNEL,
    "channel:no_available_key": FailureKind.NO_CHANNEL,
    "channel:invalid_key": FailureKind.BAD_GATEWAY,
    "channel:response_time_exceeded": FailureKind.UPSTREAM_TIMEOUT,
    "do_request_failed": FailureKind.SERVER_ERROR,
    "bad_response_status_code": FailureKind.SERVER_ERROR,
    "empty_response": FailureKind.SERVER_ERROR,
    "prompt_blocked": FailureKind.CONTENT_FILTERED,
    "sensitive_words_detected": FailureKind.CONTENT_FILTERED,
    "content_filter": FailureKind.CONTENT_FILTERED,
    "content_policy_violation": FailureKind.CONTENT_FILTERED,
    "cf_gateway_timeout": FailureKind.EDGE_TIMEOUT,
    "function_invocation_timeout": FailureKind.UPSTREAM_TIMEOUT,
}
"""The relay (or what stands before it) speaks of itself."""

BUSY_WORDS = frozenset(
    {
        "server_is_overloaded",
        "overloaded_error",
        "overloaded",
        "engine_overloaded",
        "service_unavailable",
        "service_unavailable_error",
        "unavailable",
        "slow_down",
    }
)
BUSY_PHRASES = ("overload", "饱和", "负载", "too busy", "server busy", "at capacity", "繁忙")

NO_CHANNEL_PHRASES = ("无可用渠道", "no available channel", "no available account")

QUOTA_PHRASES = (
    "insufficient balance",
    "credit balance is too low",
    "额度不足",
    "额度已用尽",
    "余额不足",
    "quota is not enough",
    "requires more credits",
    "insufficient credits",
    "预扣费额度失败",
)
KEY_PHRASES = ("incorrect api key", "api key not valid", "invalid api key", "invalid x-api-key")
KEY_PHRASES_403 = ("无效的令牌", "未提供令牌", "令牌已过期")
REGION_PHRASES = ("location is not supported", "country, region, or territory not supported")
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
CONTEXT_WORDS = frozenset(
    {
        "context_length_exceeded",
        "too_many_tokens",
        "too_many_prompt_tokens",
        "string_above_max_length",
    }
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
NO_MODEL_PHRASES = ("invalid model name", "no such model", "not a valid model id")
"""The model is what is wrong, wherever in the sentence they stand."""
PER_DAY = "perday"
"""Part of Google's quotaId for a limit that time alone does not mend."""

IMPLIED_STATUS = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "not_found": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "internal": 500,
    "internal_server_error": 500,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "overloaded_error": 529,
    "server_is_overloaded": 529,
    "unavailable": 503,
}
"""The status that an error would have had, had it come before the first byte of a stream."""

EDGE_DENIED = frozenset({1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1020, 1106})
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
