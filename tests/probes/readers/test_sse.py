from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.readers.sse import KEPT_UNKNOWN, MAX_LINE, MAX_LINES, Event, SseParser


def parse(*parts: bytes) -> list[Event]:
    parser = SseParser()
    return [event for part in parts for event in parser.feed(part)]


def test_lines_may_end_in_lf_crlf_or_a_lone_cr() -> None:
    want = [Event("a"), Event("b\nc")]
    assert parse(b"data: a\n\ndata: b\ndata: c\n\n") == want
    assert parse(b"data: a\r\n\r\ndata: b\r\ndata: c\r\n\r\n") == want
    assert parse(b"data: a\r\rdata: b\rdata: c\r\r") == want


def test_a_stream_framed_by_cr_is_not_one_line_behind() -> None:
    parser = SseParser()
    assert parser.feed(b"data: now\r\r") == [Event("now")]


def test_a_byte_order_mark_is_dropped_once() -> None:
    assert parse(b"\xef\xbb\xbfdata: a\n\n") == [Event("a")]


def test_exactly_one_space_after_the_colon_is_dropped() -> None:
    assert parse(b"data:  a\n\ndata:b\n\ndata\n\n") == [Event(" a"), Event("b"), Event("")]


def test_a_name_does_not_outlive_its_event_and_an_id_is_no_unknown_field() -> None:
    parser = SseParser()
    got = parser.feed(b"id: 7\nevent: ping\n\nevent: x\ndata: 1\n\ndata: 2\n\n")
    assert got == [Event("1", "x"), Event("2", "message")]
    assert parser.unknown == ""


def test_comments_are_counted_and_unknown_fields_kept() -> None:
    parser = SseParser()
    parser.feed(b": ping\n:\nretry: 10\n" + b"x" * 9000 + b"\nerror: {boom}\n")
    assert parser.comments == 2
    assert parser.unknown.endswith("error: {boom}\n")
    assert len(parser.unknown) == KEPT_UNKNOWN


def test_invalid_bytes_become_replacement_characters() -> None:
    assert parse(b"data: \xff\n\n") == [Event("\ufffd")]


def test_unicode_line_separators_do_not_end_a_line() -> None:
    assert parse("data: a\u2028b\x0bc\x85\n\n".encode()) == [Event("a\u2028b\x0bc\x85")]


def test_what_the_end_cut_off_is_handed_out_at_close() -> None:
    parser = SseParser()
    assert parser.feed(b'event: error\ndata: {"error"') == []
    assert parser.close() == Event('{"error"', "error")
    assert SseParser().close() is None


def test_an_endless_line_is_given_up() -> None:
    parser = SseParser()
    for _ in range(3):
        parser.feed(b"data: " + b"x" * (MAX_LINE // 2))
    assert parser.overflow == f"a line exceeds {MAX_LINE}"
    assert parser.feed(b"\n\ndata: a\n\n") == []


PIECES = st.sampled_from(
    [
        b"data: ",
        b"data",
        b"event: x",
        b"id: 1",
        b": c",
        b"\r",
        b"\n",
        b"\r\n",
        "é€🙂".encode(),
        b"\xff",
        b"\xef\xbb\xbf",
        b"a",
    ]
)


@given(st.lists(PIECES, max_size=40).map(b"".join), st.data())
def test_any_cut_gives_the_same_events(whole: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    edges = [0, *cuts, len(whole)]
    parts = [whole[a:b] for a, b in pairwise(edges)]
    one, many, bytewise = SseParser(), SseParser(), SseParser()
    got_one = one.feed(whole)
    got_many = [event for part in parts for event in many.feed(part)]
    got_bytewise = [event for byte in whole for event in bytewise.feed(bytes([byte]))]
    assert got_one == got_many == got_bytewise
    assert one.close() == many.close() == bytewise.close()
    assert (one.comments, one.unknown) == (many.comments, many.unknown)


def test_lines_that_make_no_event_are_not_read_for_ever() -> None:
    parser = SseParser()
    assert parser.feed(b":\n" * (MAX_LINES + 1) + b"data: late\n\n") == []
    assert parser.overflow == f"the number of lines exceeds {MAX_LINES}"
