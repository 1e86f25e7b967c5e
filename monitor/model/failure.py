"""The closed table of failure kinds: one row says all that the program knows about a kind.

To add a kind, add a row here (and its line in docs/methodology.md). The words are English; the
catalogues in templates/locale translate them.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from enum import Enum, StrEnum
from functools import partial
from typing import Self


class Outcome(StrEnum):
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """The party that has to mend a failure."""

    ENDPOINT = "endpoint"
    PATH = "path"
    ACCOUNT = "account"
    MONITOR = "monitor"


WHOSE: dict[Fault, str] = {
    Fault.ENDPOINT: "the base URL or what is behind it",
    Fault.PATH: "the network path from here, not the service",
    Fault.ACCOUNT: "the account or key, not the service",
    Fault.MONITOR: "the monitor itself, not the service",
}


class Group(Enum):
    """The part of a run, or of what stands around it, that a kind speaks of."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    CERTIFICATE = "certificate"
    BLOCKING = "blocking"
    """Interference on the way, proven by an examination and never measured by a run alone."""
    EDGE = "edge"
    """The word of a CDN or firewall before the service."""
    ANSWER = "answer"
    ACCOUNT = "account"
    MONITOR = "monitor"


class Patience(Enum):
    """The limit that a run waits for in vain before it fails with a kind."""

    CONNECTING = "connecting"
    WHOLE_RUN = "whole_run"
    FIRST_TOKEN = "first_token"
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class Words:
    """A failure kind in plain words: a label, what happened, and what to do."""

    label: str
    what: str
    remedy: str


def in_sentence(label: str) -> str:
    """Return a label as it stands inside a sentence: `bad gateway`, but `DNS pollution suspected`."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One row of the table; a field that is not given by default cannot be forgotten."""

    kind: str
    """The published name; it never changes."""
    _: KW_ONLY
    fault: Fault
    outcome: Outcome
    group: Group

    label: str
    what: str
    remedy: str
    hint: str = ""
    """Advice for the operator that ends the message of a refusal."""

    patience: Patience | None = None
    """What was waited for in vain; None: the failure came at once."""
    what_there: str = ""
    """What it means where it was seen from another place than the reader's; empty where that is `what`."""
    what_then: str = ""
    """What it meant once it is over or not measured any more; empty where `what` speaks of the past already."""
    on_path: bool = False
    """It speaks of the way to the endpoint, a CDN's part included, and not of what answers there."""
    is_silent: bool = False
    """Nothing at all came back, so our own network may be the reason."""
    is_cut: bool = False
    """The handshake was cut or never answered, as a censor does it."""
    spoils_answer: bool = False
    """An answer came, and its content is cut, held back or not what was asked for."""
    is_busy: bool = False
    """The server asks for fewer requests: it is not asked again at once, and pauses grow."""
    needs_person: bool = False
    """Only a person can mend it: paid calls need not find out every minute that nobody has."""
    by_choice: bool = False
    """The operator chose not to measure, so nobody is told as of a fault."""
    may_be_edge_limit: bool = False
    """An edge's time limit looks like this where the edge does not say that it was one."""
    is_unspecific: bool = False
    """It says no more than the HTTP status; any better explanation replaces it."""
    becomes_habit: bool = False
    """It is news only at first: after some runs it is how this check answers."""
    shows_reached: bool = False
    """A plain request to a base URL that ends so has reached an HTTP server."""
    is_unoffered: bool = False
    """A call that ends so is one that the base URL does not have, where another call for the same model works."""
    is_for_want_of_model: bool = False
    """Perhaps the base URL has no such model any more, which its list of models tells."""
    is_common: bool = False
    """The page's glossary explains it even where nothing fails so at present."""

    @property
    def words(self) -> Words:
        return Words(self.label, self.what, self.remedy)

    @property
    def was(self) -> str:
        """Return what happened, in the past."""
        return self.what_then or self.what

    @property
    def advice(self) -> str:
        """Return the remedy for somebody who sees which other base URLs work: without the advice to use one."""
        return _BESIDE_OTHER_URLS.get(self.remedy, self.remedy)

    @property
    def is_edge_refusal(self) -> bool:
        """Say whether an edge refuses the monitor itself, so nothing is known of the service behind it."""
        return self.group is Group.EDGE and self.fault is Fault.MONITOR

    @property
    def is_asked_again(self) -> bool:
        """Say whether another run at once may tell if it lasts: true of what is bad and not just busy."""
        return self.outcome in {Outcome.DOWN, Outcome.DEGRADED} and not self.is_busy

    @property
    def is_of_path_if_others_get_through(self) -> bool:
        """Say whether the way is at fault where others get answers: nothing comes back, or it is cut on the way."""
        return self.fault is Fault.PATH or (self.on_path and self.is_silent)

    @property
    def fails_on_connecting(self) -> bool:
        """Say whether the run failed before it could send a request: the path can cause that as well as the endpoint."""
        connecting = {Group.DNS, Group.CONNECT, Group.TLS, Group.CERTIFICATE}
        return self.group in connecting and self.outcome is Outcome.DOWN


