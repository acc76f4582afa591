"""A fresh id for every request, on every log line made while serving it, and one access line at its end.

The access line names the route's template, never the path asked for: secure links carry their secret in the path.
An id sent by the client is not taken over, so that nobody can plant one in our records.
"""

from time import perf_counter
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADER = b"x-request-id"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = structlog.get_logger("web.access")


def request_id(request: Request) -> str:
    """The id of this request, as logged and as answered in `X-Request-ID`."""
    return str(request.scope["request_id"])


def route_template(scope: Scope) -> str:
    """The path of the matched route with its placeholders, or `other`."""
    return str(getattr(scope.get("route"), "path", "other"))


class RequestIdMiddleware:
    """Outermost of our middlewares: binds the id, then logs method, route, status and duration."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["request_id"] = uuid4().hex
        header = (_HEADER, request_id.encode())
        started = perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            _log.info(
                "request",
                method=scope["method"] if scope["method"] in _METHODS else "other",
                route=route_template(scope),
                status=status,
                duration_ms=round((perf_counter() - started) * 1000, 1),
            )
            structlog.contextvars.reset_contextvars(**bound)
