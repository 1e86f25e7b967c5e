"""Pictures, sounds and verdicts: what is asked, what counts as an answer, over a real socket."""

import base64
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from relay import Answering, Asked, Relay, event, kind_of, plain, relaying, streaming

from monitor.model import FailureKind, Habit, Usage
from monitor.probes import PROBES
from monitor.probes.probe import Finding

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
MP3 = b"\xff\xf3\xc4\xc4" + b"\0" * 600
KINDS = ("images", "speech", "transcriptions", "moderations")


def base64ed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(**item: Any) -> Answering:
    return plain({"created": 1, "data": [item], "usage": {"input_tokens": 9, "output_tokens": 272}})


GOOD = {
    "images": picture(b64_json=base64ed(PNG)),
    "speech": plain(MP3, kind="audio/mpeg"),
    "transcriptions": plain({"text": "", "usage": {"type": "duration", "seconds": 1}}),
    "moderations": plain({"model": "omni-x", "results": [{"flagged": False}]}),
}


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


@pytest.mark.parametrize("kind", KINDS)
async def test_a_right_answer_is_up(relay: Relay, kind: str) -> None:
    relay.answering = GOOD[kind]
    got = await relay.ask(kind)
    assert (got.failure, got.habit) == (None, Habit(good=1))
    assert got.exchange.timings.ttfb is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("answering", "want"),
    [
        (plain({"error": {"message": "Incorrect API key"}}, 401), FailureKind.AUTH_INVALID),
        (
            plain({"error": {"message": "no", "code": "insufficient_quota"}}),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (
            plain({"error": {"message": "x", "code": "model_not_found"}}, 404),
            FailureKind.MODEL_NOT_FOUND,
        ),
        (plain({"error": {"message": "x"}}, 500), FailureKind.SERVER_ERROR),
        (plain(b"<!doctype html><title>Panel</title>"), FailureKind.HTML_ANSWER),
        (plain({}), FailureKind.UNEXPECTED_BODY),
        (plain([1]), FailureKind.UNEXPECTED_BODY),
        (plain(b""), FailureKind.UNEXPECTED_BODY),
        (plain(b"\0\1\2" * 500), FailureKind.UNEXPECTED_BODY),
    ],
)
async def test_what_is_wrong_is_told(
    relay: Relay, kind: str, answering: Answering, want: FailureKind
) -> None:
    relay.answering = answering
    got = await relay.ask(kind)
    assert (kind_of(got), got.habit) == (want, Habit())


@pytest.mark.parametrize("kind", KINDS)
async def test_half_a_document_is_of_no_use(relay: Relay, kind: str) -> None:
    relay.answering = streaming(MP3[:50], cut=True)
    assert kind_of(await relay.ask(kind)) is FailureKind.UNEXPECTED_BODY


@pytest.mark.parametrize(
    ("item", "want"),
    [
        ({"url": "https://pictures.test/a.png?sig=1"}, None),
        ({"url": "ftp://pictures.test/a.png"}, FailureKind.UNEXPECTED_BODY),
        ({"url": "//["}, FailureKind.UNEXPECTED_BODY),
        ({"url": 5}, FailureKind.UNEXPECTED_BODY),
        ({"b64_json": base64ed(b"\xff\xd8\xff\xe0")}, None),
        ({"b64_json": base64ed(b"RIFF\0\0\0\0WEBPVP8 ")}, None),
        ({"b64_json": base64ed(b"RIFF\0\0\0\0WAVEfmt ")}, FailureKind.UNEXPECTED_BODY),
        ({"b64_json": "not base64!"}, FailureKind.UNEXPECTED_BODY),
        ({"b64_json": None}, FailureKind.UNEXPECTED_BODY),
    ],
)
async def test_a_picture_or_the_address_of_one(
    relay: Relay, item: dict[str, Any], want: FailureKind | None
) -> None:
    relay.answering = picture(**item)
    got = await relay.ask("images")
    assert (kind_of(got), got.usage) == (want, Usage(tokens_in=9, tokens_out=272))


