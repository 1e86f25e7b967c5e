"""Judges a recorded stream, and works out its figures: its speeds, its stalls, whether it ended whole.

Everything follows from arrivals alone; what the answer says is for `check_answer`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from monitor.model import SETTLED, Failure, FailureKind, Habit, Stream
from monitor.probes.answer.error_text import judge_error_text
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
_CAPPED = frozenset({"length", "max_tokens", "incomplete", "max_output_tokens"})
"""What providers call the end of an answer that reached its cap."""
_FILTERS = frozenset(
    {
        "blocklist",
        "content_filter",
        "image_safety",
        "prohibited_content",
        "recitation",
        "refusal",
        "safety",
        "sensitive",
        "spii",
    }
)
"""What providers call the end of an answer that their filter made."""
_JSON_BEGINS = re.compile(r'\s*(?:\{|\[\s*[{\["]|")')
_KEEP_ALIVE = re.compile(
    r"\W*(?:ping|pong|keep-?alive|heart-?beat|[a-z]* ?processing)\W*", re.IGNORECASE
)
_QUOTED = 200
"""Characters of the server's words that a message quotes."""


# --- the verdict ----------------------------------------------------------------------------------


def judge_stream(
    recorder: StreamRecorder, exchange: Exchange, stats: "StreamStats"
) -> Failure | None:
    """Judge a finished stream by its record and its figures.

    In order: an error that the server reports; a break; words that are no event; an empty answer;
    events that no client can parse; a stall.
    """
    error = _reported_error(recorder)
    if error is not None:
        return error
    if not stats.stream.complete:
        # Half an event that we cut off ourselves is no server's last word.
        words = None if recorder.tail is not None and _ended_by_us(exchange) else _prose(recorder)
        broken = words or _break(recorder, exchange)
        if broken is not None:
            return broken
    return _emptiness(recorder) or _malformed(recorder) or _stall(stats.stream, exchange)


def _is_complete(
    recorder: StreamRecorder, exchange: Exchange, habit: Habit, *, proven: bool = False
) -> bool:
    """Say whether the stream ended whole. `proven`: its content itself shows that nothing is missing.

    Relays write `[DONE]` themselves, even behind a stream that was cut: where a finish reason is
    the habit, `[DONE]` without one proves nothing.
    """
    reader = recorder.reader
    if reader.error is not None or recorder.parser.overflow is not None:
        return False
    if reader.ended or proven:
        return True
    if reader.finish_reasons:
        return reader.done or (recorder.tail is None and exchange.error is None)
    if reader.done:
        return habit.has_finish_reason < SETTLED
    never_marks = habit.good >= SETTLED and not habit.has_finish_reason and not habit.ends_with_done
    return exchange.error is None and recorder.tail is None and never_marks


def _reported_error(recorder: StreamRecorder) -> Failure | None:
    """Judge an error that came as an event, or in lines that are no part of any event."""
    if recorder.reader.error is not None:
        return judge_error_object(recorder.reader.error)
    lines = recorder.parser.unknown
    if not lines:
        return None
    value = read_json(lines[lines.find("{") :].encode()) if "{" in lines else None
    if is_error_object(value):
        return judge_error_object(value)
    if lines.startswith("error:") or "\nerror:" in lines:
        value = read_json(lines[lines.rfind("error:") + 6 :].encode())
        return judge_error_object(value if isinstance(value, dict) else {"error": lines[-300:]})
    return None


def _ended_by_us(exchange: Exchange) -> bool:
    """Say whether a limit of ours ended the stream."""
    ours = {ErrorType.TIMEOUT, ErrorType.GAVE_UP, ErrorType.TOO_LARGE}
    return exchange.error is not None and exchange.error.what in ours


def _prose(recorder: StreamRecorder) -> Failure | None:
    """Judge plain words in an event, with which a server ends a stream that it cannot finish."""
    words = next((data for data in recorder.reader.unparsed if _is_prose(data)), None)
    return None if words is None else judge_error_object(words[:_QUOTED])


def _is_prose(data: str) -> bool:
    is_fragment = _JSON_BEGINS.match(data) or '":' in data
    return not is_fragment and not _KEEP_ALIVE.fullmatch(data) and any(map(str.isalpha, data))


