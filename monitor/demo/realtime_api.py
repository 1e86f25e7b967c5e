"""The greeting of the Realtime API, and what can be wrong with it."""

from aiohttp import web

from monitor.demo.api_common import ApiError, Json


def session_created(model: str | None) -> Json:
    session = {"type": "realtime", "object": "realtime.session", "id": "sess_demo", "model": model}
    return {"type": "session.created", "event_id": "event_demo", "session": session}


def realtime_error() -> Json:
    error = {
        "type": "server_error",
        "code": None,
        "message": "The server had an error while opening the session.",
        "param": None,
    }
    return {"type": "error", "event_id": "event_demo", "error": error}


def upgrade_required() -> ApiError:
    return ApiError(
        426,
        "This path speaks WebSocket only.",
        kind="invalid_request_error",
        code="upgrade_required",
    )


async def accept_for_another(request: web.Request) -> web.StreamResponse:
    """Answer a handshake as a cache would that has kept somebody else's."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    accept = {"Sec-WebSocket-Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    response = web.StreamResponse(status=101, headers=headers | accept)
    await response.prepare(request)
    return response
