"""The APIs that answer without a dialogue: embeddings, moderation, pictures, speech, transcription. Pure."""

import base64
import io
import math
import re
import struct
import wave
import zlib
from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo.api_common import (
    CHAT_MODEL,
    CREATED,
    DONE,
    EMBEDDING_MODEL,
    IMAGE_MODEL,
    LARGE_MODEL,
    MODELS,
    MODERATION_MODEL,
    RERANK_MODEL,
    SPEECH_MODEL,
    TRANSCRIPTION_MODEL,
    Json,
    bad_request,
    event,
    known_model,
)

TOKEN_USAGE: Json = {
    "code": True,
    "message": "ok",
    "data": {
        "object": "token_usage",
        "name": "demo",
        "total_granted": 10_000_000,
        "total_used": 3_750_000,
        "total_available": 6_250_000,
        "unlimited_quota": False,
    },
}
"""What new-api says of a key: in units of which a dollar has 500,000."""
_PRICES = {CHAT_MODEL: 0.075, LARGE_MODEL: 1.25, EMBEDDING_MODEL: 0.01}
"""What new-api calls a ratio: 1 is 2 USD for a million tokens."""
_DEARER = 2
DIMENSIONS = 64
_MAX_DIMENSIONS = 1024
_HARMFUL_WORDS = ("kill", "bomb", "suicide")
_SIDES = {"256x256": 256, "512x512": 512, "1024x1024": 1024}
_RATE = 24_000
_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 26 ms of silence."""


def pricing(cycle: int) -> Json:
    """Return what new-api says of prices: in every other cycle of faults the large model costs twice as much."""

    def priced(model: str) -> Json:
        is_dearer = model == LARGE_MODEL and cycle % 2
        ratio = _PRICES.get(model, 0.0) * (_DEARER if is_dearer else 1)
        by_tokens = {"quota_type": 0, "model_ratio": ratio, "model_price": 0, "completion_ratio": 4}
        by_calls = {"quota_type": 1, "model_ratio": 0, "model_price": 0.02, "completion_ratio": 0}
        figures = by_tokens if model in _PRICES else by_calls
        return {"model_name": model, "enable_groups": ["default"], **figures}

    prices = [priced(model) for model in MODELS]
    return {"success": True, "data": prices, "group_ratio": {"default": 1}}


def embeddings(body: Mapping[str, Any]) -> Json:
    """Return vectors of length 1, always the same for the same text. Raises ApiError."""
    model = known_model(body.get("model"), EMBEDDING_MODEL)
    texts = body.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise bad_request("input must be a text or a list of texts", "input")
    size = body.get("dimensions", DIMENSIONS)
    if not isinstance(size, int) or not 1 <= size <= _MAX_DIMENSIONS:
        raise bad_request(f"dimensions must be from 1 to {_MAX_DIMENSIONS}", "dimensions")
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text, size, as_base64)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(max(1, len(text) // 4) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _vector(text: str, size: int, as_base64: bool) -> list[float] | str:  # noqa: FBT001  # as the API has it
    rng = Random(text)  # noqa: S311  # a vector, not a secret
    raw = [rng.gauss(0, 1) for _ in range(size)]
    length = math.hypot(*raw)
    unit = [number / length for number in raw]
    return base64.b64encode(struct.pack(f"<{size}f", *unit)).decode() if as_base64 else unit


def moderation(body: Mapping[str, Any], rng: Random) -> Json:
    """Return a verdict: a text is harmful if it holds a word of a short list."""
    model = known_model(body.get("model", MODERATION_MODEL), MODERATION_MODEL)
    text = body.get("input")
    if not isinstance(text, str) or not text:
        raise bad_request("input must be a text", "input")
    harmful = any(word in text.lower() for word in _HARMFUL_WORDS)
    result = {
        "flagged": harmful,
        "categories": {"violence": harmful},
        "category_scores": {"violence": 0.98 if harmful else 0.0001},
    }
    return {"id": f"modr-{rng.getrandbits(64):016x}", "model": model, "results": [result]}


def reranking(body: Mapping[str, Any], rng: Random) -> Json:
    """Return the documents by how many of their words stand in the question. Raises ApiError."""
    model = known_model(body.get("model"), RERANK_MODEL)
    query, documents = body.get("query"), body.get("documents")
    if not isinstance(query, str) or not isinstance(documents, list) or not documents:
        raise bad_request("want a query and documents", "documents")
    words = set(re.findall(r"\w+", query.lower()))
    results = [
        {
            "index": index,
            "relevance_score": len(words & set(re.findall(r"\w+", str(text).lower())))
            / len(words or {""}),
        }
        for index, text in enumerate(documents)
    ]
    results.sort(key=lambda result: -result["relevance_score"])
    return {"id": f"{rng.getrandbits(64):016x}", "model": model, "results": results}


def painted(colour: tuple[int, int, int], side: int) -> bytes:
    """Return a square of `side` pixels as PNG, eight bits per channel."""
    row = b"\0" + bytes(colour) * side
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * side)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def image(body: Mapping[str, Any], rng: Random) -> Json:
    known_model(body.get("model"), IMAGE_MODEL)
    if not isinstance(body.get("prompt"), str) or not body["prompt"]:
        raise bad_request("prompt must be a text", "prompt")
    size = body.get("size", "1024x1024")
    if size not in _SIDES:
        raise bad_request(f"size must be one of {', '.join(_SIDES)}", "size")
    picture = painted((rng.randrange(256), rng.randrange(256), rng.randrange(256)), _SIDES[size])
    usage = {"input_tokens": 8, "output_tokens": 272, "total_tokens": 280}
    data = [{"b64_json": base64.b64encode(picture).decode()}]
    return {"created": CREATED, "data": data, "usage": usage}


def speech(body: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return media type and sound: silence that lasts as long as the text would."""
    known_model(body.get("model"), SPEECH_MODEL)
    text, voice = body.get("input"), body.get("voice")
    if not isinstance(text, str) or not text:
        raise bad_request("input must be a text", "input")
    if not isinstance(voice, str) or not voice:
        raise bad_request("voice must be a name", "voice")
    match body.get("response_format", "mp3"):
        case "mp3":
            return "audio/mpeg", _FRAME * (4 * len(text))
        case "wav":
            return "audio/wav", _silence(len(text) / 10)
        case _:
            raise bad_request("response_format must be mp3 or wav", "response_format")


