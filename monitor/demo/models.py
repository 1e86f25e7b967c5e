"""The models of the simulated service, and what each is for. Pure."""

from typing import Any

from monitor.demo.api_errors import Json, bad_request, unknown_model

CHAT_MODEL = "demo-mini"
EMBEDDING_MODEL = "demo-embedding"
MODERATION_MODEL = "demo-moderation"
IMAGE_MODEL = "demo-image"
SPEECH_MODEL = "demo-speech"
TRANSCRIPTION_MODEL = "demo-transcribe"
CHAT_MODELS = (CHAT_MODEL, "demo-large")
MODELS = (
    *CHAT_MODELS,
    EMBEDDING_MODEL,
    MODERATION_MODEL,
    IMAGE_MODEL,
    SPEECH_MODEL,
    TRANSCRIPTION_MODEL,
)
CREATED = 1_760_000_000


def known_model(model: Any, *models: str) -> str:
    """Return `model` if it is one of `models`. Raises ApiError for any other."""
    if not isinstance(model, str) or not model:
        raise bad_request("you must provide a model parameter", "model")
    if model not in models:
        raise unknown_model(model)
    return model


def model_list() -> Json:
    data = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "demo"} for name in MODELS
    ]
    return {"object": "list", "data": data}
