"""Bodies that came encoded: every honest way of packing is read, and the others are told."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.wire.decompress import Decoder

TEXT = b'{"object":"list","data":[{"id":"m"}]}' * 20


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "x-gzip": gzip.compress(TEXT, mtime=0),
    "gzip ": gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0),
    "GZIP": gzip.compress(TEXT, mtime=0) + bytes(512),
    "gZIP": gzip.compress(TEXT, mtime=0) + b"trailing words",
    "deflate": zlib.compress(TEXT),
    " deflate": raw(TEXT),
    "identity": TEXT,
    "": TEXT,
}


def unpack(encoding: str, chunks: list[bytes], limit: int = 1 << 20) -> tuple[bytes, str | None]:
    decoder = Decoder(encoding, limit)
    return b"".join(map(decoder.feed, chunks)), decoder.error


@given(st.sampled_from(sorted(PACKED)), st.lists(st.integers(1, 300), max_size=8))
def test_every_way_of_packing_is_read_under_any_cut(encoding: str, cuts: list[int]) -> None:
    data, chunks = PACKED[encoding], []
    for cut in cuts:
        chunks.append(data[:cut])
        data = data[cut:]
    assert unpack(encoding, [*chunks, data]) == (TEXT, None)


def test_a_member_for_each_event_is_one_body() -> None:
    members = [gzip.compress(b"data: %d\n\n" % number) for number in range(500)]
    body, error = unpack("gzip", members)
    assert (body.count(b"data:"), error) == (500, None)


@pytest.mark.parametrize(
    ("encoding", "body", "error"),
    [
        ("br", b"\x0b\x02\x80", "the encoding br, which was not asked for"),
        ("zstd", b"x", "the encoding zstd, which was not asked for"),
        ("gzip, gzip", b"x", "the encoding gzip, gzip, which was not asked for"),
        ("gzip", b"<html>", "a damaged encoding"),
        ("gzip", gzip.compress(TEXT, mtime=0)[:50] + b"\xff" * 50, "a damaged encoding"),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"\x1f\x8b no member", "a damaged encoding"),
        ("deflate", b"\xff\xff\xff\xff", "a damaged encoding"),
    ],
)
def test_what_cannot_be_unpacked_is_told(encoding: str, body: bytes, error: str) -> None:
    assert unpack(encoding, [body])[1] == error


def test_a_bomb_gives_no_more_than_the_limit() -> None:
    bomb = gzip.compress(bytes(10 << 20))
    decoder = Decoder("gzip", 1000)
    assert len(decoder.feed(bomb)) == 1000
    assert decoder.full
    many = Decoder("gzip", 1 << 20)
    many.feed(gzip.compress(b"") * 30_000)
    assert many.error is None