_OTHER_URL = "Use another base URL."
_OTHER_URL_FOR_KEY = "Do not send your key there; use another base URL."
_AGAIN_OR_OTHER_MODEL = "Try again, or use another model."
_CHECK_URL = "Check the base URL."
_OTHER_URL_FOR_STREAMS = "Use another base URL for streams."
_OTHER_URL_FOR_WEBSOCKETS = "Use another base URL for WebSockets."
_OTHER_URL_FOR_TOOLS = "Use another base URL or model for tools."
_CHECK_MODEL = "Check which model really answers."
_OTHER_NAME = "Use a base URL with another name."
_CHECK_BALANCE = "Check the balance and the key's permissions."
_AGAIN_OR_OTHER_URL = "Try again, or use another base URL."
_FASTER_URL = "Use a faster base URL."
_OTHER_URL_FOR_STRICT_CLIENTS = "Some clients will refuse them; use another base URL."
_OTHER_URL_OR_RESOLVER = "Use another base URL, or an encrypted resolver."
_BESIDE_OTHER_URLS = {
    _OTHER_URL: "",
    _OTHER_URL_FOR_STREAMS: "",
    _OTHER_URL_FOR_WEBSOCKETS: "",
    _FASTER_URL: "",
    _OTHER_URL_FOR_KEY: "Do not send your key there.",
    _AGAIN_OR_OTHER_URL: "Try again.",
    _OTHER_URL_FOR_STRICT_CLIENTS: "Some clients will refuse them.",
    _OTHER_URL_OR_RESOLVER: "Use an encrypted resolver.",
}
_LOOK_AT_MONITOR = "The operator should look at the monitor."
_ALLOW_ADDRESS = "The operator should have the monitor's address allowed."


_down = partial(
    FailureRow,
    fault=Fault.ENDPOINT,
    outcome=Outcome.DOWN,
    group=Group.ANSWER,
    remedy=_OTHER_URL,
)
_degraded = partial(_down, outcome=Outcome.DEGRADED)
_path = partial(
    FailureRow, fault=Fault.PATH, outcome=Outcome.DOWN, group=Group.BLOCKING, on_path=True
)
_account = partial(FailureRow, fault=Fault.ACCOUNT, outcome=Outcome.UNKNOWN, group=Group.ACCOUNT)
_monitor = partial(FailureRow, fault=Fault.MONITOR, outcome=Outcome.UNKNOWN, group=Group.MONITOR)
"""What most rows of one fault and outcome share; a row says what differs."""


