"""Holds what all APIs of the simulated service share: its models, errors in each format, and server-sent events. Pure."""

import json
from typing import Any

Json = dict[str, Any]

CHAT_MODEL = "demo-mini"
EMBEDDING_MODEL = "demo-embedding"
MODERATION_MODEL = "demo-moderation"
IMAGE_MODEL = "demo-image"
SPEECH_MODEL = "demo-speech"
TRANSCRIPTION_MODEL = "demo-transcribe"
RERANK_MODEL = "demo-rerank"
REALTIME_MODEL = "demo-realtime"
LARGE_MODEL = "demo-large"
CHAT_MODELS = (CHAT_MODEL, LARGE_MODEL)
MODELS = (
    *CHAT_MODELS,
    EMBEDDING_MODEL,
    MODERATION_MODEL,
    RERANK_MODEL,
    IMAGE_MODEL,
    SPEECH_MODEL,
    TRANSCRIPTION_MODEL,
    REALTIME_MODEL,
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


class ApiError(Exception):
    """Ends a request with an error of this status."""

    def __init__(self, status: int, message: str, *, kind: str, code: str, param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param

    def answer(self, path: str) -> tuple[int, Json]:
        """Return status and body in the format of the API that `path` belongs to."""
        if path.startswith("/v1/messages"):
            return self.status, {"type": "error", "error": self._anthropic()}
        if "/models/" in path:  # only Google's calls have a model in their path
            return self._google()
        fields = {"message": self.message, "type": self.kind, "param": self.param or None}
        return self.status, {"error": fields | {"code": self.code}}

    def _anthropic(self) -> Json:
        names = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
        return {
            "type": names.get(self.status, "invalid_request_error"),
            "message": f"model: {self.message}" if self.code == "model_not_found" else self.message,
        }

    def _google(self) -> tuple[int, Json]:
        """Return Google's status and body; a bad key is a bad request there."""
        names = {403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
        status = 400 if self.status == 401 else self.status
        error: Json = {
            "code": status,
            "message": self.message,
            "status": names.get(status, "INVALID_ARGUMENT"),
        }
        if self.status == 401:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": kind, "reason": "API_KEY_INVALID"}]
        return status, {"error": error}


def bad_request(message: str, param: str) -> ApiError:
    return ApiError(400, message, kind="invalid_request_error", code="invalid_value", param=param)


def wrong_key() -> ApiError:
    return ApiError(
        401,
        "Incorrect API key provided. Check your key and your balance.",
        kind="invalid_request_error",
        code="invalid_api_key",
    )


def unknown_model(asked: str) -> ApiError:
    return ApiError(
        404,
        f"The model `{asked[:80]}` does not exist or you do not have access to it.",
        kind="invalid_request_error",
        code="model_not_found",
        param="model",
    )


DONE = b"data: [DONE]\n\n"


def event(value: Any, name: str = "", end: bytes = b"\n") -> bytes:
    """Return one event with JSON data. `end` ends its lines: Google's end in CRLF."""
    head = f"event: {name}".encode() + end if name else b""
    return head + b"data: " + json.dumps(value, separators=(",", ":")).encode() + end + end