def _break(recorder: StreamRecorder, exchange: Exchange) -> Failure | None:
    """Judge a stream that did not end whole; None where it has no content, which is said elsewhere."""
    error, content = exchange.error, recorder.content_at
    if recorder.parser.overflow is not None:
        return Failure(FailureKind.BODY_TOO_LARGE, f"got a stream where {recorder.parser.overflow}")
    if error is not None and error.what is ErrorType.TOO_LARGE:
        return Failure(
            FailureKind.BODY_TOO_LARGE,
            f"got a larger stream than we read ({error.detail}), want a smaller one",
        )
    if error is not None and error.what is ErrorType.ENCODING:
        return Failure(FailureKind.UNEXPECTED_BODY, f"got {error.detail}, want a plain stream")
    if error is not None and error.what in {ErrorType.TIMEOUT, ErrorType.GAVE_UP}:
        return _silence(recorder, exchange)
    if not content and recorder.parser.unknown.lstrip().startswith("{"):
        return _no_events(recorder.parser.unknown)
    if not content and error is not None:
        return Failure(
            FailureKind.HTTP_DISCONNECT,
            "got a stream that broke before its first token, want an answer",
        )
    if not content:
        return None
    how = "was cut off" if error is not None else "ended without saying that it is over"
    if recorder.reader.done:
        how = "says [DONE] but gives no finish reason, which it used to: it was cut off upstream"
    words = _quote(recorder.parser.unknown)
    last_words = f' and the words "{words}"' if words else ""
    return Failure(
        FailureKind.TRUNCATED,
        f"got a stream that {how} after {len(content)} pieces{last_words}, want all of it",
    )


def _silence(recorder: StreamRecorder, exchange: Exchange) -> Failure:
    """Judge a stream in which nothing more came until the run was given up."""
    waited = _end(exchange) / 1000
    beats = f" and {recorder.heartbeats} heartbeats" if recorder.heartbeats else ""
    if not recorder.content_at:
        return Failure(
            FailureKind.NO_FIRST_TOKEN, f"got no token{beats} in {waited:.0f} s, want the first one"
        )
    silent = _end(exchange) - recorder.content_at[-1]
    if silent < STALLED_MS:
        return Failure(
            FailureKind.BODY_TIMEOUT,
            f"got a stream that did not end in {waited:.0f} s, want all of it",
        )
    pieces = len(recorder.content_at)
    return Failure(
        FailureKind.STALLED,
        f"got no more content{beats} for {silent / 1000:.0f} s after {pieces} pieces, want it to go on",
    )


def _emptiness(recorder: StreamRecorder) -> Failure | None:
    reader, parser = recorder.reader, recorder.parser
    if reader.spoke:
        return None
    if reader.message is not None and not is_filtered(reader):
        return judge_error_object(reader.message)
    if reader.unparsed:
        return _prose(recorder) or _unreadable(reader.unparsed)
    if parser.unknown.strip() and not parser.events:
        return _no_events(parser.unknown)
    return judge_empty(reader)


def _unreadable(unparsed: Sequence[str]) -> Failure:
    """Judge a stream of which no event brought an answer, and some were no JSON object."""
    lines = unparsed[0].splitlines()
    if len(lines) > 1 and isinstance(read_json(lines[0].encode()), dict):
        return Failure(
            FailureKind.UNEXPECTED_BODY,
            "got events that no empty line parts, so that they are one, want an empty line after each",
        )
    return Failure(
        FailureKind.UNEXPECTED_BODY,
        f'got a stream without an answer and with events that are no JSON object: "{_quote(unparsed[0])}"',
    )


def _no_events(lines: str) -> Failure:
    """Judge a body in which nothing was an event: another protocol's stream, half a document, prose."""
    last = lines.strip().rpartition("\n")[2]
    if isinstance(read_json(last.encode()), dict):
        got = "one JSON object per line"
    elif lines.lstrip().startswith("{"):
        got = "one JSON document that breaks off"
    else:
        error = judge_error_text(lines, wrong=True)
        if error is not None:
            return error
        got = f'plain text, "{_quote(lines)}"'
    return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want a stream of server-sent events")


def _malformed(recorder: StreamRecorder) -> Failure | None:
    """Judge events that are no JSON object in a stream that is good otherwise: clients raise there."""
    unparsed = recorder.reader.unparsed
    if not unparsed:
        return None
    return Failure(
        FailureKind.MALFORMED_STREAM,
        f'got {len(unparsed)} events that are no JSON object, such as "{_quote(unparsed[0])}", '
        "want JSON in each",
    )


def _quote(text: str) -> str:
    return " ".join(text.split())[:_QUOTED]


def judge_empty(reader: ProtocolReader) -> Failure:
    """Judge an answer without visible text: a filter, our own cap, or a server that says nothing."""
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
    """Say whether the answer ended because it reached its cap of tokens."""
    return (reader.finish_reason or "").lower() in _CAPPED