class FailureKind(StrEnum):
    """Every way in which a run can fail."""

    _value_: str
    row: FailureRow

    def __new__(cls, row: FailureRow | str) -> Self:
        """Make a member of its row. `FailureKind("slow")` looks a member up and never comes here."""
        assert isinstance(row, FailureRow)
        member = str.__new__(cls, row.kind)
        member._value_ = row.kind
        member.row = row
        return member

    @property
    def fault(self) -> Fault:
        return self.row.fault

    @property
    def outcome(self) -> Outcome:
        return self.row.outcome

    DNS_NXDOMAIN = _down(
        "dns_nxdomain",
        group=Group.DNS,
        label="Name not found",
        what="DNS says that the name of this base URL does not exist.",
        what_then="DNS said that the name of this base URL did not exist.",
        on_path=True,
        is_silent=True,
    )
    DNS_SERVFAIL = _down(
        "dns_servfail",
        group=Group.DNS,
        label="Name look-up failed",
        what="The name servers of this base URL do not answer.",
        what_then="The name servers of this base URL did not answer.",
        patience=Patience.CONNECTING,
        on_path=True,
        is_silent=True,
    )
    TCP_REFUSED = _down(
        "tcp_refused",
        group=Group.CONNECT,
        label="Connection refused",
        what="The server refuses connections.",
        what_then="The server refused connections.",
        on_path=True,
    )
    TCP_UNREACHABLE = _down(
        "tcp_unreachable",
        group=Group.CONNECT,
        label="No route",
        what="There is no route to the server.",
        what_then="There was no route to the server.",
        on_path=True,
        is_silent=True,
    )
    CONNECT_TIMEOUT = _down(
        "connect_timeout",
        group=Group.CONNECT,
        label="Connect time-out",
        what="The server does not answer.",
        what_then="The server did not answer.",
        patience=Patience.CONNECTING,
        on_path=True,
        is_silent=True,
        is_common=True,
    )
    TLS_TIMEOUT = _down(
        "tls_timeout",
        group=Group.TLS,
        label="TLS time-out",
        what="The encrypted connection is never completed.",
        what_then="The encrypted connection was never completed.",
        patience=Patience.CONNECTING,
        on_path=True,
        is_silent=True,
        is_cut=True,
    )
    TLS_PROTOCOL = _down(
        "tls_protocol",
        group=Group.TLS,
        label="TLS broken",
        what="The encrypted connection cannot be set up.",
        what_then="The encrypted connection could not be set up.",
        on_path=True,
    )
    CERT_EXPIRED = _down(
        "cert_expired",
        group=Group.CERTIFICATE,
        label="Certificate expired",
        what="The certificate's dates do not cover today.",
        what_then="The certificate's dates did not cover the day.",
        remedy=_OTHER_URL_FOR_KEY,
        is_common=True,
    )
    CERT_HOSTNAME = _down(
        "cert_hostname",
        group=Group.CERTIFICATE,
        label="Wrong certificate",
        what="The certificate is for another name.",
        what_then="The certificate was for another name.",
        remedy=_OTHER_URL_FOR_KEY,
        on_path=True,
    )
    CERT_UNTRUSTED = _down(
        "cert_untrusted",
        group=Group.CERTIFICATE,
        label="Untrusted certificate",
        what="The certificate's issuer is not known.",
        what_then="The certificate's issuer was not known.",
        remedy=_OTHER_URL_FOR_KEY,
        on_path=True,
    )
    HTTP_DISCONNECT = _down(
        "http_disconnect",
        label="Disconnected",
        what="The server hangs up before it answers.",
        what_then="The server hung up before it answered.",
        on_path=True,
        may_be_edge_limit=True,
    )
    HEADERS_TIMEOUT = _down(
        "headers_timeout",
        label="No answer",
        what="The server takes the request and does not answer.",
        what_then="The server took the request and did not answer.",
        patience=Patience.WHOLE_RUN,
    )
    HTTP_GARBAGE = _down(
        "http_garbage",
        label="Not HTTP",
        what="The server answers with something that is not HTTP.",
        what_then="The server answered with something that was not HTTP.",
    )
    SERVER_ERROR = _down(
        "server_error",
        label="Server error",
        what="The service or the provider behind it failed.",
        remedy=_AGAIN_OR_OTHER_MODEL,
        may_be_edge_limit=True,
        is_unspecific=True,
        is_common=True,
    )
    BAD_GATEWAY = _down(
        "bad_gateway",
        label="Bad gateway",
        what="The proxy cannot reach the service behind it.",
        what_then="The proxy could not reach the service behind it.",
        may_be_edge_limit=True,
        is_unspecific=True,
    )
    UPSTREAM_TIMEOUT = _down(
        "upstream_timeout",
        label="Upstream time-out",
        what="The provider behind the service did not answer in time.",
        remedy=_AGAIN_OR_OTHER_MODEL,
        may_be_edge_limit=True,
    )
    NO_CHANNEL = _down(
        "no_channel",
        label="No channel",
        what="The service has no provider left for this model.",
        what_then="The service had no provider left for this model.",
        remedy="Use another model.",
        is_unoffered=True,
        is_for_want_of_model=True,
    )
    EDGE_ERROR = _down(
        "edge_error",
        group=Group.EDGE,
        label="CDN error",
        what="The CDN cannot reach the service behind it.",
        what_then="The CDN could not reach the service behind it.",
        remedy="Use a base URL that does not go through this CDN.",
        on_path=True,
        may_be_edge_limit=True,
    )
    EDGE_TIMEOUT = _down(
        "edge_timeout",
        group=Group.EDGE,
        label="Cut off by the CDN",
        what="The CDN ends calls that take too long.",
        what_then="The CDN ended calls that took too long.",
        remedy="Stream the answer, or use a base URL without a time limit.",
        on_path=True,
        is_common=True,
    )
    HTML_ANSWER = _down(
        "html_answer",
        label="Got a web page",
        what="A web page comes instead of an answer.",
        what_then="A web page came instead of an answer.",
        remedy=_CHECK_URL,
        is_unoffered=True,
    )
    UNEXPECTED_STATUS = _down(
        "unexpected_status",
        label="Unexpected status",
        what="The server answers with a status that means failure.",
        what_then="The server answered with a status that means failure.",
        is_unspecific=True,
        shows_reached=True,
    )
    UNEXPECTED_REDIRECT = _down(
        "unexpected_redirect",
        label="Redirect",
        what="The server sends callers elsewhere.",
        what_then="The server sent callers elsewhere.",
        remedy=_CHECK_URL,
        shows_reached=True,
        is_unoffered=True,
    )
    UNEXPECTED_BODY = _down(
        "unexpected_body",
        label="Unusable answer",
        what="The answer is not what this call returns.",
        what_then="The answer was not what this call returns.",
    )
    WEBSOCKET_BROKEN = _down(
        "websocket_broken",
        label="No WebSocket",
        what="WebSockets cannot be opened: something on the way does not pass them on, or answers in the service's place.",
        what_then="WebSockets could not be opened: something on the way did not pass them on, or answered in the service's place.",
        remedy=_OTHER_URL_FOR_WEBSOCKETS,
        shows_reached=True,
    )
    BODY_TIMEOUT = _down(
        "body_timeout",
        label="Answer never ends",
        what="The answer begins and does not end in time.",
        what_then="The answer began and did not end in time.",
        patience=Patience.WHOLE_RUN,
        on_path=True,
    )
    ROUTE_GONE = _down(
        "route_gone",
        label="Path gone",
        what="A path that worked is gone.",
        what_then="A path that had worked was gone.",
    )
    NO_FIRST_TOKEN = _down(
        "no_first_token",
        label="No first token",
        what="The stream opens and nothing comes.",
        what_then="The stream opened and nothing came.",
        remedy=_AGAIN_OR_OTHER_URL,
        patience=Patience.FIRST_TOKEN,
        may_be_edge_limit=True,
    )
    EMPTY_COMPLETION = _down(
        "empty_completion",
        label="Empty answer",
        what="The answer is empty.",
        what_then="The answer was empty.",
        remedy="Try again.",
        is_common=True,
    )
    STREAM_ERROR = _down(
        "stream_error",
        label="Error in the stream",
        what="The stream begins well and then reports an error.",
        what_then="The stream began well and then reported an error.",
        remedy=_AGAIN_OR_OTHER_MODEL,
    )
    BODY_TOO_LARGE = _down(
        "body_too_large",
        label="Endless answer",
        what="The answer is far too large.",
        what_then="The answer was far too large.",
    )

    SLOW = _degraded(
        "slow",
        label="Slow",
        what="Answers take longer than they should.",
        what_then="Answers took longer than they should.",
        remedy=_FASTER_URL,
        on_path=True,
        shows_reached=True,
    )
    STALLED = _degraded(
        "stalled",
        label="Stalled stream",
        what="Streams pause for a long time in the middle.",
        what_then="Streams paused for a long time in the middle.",
        spoils_answer=True,
        patience=Patience.STALL,
        on_path=True,
    )
    TRUNCATED = _degraded(
        "truncated",
        label="Truncated",
        what="Answers break off before their end.",
        what_then="Answers broke off before their end.",
        spoils_answer=True,
        on_path=True,
        is_common=True,
    )
    MALFORMED_STREAM = _degraded(
        "malformed_stream",
        label="Malformed stream",
        what="Streams hold events that are no JSON: most clients stop with an error there.",
        what_then="Streams held events that were no JSON: most clients stop with an error there.",
        remedy=_OTHER_URL_FOR_STREAMS,
        spoils_answer=True,
    )
    STREAM_NOT_SUPPORTED = _degraded(
        "stream_not_supported",
        label="No streaming",
        what="Streaming is ignored: the answer comes in one piece.",
        what_then="Streaming was ignored: the answer came in one piece.",
        remedy=_OTHER_URL_FOR_STREAMS,
        spoils_answer=True,
    )
    FAKE_STREAMING = _degraded(
        "fake_streaming",
        label="Held-back stream",
        what="The stream is held back and comes all at once.",
        what_then="The stream was held back and came all at once.",
        remedy=_OTHER_URL_FOR_STREAMS,
        spoils_answer=True,
        becomes_habit=True,
        is_common=True,
    )
    CONTENT_MISMATCH = _degraded(
        "content_mismatch",
        label="Wrong answers",
        what="Simple questions are answered wrongly.",
        what_then="Simple questions were answered wrongly.",
        remedy=_CHECK_MODEL,
        spoils_answer=True,
    )
    MODEL_MISMATCH = _degraded(
        "model_mismatch",
        label="Other model",
        what="Another model answers than was asked for.",
        what_then="Another model answered than was asked for.",
        remedy=_CHECK_MODEL,
        spoils_answer=True,
    )
    MODEL_SUSPECT = _degraded(
        "model_suspect",
        label="Other answers",
        what="One-word answers are spread otherwise than before, than at the other base URLs, or than in the reference.",
        what_then="One-word answers were spread otherwise than before, than at the other base URLs, or than in the reference.",
        remedy="Compare with the other base URLs, and ask the owner which model answers.",
    )
    TOKENIZER_CHANGED = _degraded(
        "tokenizer_changed",
        label="Other token counts",
        what="The same texts count otherwise in tokens than before, or than through the other base URLs.",
        what_then="The same texts counted otherwise in tokens than before, or than through the other base URLs.",
        remedy="Compare with the other base URLs, and ask the owner which model answers.",
    )
    PROMPT_INJECTED = _degraded(
        "prompt_injected",
        label="Longer prompts counted",
        what="Every prompt counts the same number of tokens more than before, or than through the other base URLs, as if a text were put before it.",
        what_then="Every prompt counted the same number of tokens more than before, or than through the other base URLs, as if a text were put before it.",
        remedy="Ask the owner what is added to your prompts; it is billed with each.",
    )
    SCHEMA_IGNORED = _degraded(
        "schema_ignored",
        label="Schema ignored",
        what="Answers do not keep to the JSON schema that was asked for.",
        what_then="Answers did not keep to the JSON schema that was asked for.",
        remedy="Use another base URL or model for structured output.",
        spoils_answer=True,
    )
    TOOL_CALL_MISSING = _degraded(
        "tool_call_missing",
        label="No tool calls",
        what="Tools are not called: words come in place of the call, or tools are refused.",
        what_then="Tools were not called: words came in place of the call, or tools were refused.",
        remedy=_OTHER_URL_FOR_TOOLS,
        spoils_answer=True,
    )
    TOOL_CALL_BROKEN = _degraded(
        "tool_call_broken",
        label="Broken tool calls",
        what="Tool calls come damaged, or what the tools say is not taken.",
        what_then="Tool calls came damaged, or what the tools said was not taken.",
        remedy=_OTHER_URL_FOR_TOOLS,
        spoils_answer=True,
    )
    CACHE_MISSING = _degraded(
        "cache_missing",
        label="Cache never hits",
        what="Prompts that were sent a moment before are not read from a cache.",
        what_then="Prompts that had been sent a moment before were not read from a cache.",
        remedy="Use another base URL for long prompts, or ask the owner.",
    )
    CACHE_UNREPORTED = _degraded(
        "cache_unreported",
        label="Cache not reported",
        what="Answers do not say how much of a prompt came from a cache.",
        what_then="Answers did not say how much of a prompt came from a cache.",
        remedy="Ask the owner whether prompts are cached. A server that never says it cannot be judged: leave this probe out there.",
    )
    CONTENT_FILTERED = _degraded(
        "content_filtered",
        label="Filtered",
        what="Harmless questions are filtered.",
        what_then="Harmless questions were filtered.",
        remedy="Use another model or base URL.",
        spoils_answer=True,
    )
    WRONG_CONTENT_TYPE = _degraded(
        "wrong_content_type",
        label="Wrong label",
        what="Answers are labelled as something else.",
        what_then="Answers were labelled as something else.",
        remedy=_OTHER_URL_FOR_STRICT_CLIENTS,
        spoils_answer=True,
        becomes_habit=True,
    )
    OVER_BILLING = _degraded(
        "over_billing",
        label="Over-billing",
        what="More tokens are counted than such a prompt and answer have, or than before.",
        what_then="More tokens were counted than such a prompt and answer have, or than before.",
        remedy="Compare your bill with your usage.",
        becomes_habit=True,
    )
    RATE_LIMITED = _degraded(
        "rate_limited",
        label="Rate limited",
        what="Too many requests with this key.",
        what_then="There were too many requests with this key.",
        remedy="Wait a little and try again.",
        is_busy=True,
        is_common=True,
    )
    OVERLOADED = _degraded(
        "overloaded",
        label="Overloaded",
        what="The provider behind the service is overloaded.",
        what_then="The provider behind the service was overloaded.",
        remedy=_AGAIN_OR_OTHER_MODEL,
        is_busy=True,
    )
    MISSING_USAGE = _degraded(
        "missing_usage",
        label="No usage",
        what="Answers no longer report their tokens.",
        what_then="Answers did not report their tokens any more.",
        remedy="Watch your bill.",
        becomes_habit=True,
    )
    CERT_EXPIRING = _degraded(
        "cert_expiring",
        group=Group.CERTIFICATE,
        label="Certificate ends soon",
        what="The certificate ends soon.",
        what_then="The certificate was going to end soon.",
        remedy="The owner should renew it.",
        shows_reached=True,
    )

    DNS_POISONED = _path(
        "dns_poisoned",
        label="DNS pollution suspected",
        what="From here the name leads to an address that is not the service's.",
        what_then="The name led to an address that was not the service's.",
        what_there="There the name leads to an address that is not the service's.",
        remedy=_OTHER_URL_OR_RESOLVER,
    )
    SNI_BLOCKED = _path(
        "sni_blocked",
        label="Blocking suspected",
        what="The connection dies when the name is sent.",
        what_then="The connection died when the name was sent.",
        remedy=_OTHER_NAME,
    )
    TLS_RESET = _path(
        "tls_reset",
        group=Group.TLS,
        label="Reset during TLS",
        what="The connection is cut while encryption is set up; interference is suspected.",
        what_then="The connection was cut while encryption was set up; interference was suspected.",
        remedy=_OTHER_NAME,
        is_cut=True,
    )

    AUTH_INVALID = _account(
        "auth_invalid",
        label="Key rejected",
        what="The key is refused. The usual causes: the account's balance is empty, or the key lacks permission for this model.",
        what_then="The key was refused. The usual causes: the account's balance is empty, or the key lacks permission for this model.",
        remedy=_CHECK_BALANCE,
        hint="check the key, its balance and its permission for the model",
        needs_person=True,
        is_common=True,
    )
    QUOTA_EXHAUSTED = _account(
        "quota_exhausted",
        label="Quota used up",
        what="The balance or quota of the key is used up.",
        what_then="The balance or quota of the key was used up.",
        remedy="Top up the account.",
        hint="the account needs money or a higher limit",
        needs_person=True,
    )
    PERMISSION_DENIED = _account(
        "permission_denied",
        label="Not allowed",
        what="The key may not do this. The usual causes: the account's balance, or the key's permission for this model or address.",
        what_then="The key was not allowed to do this. The usual causes: the account's balance, or the key's permission for this model or address.",
        remedy=_CHECK_BALANCE,
        hint="the key may not do this",
        needs_person=True,
        is_unoffered=True,
    )
    CLIENT_REFUSED = _account(
        "client_refused",
        label="Client refused",
        what="The base URL admits only certain client programs, and the check does not ask as one of them.",
        what_then="The base URL admitted only certain client programs, and the check did not ask as one of them.",
        remedy="The operator may have the check ask as an admitted client, where the provider allows that.",
        hint="it wants another client; see `system`, `body` and `headers` of a probe",
        needs_person=True,
    )
    MODEL_NOT_FOUND = _account(
        "model_not_found",
        label="No such model",
        what="This account has no such model here.",
        what_then="This account had no such model here.",
        remedy="Check the model's name and the key's permissions.",
        hint="check the model's name",
        needs_person=True,
        is_unoffered=True,
        is_for_want_of_model=True,
    )
    REGION_BLOCKED = _account(
        "region_blocked",
        label="Region refused",
        what="The provider does not serve this region.",
        what_then="The provider did not serve this region.",
        remedy=_OTHER_URL,
        needs_person=True,
    )
    REQUEST_REJECTED = _account(
        "request_rejected",
        label="Request refused",
        what="The check's own request is refused as invalid.",
        what_then="The check's own request was refused as invalid.",
        remedy="The operator should change the check.",
    )
    BUDGET_TOO_SMALL = _account(
        "budget_too_small",
        label="Token cap too small",
        what="The model thought until its tokens were used up.",
        remedy="The operator should raise max_tokens or use a plainer model.",
    )
    PATH_NOT_FOUND = _account(
        "path_not_found",
        label="No such path",
        what="The base URL has no such path.",
        what_then="The base URL had no such path.",
        remedy=_CHECK_URL,
        hint="check the base URL",
        is_unspecific=True,
        is_unoffered=True,
    )
    NO_KEY = _account(
        "no_key",
        label="No key",
        what="No key is configured for this check.",
        what_then="No key was configured for this check.",
        remedy="Only the operator's own check is concerned.",
        by_choice=True,
    )

    OFFLINE = _monitor(
        "offline",
        label="Monitor offline",
        what="The monitor's own network is down.",
        what_then="The monitor's own network was down.",
        remedy=_LOOK_AT_MONITOR,
    )
    RESOLVER_FAILED = _monitor(
        "resolver_failed",
        label="Monitor's resolver broken",
        what="The monitor cannot look names up.",
        what_then="The monitor could not look names up.",
        remedy=_LOOK_AT_MONITOR,
    )
    CLOCK_WRONG = _monitor(
        "clock_wrong",
        label="Monitor's clock wrong",
        what="The monitor's clock is wrong.",
        what_then="The monitor's clock was wrong.",
        remedy="The operator should set the monitor's clock.",
    )
    EDGE_CHALLENGE = _monitor(
        "edge_challenge",
        group=Group.EDGE,
        label="Monitor challenged",
        what="The CDN takes the monitor for a robot.",
        what_then="The CDN took the monitor for a robot.",
        remedy=_ALLOW_ADDRESS,
    )
    EDGE_DENIED = _monitor(
        "edge_denied",
        group=Group.EDGE,
        label="Monitor refused",
        what="The CDN refuses the monitor's address.",
        what_then="The CDN refused the monitor's address.",
        remedy=_ALLOW_ADDRESS,
    )
    NOT_OFFERED = _monitor(
        "not_offered",
        label="Not offered",
        what="The service has no such call; another check asks its model itself.",
        what_then="The service had no such call; another check asks its model itself.",
        remedy="The operator may remove this check.",
        by_choice=True,
        is_unoffered=True,
    )
    BALANCE_LOW = _account(
        "balance_low",
        label="Balance runs low",
        what="At the rate of the last days the balance is used up soon.",
        what_then="At the rate of those days the balance was going to be used up soon.",
        remedy="Top up the account.",
        needs_person=True,
    )
    BUDGET_PAUSED = _monitor(
        "budget_paused",
        label="Paused by budget",
        what="Today's budget for checks is spent.",
        what_then="The day's budget for checks was spent.",
        remedy="Paid checks go on tomorrow (UTC).",
        by_choice=True,
    )
    INTERNAL = _monitor(
        "internal",
        label="Fault in the monitor",
        what="The monitor itself failed.",
        remedy="The operator should look at its log.",
    )
    OVERRUN = _monitor(
        "overrun",
        label="Monitor too busy",
        what="The monitor was too busy for this run.",
        remedy="The operator should give it more room.",
    )


def kinds_where(test: Callable[[FailureRow], bool]) -> frozenset[FailureKind]:
    """Return every kind whose row passes the test."""
    return frozenset(kind for kind in FailureKind if test(kind.row))


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as a value. `message` says in English what came and what was wanted, without secrets."""

    kind: FailureKind
    message: str

    @property
    def fault(self) -> Fault:
        return self.kind.fault

    @property
    def outcome(self) -> Outcome:
        return self.kind.outcome
