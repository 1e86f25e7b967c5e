"""How a stream went, from chunks alone: its speeds, its stalls, and whether it ended whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from monitor.model import SETTLED, Failure, FailureKind, Habit, Stream
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import ErrorType, Exchange
from monitor.probes.readers import ProtocolReader
from monitor.probes.verdict.classify import is_error_object, judge_error_object
from monitor.probes.verdict.error_body import read_json

STALLED_MS = 10_000.0
BURST_TOKENS = 64
BURSTS_BELIEVED = 3
_QUICK_MS = 500.0
"""The fastest hardware needs no longer for all of it: what came by then was not held back."""
_LAG_MS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """`burst` is None where the stream is too short to tell."""

    stream: Stream
    ttft: float | None
    ttft_visible: float | None
    burst: bool | None


def stream_stats(
    listener: StreamRecorder, exchange: Exchange, habit: Habit, *, proven: bool = False
) -> StreamStats:
    times = listener.content_at
    usage = listener.reader.usage
    reported = usage.tokens_out if usage else None
    tokens = math.ceil(listener.content_bytes / 4) if reported is None else reported
    streamed = tokens - _hidden(listener.reader)
    came = min(streamed, math.ceil(listener.content_bytes / 2))
    burst = None if _lagged(times, exchange) else _is_burst(times, came)
    complete = is_complete(listener, exchange, habit, proven=proven)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    stream = Stream(
        events=listener.parser.events,
        content_chunks=len(times),
        tokens_out=tokens,
        tokens_estimated=reported is None,
        tokens_per_s=None
        if burst or reported is None
        else _speed(listener, min(streamed, listener.content_bytes)),
        stall_max_ms=_longest_stall(listener, exchange, complete=complete),
        icl_p50_ms=_quantile(gaps, 0.5),
        icl_p95_ms=_quantile(gaps, 0.95),
        finish_reason=listener.reader.finish_reason,
        complete=complete,
        heartbeats=listener.heartbeats,
    )
    first = times[0] if times else None
    return StreamStats(stream=stream, ttft=first, ttft_visible=listener.visible_at, burst=burst)


def _hidden(reader: ProtocolReader) -> int:
    """Tokens that were thought out of sight, before the stream began or between its pieces."""
    shown = len(reader.reasoning.encode("utf-8", "replace"))
    return reader.reasoning_tokens if shown < reader.reasoning_tokens else 0


def _speed(listener: StreamRecorder, tokens: int) -> float | None:
    """Tokens per second after the first content event; None where noise would be the answer.

    `tokens` are one per byte at most: a server cannot count itself fast.
    """
    times = listener.content_at
    window = times[-1] - times[0] if times else 0.0
    after_first = tokens - math.ceil(listener.first_size / 4)
    if tokens < 32 or window < 200 or after_first <= 0:
        return None
    return after_first / window * 1000


def _lagged(times: Sequence[float], exchange: Exchange) -> bool:
    """While our own event loop hangs, what comes piece by piece is read all at once."""
    return exchange.lag_ms > max(_LAG_MS, max(times, default=0.0) / 4)


def _is_burst(times: Sequence[float], tokens: int) -> bool | None:
    """Everything at once after a long silence. Chunk counts are no evidence, chunk spread is.

    `tokens` are those that came: at most one for two bytes, whatever the usage counts.
    """
    if tokens < BURST_TOKENS or not times:
        return None
    if times[-1] < _QUICK_MS:
        return False
    spread = times[-1] - times[0]
    batches = 1 + sum(later - earlier >= 5 for earlier, later in pairwise(times))
    return spread < 50 or (spread / times[-1] < 0.02 and batches <= 3)


def _longest_stall(listener: StreamRecorder, exchange: Exchange, *, complete: bool) -> float | None:
    """Also the open gap at the end: a stream that falls silent and is cut has stalled there."""
    times = listener.content_at
    if not times:
        return None
    end = listener.ended_at if complete and listener.ended_at is not None else _end(exchange)
    return max(later - earlier for earlier, later in pairwise([*times, max(end, times[-1])]))


def _end(exchange: Exchange) -> float:
    last = exchange.chunks[-1].at_ms if exchange.chunks else 0.0
    return max(last, exchange.timings.total or 0.0)


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    """Nearest rank."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


# --- the end ------------------------------------------------------------------------------------


def is_complete(
    listener: StreamRecorder, exchange: Exchange, habit: Habit, *, proven: bool = False
) -> bool:
    """Whether the stream ended whole. `proven`: the content itself shows that nothing is missing.

    Relays write `[DONE]` themselves, even behind a stream that was cut: where a finish reason is
    the habit, `[DONE]` without one proves nothing.
    """
    reader = listener.reader
    if reader.error is not None or listener.parser.overflow is not None:
        return False
    if reader.ended or proven:
        return True
    if reader.finish_reasons:
        return reader.done or (listener.tail is None and exchange.error is None)
    if reader.done:
        return habit.has_finish_reason < SETTLED
    return exchange.error is None and listener.tail is None and _never_marks(habit)


def _never_marks(habit: Habit) -> bool:
    return habit.good >= SETTLED and not habit.has_finish_reason and not habit.ends_with_done