def speech_events(sound: bytes) -> bytes:
    """Return the events of a stream that sends the sound in four pieces."""
    size = math.ceil(len(sound) / 4)
    pieces = (sound[at : at + size] for at in range(0, len(sound), size))
    deltas = (
        event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
        for piece in pieces
    )
    usage = {"input_tokens": 9, "output_tokens": 12, "total_tokens": 21}
    return b"".join(deltas) + event({"type": "speech.audio.done", "usage": usage})


def image_events(document: Json) -> bytes:
    """Return the event of a stream that sends one finished picture."""
    kind = "image_generation.completed"
    done = {
        "type": kind,
        "b64_json": document["data"][0]["b64_json"],
        "created_at": document["created"],
        "size": "1024x1024",
        "quality": "low",
        "background": "opaque",
        "output_format": "png",
        "usage": document["usage"],
    }
    return event(done, kind)


def _silence(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(bytes(2 * round(seconds * _RATE)))
    return file.getvalue()


def transcription(model: Any, sound: bytes) -> Json:
    known_model(model, TRANSCRIPTION_MODEL)
    try:
        with wave.open(io.BytesIO(sound)) as opened:
            seconds = opened.getnframes() / opened.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        raise bad_request("the file is not a sound that can be read", "file") from None
    return {
        "text": "A tone, and then silence.",
        "usage": {"type": "duration", "seconds": math.ceil(seconds)},
    }


def transcript_events(document: Json) -> bytes:
    *words, last = document["text"].split(" ")
    pieces = [*(f"{word} " for word in words), last]
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "output_tokens": len(pieces),
        "total_tokens": 14 + len(pieces),
    }
    deltas = (event({"type": "transcript.text.delta", "delta": piece}) for piece in pieces)
    done = {"type": "transcript.text.done", "text": document["text"], "usage": usage}
    return b"".join(deltas) + event(done) + DONE
