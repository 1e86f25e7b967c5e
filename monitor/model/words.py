"""Every failure kind in plain words: a label, what happened, and what to do. One table, one language."""

from dataclasses import dataclass

from monitor.model.failure import FailureKind, Fault


@dataclass(frozen=True, slots=True)
class Words:
    label: str
    what: str
    remedy: str


def in_sentence(label: str) -> str:
    """A label inside a sentence: `bad gateway`, but `DNS pollution suspected`."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


_OTHER_URL = "Use another base URL."
_OPERATOR = "Only the operator's own check is concerned."
_OPERATOR_CHANGES = "The operator should change the check."
_WAIT = "Wait a little and try again."

WORDS: dict[FailureKind, Words] = {
    FailureKind.DNS_NXDOMAIN: Words("Name not found", "The name of this base URL does not exist.", _OTHER_URL),
    FailureKind.DNS_SERVFAIL: Words("Name look-up failed", "The name servers of this base URL do not answer.", _OTHER_URL),
    FailureKind.TCP_REFUSED: Words("Connection refused", "The server refuses connections.", _OTHER_URL),
    FailureKind.TCP_UNREACHABLE: Words("No route", "There is no route to the server.", _OTHER_URL),
    FailureKind.CONNECT_TIMEOUT: Words("Connect time-out", "The server does not answer.", _OTHER_URL),
    FailureKind.TLS_TIMEOUT: Words("TLS time-out", "The encrypted connection is never completed.", _OTHER_URL),
    FailureKind.TLS_PROTOCOL: Words("TLS broken", "The encrypted connection cannot be set up.", _OTHER_URL),
    FailureKind.CERT_EXPIRED: Words("Certificate expired", "The certificate's dates do not cover today.", "Do not send your key there; use another base URL."),
    FailureKind.CERT_HOSTNAME: Words("Wrong certificate", "The certificate is for another name.", "Do not send your key there; use another base URL."),
    FailureKind.CERT_UNTRUSTED: Words("Untrusted certificate", "The certificate's issuer is not known.", "Do not send your key there; use another base URL."),
    FailureKind.HTTP_DISCONNECT: Words("Disconnected", "The server hangs up before it answers.", _OTHER_URL),
    FailureKind.HEADERS_TIMEOUT: Words("No answer", "The server takes the request and does not answer.", _OTHER_URL),
    FailureKind.HTTP_GARBAGE: Words("Not HTTP", "The server answers with something that is not HTTP.", _OTHER_URL),
    FailureKind.SERVER_ERROR: Words("Server error", "The service or the provider behind it failed.", "Try again, or use another model."),
    FailureKind.BAD_GATEWAY: Words("Bad gateway", "The proxy cannot reach the service behind it.", _OTHER_URL),
    FailureKind.UPSTREAM_TIMEOUT: Words("Upstream time-out", "The provider behind the service did not answer in time.", "Try again, or use another model."),
    FailureKind.NO_CHANNEL: Words("No channel", "The service has no provider left for this model.", "Use another model."),
    FailureKind.EDGE_ERROR: Words("CDN error", "The CDN cannot reach the service behind it.", "Use a base URL that does not go through this CDN."),
    FailureKind.EDGE_TIMEOUT: Words("Cut off by the CDN", "The CDN ends calls that take too long.", "Stream the answer, or use a base URL without a time limit."),
    FailureKind.HTML_ANSWER: Words("Got a web page", "A web page comes instead of an answer.", "Check the base URL."),
    FailureKind.UNEXPECTED_STATUS: Words("Unexpected status", "The server answers with a status that means failure.", _OTHER_URL),
    FailureKind.UNEXPECTED_REDIRECT: Words("Redirect", "The server sends callers elsewhere.", "Check the base URL."),
    FailureKind.UNEXPECTED_BODY: Words("Unusable answer", "The answer is not what this call returns.", _OTHER_URL),
    FailureKind.BODY_TIMEOUT: Words("Answer never ends", "The answer begins and does not end in time.", _OTHER_URL),
    FailureKind.ROUTE_GONE: Words("Path gone", "A path that worked is gone.", _OTHER_URL),
    FailureKind.NO_FIRST_TOKEN: Words("No first token", "The stream opens and nothing comes.", "Try again, or use another base URL."),
    FailureKind.EMPTY_COMPLETION: Words("Empty answer", "The answer is empty.", "Try again."),
    FailureKind.STREAM_ERROR: Words("Error in the stream", "The stream begins well and then reports an error.", "Try again, or use another model."),
    FailureKind.BODY_TOO_LARGE: Words("Endless answer", "The answer is far too large.", _OTHER_URL),
    FailureKind.SLOW: Words("Slow", "Answers take longer than they should.", "Use a faster base URL."),
    FailureKind.STALLED: Words("Stalled stream", "Streams pause for a long time in the middle.", _OTHER_URL),
    FailureKind.TRUNCATED: Words("Truncated", "Answers break off before their end.", _OTHER_URL),
    FailureKind.STREAM_NOT_SUPPORTED: Words("No streaming", "Streaming is ignored: the answer comes in one piece.", "Use another base URL for streams."),
    FailureKind.FAKE_STREAMING: Words("Held-back stream", "The stream is held back and comes all at once.", "Use another base URL for streams."),
    FailureKind.CONTENT_MISMATCH: Words("Wrong answers", "Simple questions are answered wrongly.", "Check which model really answers."),
    FailureKind.MODEL_MISMATCH: Words("Other model", "Another model answers than was asked for.", "Check which model really answers."),
    FailureKind.CONTENT_FILTERED: Words("Filtered", "Harmless questions are filtered.", "Use another model or base URL."),
    FailureKind.WRONG_CONTENT_TYPE: Words("Wrong label", "Answers are labelled as something else.", "Some clients will refuse them; use another base URL."),
    FailureKind.OVER_BILLING: Words("Over-billing", "More tokens are counted than the answer can have.", "Compare your bill with your usage."),
    FailureKind.RATE_LIMITED: Words("Rate limited", "Too many requests with this key.", _WAIT),
    FailureKind.OVERLOADED: Words("Overloaded", "The provider behind the service is overloaded.", "Try again, or use another model."),
    FailureKind.MISSING_USAGE: Words("No usage", "Answers no longer report their tokens.", "Watch your bill."),
    FailureKind.CERT_EXPIRING: Words("Certificate ends soon", "The certificate ends within 14 days.", "The owner should renew it."),
    FailureKind.DNS_POISONED: Words("DNS pollution suspected", "From here the name leads to an address that is not the service's.", "Use another base URL, or an encrypted resolver."),
    FailureKind.SNI_BLOCKED: Words("Blocking suspected", "The connection dies when the name is sent.", "Use a base URL with another name."),
    FailureKind.TLS_RESET: Words("Reset during TLS", "The connection is cut while encryption is set up; interference is suspected.", "Use a base URL with another name."),
    FailureKind.AUTH_INVALID: Words("Key rejected", "The key is refused. The usual causes: the account's balance is empty, or the key lacks permission for this model.", "Check the balance and the key's permissions."),
    FailureKind.QUOTA_EXHAUSTED: Words("Quota used up", "The balance or quota of the key is used up.", "Top up the account."),
    FailureKind.PERMISSION_DENIED: Words("Not allowed", "The key may not do this. The usual causes: the account's balance, or the key's permission for this model or address.", "Check the balance and the key's permissions."),
    FailureKind.MODEL_NOT_FOUND: Words("No such model", "This account has no such model here.", "Check the model's name and the key's permissions."),
    FailureKind.REGION_BLOCKED: Words("Region refused", "The provider does not serve this region.", _OTHER_URL),
    FailureKind.REQUEST_REJECTED: Words("Request refused", "The check's own request is refused as invalid.", _OPERATOR_CHANGES),
    FailureKind.BUDGET_TOO_SMALL: Words("Token cap too small", "The model thought until its tokens were used up.", "The operator should raise max_tokens or use a plainer model."),
    FailureKind.PATH_NOT_FOUND: Words("No such path", "The base URL has no such path.", "Check the base URL."),
    FailureKind.NO_KEY: Words("No key", "No key is configured for this check.", _OPERATOR),
    FailureKind.OFFLINE: Words("Monitor offline", "The monitor's own network is down.", "The operator should look at the monitor."),
    FailureKind.RESOLVER_FAILED: Words("Monitor's resolver broken", "The monitor cannot look names up.", "The operator should look at the monitor."),
    FailureKind.CLOCK_WRONG: Words("Monitor's clock wrong", "The monitor's clock is wrong.", "The operator should set the monitor's clock."),
    FailureKind.EDGE_CHALLENGE: Words("Monitor challenged", "The CDN takes the monitor for a robot.", "The operator should have the monitor's address allowed."),
    FailureKind.EDGE_DENIED: Words("Monitor refused", "The CDN refuses the monitor's address.", "The operator should have the monitor's address allowed."),
    FailureKind.BUDGET_PAUSED: Words("Paused by budget", "Today's budget for checks is spent.", "Paid checks go on tomorrow (UTC)."),
    FailureKind.INTERNAL: Words("Fault in the monitor", "The monitor itself failed.", "The operator should look at its log."),
    FailureKind.OVERRUN: Words("Monitor too busy", "The monitor was too busy for this run.", "The operator should give it more room."),
}  # fmt: skip

WHOSE: dict[Fault, str] = {
    Fault.ENDPOINT: "the base URL or what is behind it",
    Fault.PATH: "the network path from here, not the service",
    Fault.ACCOUNT: "the account or key, not the service",
    Fault.MONITOR: "the monitor itself, not the service",
}
