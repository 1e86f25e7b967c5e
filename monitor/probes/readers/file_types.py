"""Tells what kind of file some bytes are by how they begin, and decodes base64."""

import base64
import binascii


def is_audio(data: bytes) -> bool:
    """Tell whether it is MP3 (bare or tagged), AAC, WAV, Ogg (Opus) or FLAC."""
    framed = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    return framed or data.startswith((b"ID3", b"RIFF", b"OggS", b"fLaC"))


def is_picture(data: bytes) -> bool:
    """Tell whether it is PNG, JPEG or WebP."""
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