async def test_a_picture_costs_little_and_is_asked_for_once_a_day(relay: Relay) -> None:
    async def picky(request: web.Request, asked: Asked) -> web.StreamResponse:
        if "quality" in asked.json:
            error = {"message": "Unknown parameter: 'quality'.", "param": "quality"}
            return await plain({"error": error}, 400)(request, asked)
        return await GOOD["images"](request, asked)

    relay.answering = picky
    got = await relay.ask("images")
    prompt = relay.asked[-1].json["prompt"]
    assert (got.failure, got.habit.refused) == (None, {"quality"})
    assert relay.asked[-1].path == "/v1/images/generations"
    assert relay.asked[-1].json == {
        "model": "gpt-image-1-mini",
        "prompt": prompt,
        "n": 1,
        "size": "1024x1024",
    }
    await relay.ask("images", got.habit, seed=8)
    assert relay.asked[-1].json["prompt"] != prompt
    assert PROBES["images"]().every.total_seconds() == 86_400


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b"ID3\x04" + b"\0" * 600, None),
        (b"OggS" + b"\0" * 600, None),
        (b"fLaC" + b"\0" * 600, None),
        (b"RIFF" + b"\0" * 600, None),
        (MP3[:400], FailureKind.UNEXPECTED_BODY),
        (f'{{"audio_data": "{base64ed(MP3)}"}}'.encode(), None),
        (b'{"audio_data": "aGVsbG8="}', FailureKind.UNEXPECTED_BODY),
    ],
)
async def test_audio_is_told_by_its_first_bytes(
    relay: Relay, body: bytes, want: FailureKind | None
) -> None:
    relay.answering = plain(body, kind="application/octet-stream")
    assert kind_of(await relay.ask("speech")) is want


async def test_speech_asks_for_three_random_digits(relay: Relay) -> None:
    relay.answering = GOOD["speech"]
    await relay.ask("speech", seed=1)
    await relay.ask("speech", seed=2)
    one, two = (asked.json["input"] for asked in relay.asked)
    assert one != two
    assert relay.asked[0].json == {
        "model": "tts-1",
        "input": one,
        "voice": "alloy",
        "response_format": "mp3",
    }


async def test_a_second_of_a_tone_goes_out_as_a_wave_file(relay: Relay) -> None:
    forms: list[dict[str, Any]] = []
    sounds: list[bytes] = []

    async def hears(request: web.Request, asked: Asked) -> web.StreamResponse:
        found: dict[str, Any] = dict(await request.post())
        file = found["file"]
        with wave.open(io.BytesIO(file.file.read())) as sound:
            shape = (sound.getframerate(), sound.getnchannels(), sound.getnframes())
            sounds.append(sound.readframes(8000))
        forms.append({**found, "file": (file.filename, file.content_type, shape)})
        return await plain({"text": "you", "usage": {"input_tokens": 10, "output_tokens": 2}})(
            request, asked
        )

    relay.answering = hears
    got = await relay.ask("transcriptions", seed=3)
    assert (got.failure, got.usage) == (None, Usage(tokens_in=10, tokens_out=2))
    assert forms == [{"model": "whisper-1", "file": ("tone.wav", "audio/wav", (8000, 1, 8000))}]
    await relay.ask("transcriptions", seed=4, stream=True)
    assert forms[1]["stream"] == "true"
    assert sounds[0] != sounds[1]
    assert max(sounds[0]) > 0


DELTA = event({"type": "transcript.text.delta", "delta": "you"})
END = event(
    {
        "type": "transcript.text.done",
        "text": "you",
        "usage": {"type": "tokens", "input_tokens": 10, "output_tokens": 2},
    }
)


@pytest.mark.parametrize(
    ("answering", "want"),
    [
        (streaming(DELTA, END), None),
        (streaming(END), None),
        (streaming(DELTA), FailureKind.TRUNCATED),
        (streaming(DELTA, cut=True), FailureKind.TRUNCATED),
        (streaming(), FailureKind.EMPTY_COMPLETION),
        (streaming(event({"type": "error", "error": {"message": "x"}})), FailureKind.STREAM_ERROR),
        (plain({"text": "you"}), FailureKind.STREAM_NOT_SUPPORTED),
        (plain(b"<html>"), FailureKind.HTML_ANSWER),
    ],
)
async def test_a_streamed_transcript_is_judged_to_its_end(
    relay: Relay, answering: Answering, want: FailureKind | None
) -> None:
    relay.answering = answering
    got = await relay.ask("transcriptions", stream=True)
    assert kind_of(got) is want
    if want is None:
        assert got.usage == Usage(tokens_in=10, tokens_out=2)


