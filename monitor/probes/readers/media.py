"""Reads OpenAI's streams of transcripts, of sound and of pictures, and tells what kind of file some bytes are."""

import base64
import binascii
from typing import ClassVar

from monitor.model import Usage
from monitor.probes.readers.base import (
    NO_PIECE,
    JsonObject,
    Piece,
    ProtocolReader,
    as_text,
    as_usage,
)

_MOST_BASE64 = 16 << 20


class TokensReader(ProtocolReader):
    """Reads the usage as newer APIs count it: `input_tokens` and `output_tokens`."""

    def _note_usage(self, value: JsonObject) -> None:
        usage = value.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None or "input_tokens" not in self.usage_table:
            return None
        return as_usage(self.usage_table)


class TranscriptReader(TokensReader):
    """Reads transcripts. The oldest models count their usage in seconds, which counts as none."""

    def _piece(self, value: JsonObject) -> Piece:
        match value.get("type"):
            case "transcript.text.delta":
                return Piece(text=as_text(value.get("delta")))
            case "transcript.text.done":
                self.ended = True
                self._note_finish("done")
                self._note_usage(value)
            case None:
                self._note_usage(value)
                return Piece(text=as_text(value.get("text")))
            case _:
                pass  # segments repeat what the deltas said
        return NO_PIECE

    @property
    def spoke(self) -> bool:
        """Say whether it is an answer: a sound without words has an empty one, so the end alone counts."""
        return self.ended or bool(self.text)


class MediaReader(TokensReader):
    """Collects in `data` the whole sound, or the finished picture."""

    piece_event: ClassVar[str]
    """The type of the event that carries a piece."""
    last_event: ClassVar[str]
    field: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def _piece(self, value: JsonObject) -> Piece:
        kind = as_text(value.get("type"))
        if kind == self.last_event:
            self.ended = True
            self._note_finish("done")
            self._note_usage(value)
        if kind not in {self.piece_event, self.last_event}:
            return NO_PIECE
        text = as_text(value.get(self.field))
        if len(self.data) <= _MOST_BASE64:
            self._add(decoded(text) or b"")
        return Piece(media=text)

    def _add(self, data: bytes) -> None:
        raise NotImplementedError

    @property
    def spoke(self) -> bool:
        return bool(self.data)


class SpeechReader(MediaReader):
    piece_event: ClassVar[str] = "speech.audio.delta"
    last_event: ClassVar[str] = "speech.audio.done"
    field: ClassVar[str] = "audio"

    def _add(self, data: bytes) -> None:
        self.data += data


class ImageReader(MediaReader):
    """Reads streams of pictures, in which each piece is a picture of its own, better than the one before."""

    piece_event: ClassVar[str] = "image_generation.partial_image"
    last_event: ClassVar[str] = "image_generation.completed"
    field: ClassVar[str] = "b64_json"

    def _add(self, data: bytes) -> None:
        self.data[:] = data


def is_audio(data: bytes) -> bool:
    """Say whether it is MP3 (bare or tagged), AAC, WAV, Ogg (Opus) or FLAC."""
    framed = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    return framed or data.startswith((b"ID3", b"RIFF", b"OggS", b"fLaC"))


def is_picture(data: bytes) -> bool:
    """Say whether it is PNG, JPEG or WebP."""
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return webp or data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def decoded(text: object) -> bytes | None:
    """Decode base64; None for anything else."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