def is_filtered(reader: ProtocolReader) -> bool:
    """Say whether a filter ended the answer, or the model refused to give one."""
    return reader.refused or any(reason.lower() in _FILTERS for reason in reader.finish_reasons)


def _stall(stream: Stream, exchange: Exchange) -> Failure | None:
    longest = stream.stall_max_ms
    if longest is None or longest - exchange.lag_ms < STALLED_MS:
        return None
    return Failure(
        FailureKind.STALLED,
        f"got no content for {longest / 1000:.1f} s within the stream, want it to go on",
    )


# --- the figures ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """The figures of a stream. Times are in milliseconds since the request."""

    stream: Stream
    ttft: float | None
    ttft_visible: float | None
    burst: bool | None
    """Whether all of it came at once after a silence; None where it is too short to tell."""


def stream_stats(
    recorder: StreamRecorder, exchange: Exchange, habit: Habit, *, proven: bool = False
) -> StreamStats:
    """Work out the figures of a stream. `proven`: its content itself shows that nothing is missing."""
    times = recorder.content_at
    usage = recorder.reader.usage
    reported = usage.tokens_out if usage else None
    tokens = math.ceil(recorder.content_bytes / 4) if reported is None else reported
    streamed = tokens - _hidden(recorder.reader)
    arrived = min(streamed, math.ceil(recorder.content_bytes / 2))
    burst = None if _lagged(times, exchange) else _is_burst(times, arrived)
    complete = _is_complete(recorder, exchange, habit, proven=proven)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    stream = Stream(
        events=recorder.parser.events,
        content_chunks=len(times),
        tokens_out=tokens,
        tokens_estimated=reported is None,
        tokens_per_s=None
        if burst or reported is None
        else _speed(recorder, min(streamed, recorder.content_bytes)),
        stall_max_ms=_longest_stall(recorder, exchange, complete=complete),
        icl_p50_ms=_quantile(gaps, 0.5),
        icl_p95_ms=_quantile(gaps, 0.95),
        finish_reason=recorder.reader.finish_reason,
        complete=complete,
        heartbeats=recorder.heartbeats,
    )
    first = times[0] if times else None
    return StreamStats(stream=stream, ttft=first, ttft_visible=recorder.visible_at, burst=burst)


def _hidden(reader: ProtocolReader) -> int:
    """Return the tokens that were thought out of sight, before the stream began or between its pieces."""
    shown = len(reader.reasoning.encode("utf-8", "replace"))
    return reader.reasoning_tokens if shown < reader.reasoning_tokens else 0


def _speed(recorder: StreamRecorder, tokens: int) -> float | None:
    """Return tokens per second after the first content; None where noise would be the answer.

    `tokens` are one per byte at most: a server cannot count itself fast.
    """
    times = recorder.content_at
    window = times[-1] - times[0] if times else 0.0
    after_first = tokens - math.ceil(recorder.first_size / 4)
    if tokens < 32 or window < 200 or after_first <= 0:
        return None
    return after_first / window * 1000


def _lagged(times: Sequence[float], exchange: Exchange) -> bool:
    """Say whether our own event loop hung: what comes piece by piece is then read all at once."""
    return exchange.lag_ms > max(_LAG_MS, max(times, default=0.0) / 4)


def _is_burst(times: Sequence[float], tokens: int) -> bool | None:
    """Say whether everything came at once after a long silence, from the spread of the arrivals.

    `tokens` are those that came: at most one for two bytes, whatever the usage counts. How many
    chunks there were is no evidence.
    """
    if tokens < BURST_TOKENS or not times:
        return None
    if times[-1] < _QUICK_MS:
        return False
    spread = times[-1] - times[0]
    batches = 1 + sum(later - earlier >= 5 for earlier, later in pairwise(times))
    return spread < 50 or (spread / times[-1] < 0.02 and batches <= 3)


def _longest_stall(recorder: StreamRecorder, exchange: Exchange, *, complete: bool) -> float | None:
    """Return the longest time without content, also at the end: a stream that falls silent stalls there."""
    times = recorder.content_at
    if not times:
        return None
    end = recorder.ended_at if complete and recorder.ended_at is not None else _end(exchange)
    return max(later - earlier for earlier, later in pairwise([*times, max(end, times[-1])]))


def _end(exchange: Exchange) -> float:
    last = exchange.chunks[-1].at_ms if exchange.chunks else 0.0
    return max(last, exchange.timings.total or 0.0)


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    """Return the nearest rank."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None
