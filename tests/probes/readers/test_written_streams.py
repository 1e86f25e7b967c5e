"""Every reader on streams written by hand: as expected, under any cut, and never whole before its end."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import STREAMS, Written, judged, listen

from monitor.model import FailureKind, Timings
from monitor.probes import readers
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Chunk, Exchange
from monitor.probes.readers import MediaReader, ProtocolReader

ALL = pytest.mark.parametrize("name", STREAMS)
WITH_END = [name for name, written in STREAMS.items() if written.end is not None]
NOT_WHOLE = {FailureKind.TRUNCATED, FailureKind.EMPTY_COMPLETION, FailureKind.UNEXPECTED_BODY}


def exchange_of(parts: list[bytes]) -> Exchange:
    arrivals = tuple(Chunk(float(at), part) for at, part in enumerate(parts))
    return Exchange(timings=Timings(total=1000.0), status=200, chunks=arrivals)


def heard(written: Written, parts: list[bytes]) -> StreamRecorder:
    return listen(exchange_of(parts), written.reader())


def as_written(listener: StreamRecorder, written: Written) -> Written:
    reader: ProtocolReader = listener.reader
    return Written(
        reader=written.reader,
        source=written.source,
        text=reader.text,
        reasoning=reader.reasoning,
        tools=tuple((call.name, call.arguments) for call in reader.tools.values()),
        finish=tuple(reader.finish_reasons),
        usage=reader.usage,
        model=reader.model,
        content_events=len(listener.content_at),
        comments=listener.parser.comments,
        error=reader.error,
        done=reader.done,
        ended=reader.ended,
        refused=reader.refused,
        unknown=listener.parser.unknown,
    )


def test_every_reader_has_a_stream() -> None:
    named = {each for name, each in vars(readers).items() if name.endswith("Reader")}
    assert {written.reader for written in STREAMS.values()} == named - {ProtocolReader, MediaReader}


@ALL
def test_a_stream_reads_as_it_was_written(name: str) -> None:
    written = STREAMS[name]
    assert as_written(heard(written, [written.data]), written) == written


@ALL
def test_byte_by_byte_it_reads_the_same(name: str) -> None:
    written = STREAMS[name]
    data = written.data
    assert (
        as_written(heard(written, [data[at : at + 1] for at in range(len(data))]), written)
        == written
    )


@ALL
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_under_any_cut_it_reads_the_same(name: str, data: st.DataObject) -> None:
    written = STREAMS[name]
    whole = written.data
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    parts = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)])]
    assert as_written(heard(written, parts), written) == written


@pytest.mark.parametrize("name", WITH_END)
def test_wherever_it_is_cut_before_its_end_it_is_not_whole(name: str) -> None:
    written = STREAMS[name]
    end = written.end
    assert end is not None
    for at in range(end - 4):  # the last line ends may be missing: nothing is lost with them
        exchange = exchange_of([written.data[:at]])
        failure = judged(exchange, written.reader())
        assert failure is not None, written.data[:at]
        assert failure.kind in NOT_WHOLE or written.refused, (failure, written.data[:at])


@pytest.mark.parametrize("name", WITH_END)
def test_from_its_end_on_it_is_whole(name: str) -> None:
    written = STREAMS[name]
    end = written.end
    assert end is not None
    for data in (written.data[:end], written.data):
        exchange = exchange_of([data])
        failure = judged(exchange, written.reader())
        assert (failure and failure.kind) == (
            FailureKind.CONTENT_FILTERED if written.refused else None
        )
