"""The models that the simulated service has, and what each is for. Pure."""

from typing import Any

from monitor.demo.refusals import Json, bad_request, unknown_model

CHAT_MODEL = "demo-mini"
EMBEDDING_MODEL = "demo-embedding"
MODERATION_MODEL = "demo-moderation"
IMAGE_MODEL = "demo-image"
SPEECH_MODEL = "demo-speech"
TRANSCRIPTION_MODEL = "demo-transcribe"
CHAT_MODELS = (CHAT_MODEL, "demo-large")
MODELS = (
    *CHAT_MODELS, EMBEDDING_MODEL, MODERATION_MODEL, IMAGE_MODEL, SPEECH_MODEL, TRANSCRIPTION_MODEL,
)  # fmt: skip
CREATED = 1_760_000_000


def known_model(asked: Any, *models: str) -> str:
    """Raises RefusedError for any but `models`."""
    if not isinstance(asked, str) or not asked:
        raise bad_request("you must provide a model parameter", "model")
    if asked not in models:
        raise unknown_model(asked)
    return asked


def model_list() -> Json:
    data = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "demo"} for name in MODELS
    ]
    return {"object": "list", "data": data}
