"""What all streams share, and how those are judged that are no conversation."""

from collections.abc import Callable
from dataclasses import replace

from monitor.model import Evidence, Failure, FailureKind, Habit
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.answer.stream_verdict import judge_stream, stream_stats
from monitor.probes.exchange import ErrorType, Exchange
from monitor.probes.probe import Finding
from monitor.probes.verdict.error_body import looks_html, read_json


def is_plain(exchange: Exchange) -> bool:
    """A page or one JSON document where a stream was asked for, whatever its label says."""
    return looks_html(exchange.body) or isinstance(read_json(exchange.body), dict | list)


def no_stream(got: str) -> Failure:
    return Failure(FailureKind.STREAM_NOT_SUPPORTED, f"got {got}, want a stream")


def until_the_end(exchange: Exchange, listener: StreamRecorder) -> Exchange:
    """Where the server kept the connection open after the stream's end, its time is not the stream's."""
    error, reader = exchange.error, listener.reader
    if error is None or error.what is not ErrorType.GAVE_UP or not (reader.done or reader.ended):
        return exchange
    return replace(exchange, timings=replace(exchange.timings, total=listener.ended_at))


def judge_streamed(
    exchange: Exchange,
    habit: Habit,
    listener: StreamRecorder,
    judge: Callable[[], Failure | None] = lambda: None,
) -> Finding:
    """`listener` has heard nothing yet; `judge` says what is wrong with what it heard, if it is whole."""
    for chunk in exchange.chunks:
        listener.feed(chunk)
    listener.close()
    heard = stream_stats(listener, exchange, habit)
    failure = judge_stream(listener, exchange, habit) or judge()
    return Finding(
        exchange=until_the_end(exchange, listener),
        failure=failure,
        habit=habit if failure else habit.worked(),
        ttft=heard.ttft,
        ttft_visible=heard.ttft_visible,
        stream=heard.stream,
        usage=listener.reader.usage,
        evidence=Evidence(events=tuple(listener.offsets) if failure else ()),
    )
