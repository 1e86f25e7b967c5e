"""What the streams have in common that are no conversation: transcripts, speech, pictures."""

from collections.abc import Callable

from monitor.model import Evidence, Failure, Habit, Kind
from monitor.probes.facts import Exchange
from monitor.probes.listener import Listener
from monitor.probes.probe import Finding
from monitor.probes.said import looks_html, read_json
from monitor.probes.stream import figures, judge_stream


def is_plain(exchange: Exchange) -> bool:
    """A page or one JSON document where a stream was asked for, whatever its label says."""
    return looks_html(exchange.body) or isinstance(read_json(exchange.body), dict | list)


def no_stream(got: str) -> Failure:
    return Failure(Kind.STREAM_NOT_SUPPORTED, f"got {got}, want a stream")


def judge_streamed(
    exchange: Exchange,
    habit: Habit,
    listener: Listener,
    judge: Callable[[], Failure | None] = lambda: None,
) -> Finding:
    """`listener` has heard nothing yet; `judge` says what is wrong with what it heard, if it is whole."""
    for arrival in exchange.arrivals:
        listener.feed(arrival)
    listener.close()
    heard = figures(listener, exchange, habit)
    failure = judge_stream(listener, exchange, habit) or judge()
    return Finding(
        exchange=exchange,
        failure=failure,
        habit=habit if failure else habit.worked(),
        ttft=heard.ttft,
        ttft_visible=heard.ttft_visible,
        stream=heard.stream,
        usage=listener.reader.usage,
        evidence=Evidence(events=tuple(listener.offsets) if failure else ()),
    )