def judge_stream(
    listener: StreamRecorder, exchange: Exchange, habit: Habit, *, proven: bool = False
) -> Failure | None:
    """The verdict of a finished stream: errors, then breaks, then the end, then emptiness."""
    error = _error(listener)
    if error is not None:
        return error
    complete = is_complete(listener, exchange, habit, proven=proven)
    broken = None if complete else _break(listener, exchange)
    return broken or _emptiness(listener) or _stall(listener, exchange, complete=complete)


def _error(listener: StreamRecorder) -> Failure | None:
    reader = listener.reader
    if reader.error is not None:
        return judge_error_object(reader.error)
    lines = listener.parser.unknown
    if not lines:
        return None
    value = read_json(lines[lines.find("{") :].encode()) if "{" in lines else None
    if is_error_object(value):
        return judge_error_object(value)
    if lines.startswith("error:") or "\nerror:" in lines:
        value = read_json(lines[lines.rfind("error:") + 6 :].encode())
        return judge_error_object(value if isinstance(value, dict) else {"error": lines[-300:]})
    return None


def _break(listener: StreamRecorder, exchange: Exchange) -> Failure | None:
    error = exchange.error
    content = listener.content_at
    if listener.parser.overflow is not None:
        return Failure(FailureKind.BODY_TOO_LARGE, f"got a stream where {listener.parser.overflow}")
    if error is not None and error.what is ErrorType.TOO_LARGE:
        return Failure(
            FailureKind.BODY_TOO_LARGE, "got a larger stream than we read, want a smaller one"
        )
    if error is not None and error.what in {ErrorType.TIMEOUT, ErrorType.GAVE_UP}:
        return _silence(listener, exchange)
    if not content and error is not None:
        return Failure(
            FailureKind.HTTP_DISCONNECT,
            "got a stream that broke before its first token, want an answer",
        )
    if not content:
        return None  # emptiness says it better
    how = "was cut off" if error is not None else "ended without saying that it is over"
    if listener.reader.done:
        how = "says [DONE] but gives no finish reason, which it used to: it was cut off upstream"
    return Failure(
        FailureKind.TRUNCATED,
        f"got a stream that {how} after {len(content)} pieces, want all of it",
    )


def _silence(listener: StreamRecorder, exchange: Exchange) -> Failure:
    waited = _end(exchange) / 1000
    beats = f" and {listener.heartbeats} heartbeats" if listener.heartbeats else ""
    if not listener.content_at:
        return Failure(
            FailureKind.NO_FIRST_TOKEN, f"got no token{beats} in {waited:.0f} s, want the first one"
        )
    silent = _end(exchange) - listener.content_at[-1]
    if silent < STALLED_MS:
        return Failure(
            FailureKind.BODY_TIMEOUT,
            f"got a stream that did not end in {waited:.0f} s, want all of it",
        )
    pieces = len(listener.content_at)
    return Failure(
        FailureKind.STALLED,
        f"got no more content{beats} for {silent / 1000:.0f} s after {pieces} pieces, want it to go on",
    )


def _emptiness(listener: StreamRecorder) -> Failure | None:
    reader, parser = listener.reader, listener.parser
    if reader.spoke:
        return None
    if parser.unknown.strip() and not parser.events:
        return _no_stream(parser.unknown)
    return judge_empty(reader)


def _no_stream(lines: str) -> Failure:
    """Nothing in it was an event: another protocol's stream, or prose."""
    last = lines.strip().rpartition("\n")[2]
    got = "one JSON object per line" if isinstance(read_json(last.encode()), dict) else "plain text"
    return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want a stream of server-sent events")


def judge_empty(reader: ProtocolReader) -> Failure:
    """An answer without visible text: a filter, our own cap, or a server that says nothing."""
    finish = reader.finish_reason or "no finish reason"
    if is_filtered(reader):
        return Failure(FailureKind.CONTENT_FILTERED, f"got no text ({finish}), want an answer")
    counted = reader.usage is not None and bool(reader.usage.tokens_out)
    if is_cut_by_cap(reader) and (counted or reader.reasoning_tokens or reader.reasoning):
        return Failure(
            FailureKind.BUDGET_TOO_SMALL,
            "got reasoning that used up max_tokens before any text; want a higher max_tokens "
            "or a model that does not reason",
        )
    return Failure(
        FailureKind.EMPTY_COMPLETION, f"got an answer without text ({finish}), want some"
    )


def is_cut_by_cap(reader: ProtocolReader) -> bool:
    return (reader.finish_reason or "").lower() in _CAPPED


_CAPPED = frozenset({"length", "max_tokens", "incomplete", "max_output_tokens"})


def is_filtered(reader: ProtocolReader) -> bool:
    return reader.refused or any(reason.lower() in _FILTERS for reason in reader.finish_reasons)


_FILTERS = frozenset(
    {
        "content_filter", "safety", "image_safety", "refusal", "prohibited_content", "blocklist",
        "recitation", "spii",
    }
)  # fmt: skip
"""What providers call the end of an answer that their filter made."""


def _stall(listener: StreamRecorder, exchange: Exchange, *, complete: bool) -> Failure | None:
    longest = _longest_stall(listener, exchange, complete=complete)
    if longest is None or longest - exchange.lag_ms < STALLED_MS:
        return None
    return Failure(
        FailureKind.STALLED,
        f"got no content for {longest / 1000:.1f} s within the stream, want it to go on",
    )
