"""OpenAI's streams of sound and of pictures: pieces as base64, then an event with the usage."""

from typing import ClassVar

from monitor.probes.readers.base import NO_PIECE, Piece, Table, string
from monitor.probes.readers.file_types import decoded
from monitor.probes.readers.transcript import TokensReader

_MOST_BASE64 = 16 << 20


class MediaReader(TokensReader):
    """`data` is the whole sound, or the finished picture."""

    piece_event: ClassVar[str]
    """The type of the event that carries a piece."""
    last_event: ClassVar[str]
    field: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def _piece(self, value: Table) -> Piece:
        kind = value.get("type")
        if kind == self.last_event:
            self.ended = True
            self._note_finish("done")
            self._note_usage(value)
        if kind not in {self.piece_event, self.last_event}:
            return NO_PIECE
        text = string(value.get(self.field))
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
    """Each piece is a picture of its own, better than the one before."""

    piece_event: ClassVar[str] = "image_generation.partial_image"
    last_event: ClassVar[str] = "image_generation.completed"
    field: ClassVar[str] = "b64_json"

    def _add(self, data: bytes) -> None:
        self.data[:] = data