HALVES = [
    event({"type": "speech.audio.delta", "audio": base64ed(part)})
    for part in (MP3[:300], MP3[300:])
]
SAID = event({"type": "speech.audio.done", "usage": {"input_tokens": 9, "output_tokens": 12}})
NOISE = event({"type": "speech.audio.delta", "audio": base64ed(b"no sound" * 99)})
ROUGH = event({"type": "image_generation.partial_image", "b64_json": base64ed(PNG)})
DRAWN = event(
    {
        "type": "image_generation.completed",
        "b64_json": base64ed(PNG),
        "usage": {"input_tokens": 9, "output_tokens": 12},
    }
)
LARGE = event({"type": "image_generation.completed", "b64_json": base64ed(PNG + bytes(3 << 20))})
NO_PICTURE = event({"type": "image_generation.completed", "b64_json": base64ed(b"none")})
ERROR = event({"type": "error", "error": {"message": "x", "type": "server_error"}})


@pytest.mark.parametrize(
    ("kind", "answering", "want"),
    [
        ("speech", streaming(*HALVES, SAID), None),
        ("speech", streaming(*HALVES, SAID, b"data: [DONE]\n\n"), None),
        ("speech", streaming(*HALVES), FailureKind.TRUNCATED),
        ("speech", streaming(HALVES[0], cut=True), FailureKind.TRUNCATED),
        ("speech", streaming(SAID), FailureKind.EMPTY_COMPLETION),
        ("speech", streaming(NOISE, SAID), FailureKind.UNEXPECTED_BODY),
        ("speech", streaming(HALVES[0], SAID), FailureKind.UNEXPECTED_BODY),
        ("speech", streaming(HALVES[0], ERROR), FailureKind.STREAM_ERROR),
        ("speech", GOOD["speech"], FailureKind.STREAM_NOT_SUPPORTED),
        ("speech", plain(b"<html>"), FailureKind.HTML_ANSWER),
        ("images", streaming(ROUGH, DRAWN), None),
        ("images", streaming(LARGE), None),
        ("images", streaming(ROUGH), FailureKind.TRUNCATED),
        ("images", streaming(NO_PICTURE), FailureKind.UNEXPECTED_BODY),
        ("images", streaming(ERROR), FailureKind.STREAM_ERROR),
        ("images", streaming(), FailureKind.EMPTY_COMPLETION),
        ("images", GOOD["images"], FailureKind.STREAM_NOT_SUPPORTED),
    ],
)
async def test_a_streamed_sound_or_picture_is_judged_to_its_end(
    relay: Relay, kind: str, answering: Answering, want: FailureKind | None
) -> None:
    relay.answering = answering
    got = await relay.ask(kind, stream=True)
    assert kind_of(got) is want, got.failure
    asked = {"speech": {"stream_format": "sse"}, "images": {"stream": True}}[kind]
    assert asked.items() <= relay.asked[0].json.items()
    assert relay.asked[0].headers["Accept"] == "text/event-stream"
    if want is None:
        assert got.ttft is not None
        assert got.stream is not None
        assert got.stream.complete


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "answering"),
    [
        ("transcriptions", streaming(DELTA, END, stays_s=9)),
        ("speech", streaming(*HALVES, SAID, stays_s=9)),
        ("images", streaming(LARGE, stays_s=9)),
    ],
)
async def test_a_connection_kept_open_after_the_end_is_no_part_of_the_answer(
    relay: Relay, kind: str, answering: Answering
) -> None:
    relay.answering = answering
    got = await relay.ask(kind, stream=True)
    assert kind_of(got) is None
    assert got.exchange.timings.total is not None
    assert got.exchange.timings.total < 1500


async def test_harmless_letters_flagged_three_times_in_a_row_are_a_mismatch(relay: Relay) -> None:
    relay.answering = plain({"results": [{"flagged": True}]})
    kinds, habit = [], Habit()
    for _ in range(3):
        got: Finding = await relay.ask("moderations", habit)
        kinds.append(kind_of(got))
        habit = got.habit
    assert kinds == [None, None, FailureKind.CONTENT_MISMATCH]
    own = await relay.ask("moderations", habit, text="how to make a bomb")
    assert (own.failure, own.habit.mismatches) == (None, 0)
